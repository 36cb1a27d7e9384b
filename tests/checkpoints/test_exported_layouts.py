"""Small nets in the layouts of others, exported and held against their reference.

ONNX each time; all of a phone's formats at night.
"""

from __future__ import annotations

import json

import pytest
import torch

from tests.checkpoints import test_bryandlee, test_joshbrew_separable
from tests.checkpoints.test_jcjohnson import Model
from tests.checkpoints.test_skeletons import FORKS, weights
from tests.checkpoints.torch7_files import written

# Arithmetic that differs, each once.
TREES = {
    "jcjohnson, batch": ("c9s1-4,d6,d8,R8,u6,u4,c9s1-3", "reflect-start", "batch"),
    "jcjohnson, instance": ("c9s1-4,d6,d8,R8,U2,c3s1-6,U2,c9s1-3", "replicate", "instance"),
    "jcjohnson, zero": ("c9s1-4,d6,d8,R8,u6,u4,c9s1-3", "zero", "instance"),
}
SAVED = {name: lambda name=name: weights(FORKS[name]) for name in FORKS}
SAVED |= {
    f"joshbrew, {kind}": lambda kind=kind: test_joshbrew_separable.small_state(kind)
    for kind in ("mobile", "efficient")
}
SAVED["bryandlee"] = test_bryandlee.small_state
TARGETS = ("coreml", "litert", "ncnn")


# Without a norm for each channel, a small random net is less sensitive to its input than to
# float16's slope of a leaky ReLU, which no trained net is.
FLOAT = {("bryandlee", "coreml")}


def proven(sttk, path, target, folder, *more):
    """Export to a target and judge it; the rungs that it stands on."""
    result = sttk("export", path, "--target", target, "--size", "64", "-o", folder, *more)
    assert result.exit_code == 0, result.output
    result = sttk("parity", folder, "--json", "--regime", "photo", "--regime", "blur")
    assert result.exit_code == 0, result.output
    (report,) = json.loads(result.stdout)
    return {row["rung"] for row in report["rows"]}


def saved(name, folder):
    if name in TREES:
        path = folder / "net.t7"
        path.write_bytes(written(Model(*TREES[name]).content()))
    else:
        path = folder / "net.pth"
        torch.save(SAVED[name](), path)
    return path


@pytest.mark.parametrize("name", [*SAVED, *TREES])
def test_onnx(sttk, tmp_path, name):
    rungs = proven(sttk, saved(name, tmp_path), "onnx", tmp_path / "made")
    # Random weights are ill-conditioned now and then, on a picture that is nearly flat.
    assert rungs & {"exact", "faithful"}
    assert rungs <= {"exact", "faithful", "ill-conditioned"}


@pytest.mark.nightly
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", [*SAVED, *TREES])
def test_formats_of_phones(sttk, tmp_path, name, target):
    more = ("--precision", "fp32") if (name, target) in FLOAT else ()
    rungs = proven(sttk, saved(name, tmp_path), target, tmp_path / "made", *more)
    # Random weights are ill-conditioned now and then, on a picture that is nearly flat.
    assert rungs & {"exact", "faithful"}
    assert rungs <= {"exact", "faithful", "ill-conditioned"}
