"""Models with one fault each, and a picture to find it on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

SIZE = (64, 96)


@pytest.fixture(scope="session")
def batch():
    """A picture with edges, gradients and grain: (1, 3, 64, 96), whole numbers of 0..255."""
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    grain = np.random.default_rng(0).integers(0, 40, (3, *SIZE))
    rgb = np.stack([rows * 3, columns * 2, (rows // 8 + columns // 8) % 2 * 200]) + grain
    return rgb.clip(0, 255).astype(np.float32)[None]


@pytest.fixture
def onnx_with(make, tmp_path):
    """The tiny net's ONNX model with a fault: ``onnx_with(fault, precision="fp32")``.

    Not rewritten, unless asked for: so each block has an operation of its own.
    """

    def made(fault, **options):
        model = onnx.load(make(size=SIZE, **{"rewrites": False, **options}) / "model.onnx")
        fault(model.graph)
        path = tmp_path / "broken.onnx"
        onnx.save_model(model, path)
        return path

    return made


@pytest.fixture
def reproduced():
    """Runs a reproduction as a user would."""

    def run(folder):
        return subprocess.run(
            [sys.executable, folder / "reproduce.py"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )

    return run
