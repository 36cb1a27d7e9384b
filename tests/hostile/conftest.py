"""An artifact whose manifest may say anything."""

from __future__ import annotations

import json

import pytest

from sttk.toolkit.artifact.manifest import Checkpoint, Manifest, Target
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.io.files import sha256
from tests.hostile import onnx_files


@pytest.fixture
def artifact(tmp_path):
    """Writes an artifact of one file, m.onnx, whose manifest says otherwise."""
    folder = tmp_path / "artifact"
    folder.mkdir()

    def write(**changes):
        (folder / "m.onnx").write_bytes(onnx_files.small())
        manifest = Manifest(
            "net", "m.onnx", {"m.onnx": sha256(folder / "m.onnx")},
            Checkpoint("nowhere", "0" * 64, "sttk"), Contract(),
            Target("onnx", "fp32", Shapes.any()), "exact", "exact",
        )  # fmt: skip
        content = {**manifest.to_dict(), **changes}
        (folder / "manifest.json").write_text(json.dumps(content))
        return folder

    return write
