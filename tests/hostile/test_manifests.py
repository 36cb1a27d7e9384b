"""Found by the fuzzer in manifests, each with the smallest input that shows it."""

from __future__ import annotations

import contextlib
import json
import os

from sttk.cli import Failure
from sttk.toolkit.artifact.contents import file_faults, file_of
from sttk.toolkit.artifact.search import parse_manifest, read_entry, read_manifest
from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.io import json_text
from sttk.toolkit.io.files import sha256
from sttk.toolkit.opened.inspect import inspect
from sttk.toolkit.opened.verify import verify
from tests.hostile import onnx_files
from tests.hostile.refusal import refused


def test_json_that_is_nested(artifact):
    """asdict and the printing of it go deeper than the parser."""
    deep = 1
    for _ in range(300):
        deep = [deep]
    folder = artifact(bench={"x": deep})
    refused(ArtifactError, parse_manifest, folder, saying="nested deeper than")
    assert not verify(read_entry(folder)).passed
    most = json_text.MOST_DEPTH
    assert json_text.loads(b"[" * most + b"]" * most)
    for depth in (most + 1, 5000):
        refused(ValueError, json_text.loads, b"[" * depth + b"]" * depth, saying="nested deeper")


def test_files_that_are_elsewhere(artifact, tmp_path):
    (tmp_path / "outside.onnx").write_bytes(onnx_files.small())
    for name in ("../outside.onnx", str(tmp_path / "outside.onnx"), "./m.onnx", "x/../m.onnx", "/"):
        folder = artifact(model=name, files={name: sha256(tmp_path / "outside.onnx")})
        assert file_of(folder, name) is None
        assert "outside its folder" in str(next(file_faults(folder, parse_manifest(folder))))
        facts = inspect(folder)
        assert facts["files"] == {}
        assert "outside" in facts["model"]["not described"]
        refused(ArtifactError, read_manifest, folder, saying="outside its folder")


def test_links_in_a_circle(artifact):
    folder = artifact(files={"one": "0" * 64, "m.onnx": "0" * 64})
    (folder / "one").symlink_to("two")
    (folder / "two").symlink_to("one")
    assert len(inspect(folder)["faults"]) == 2
    assert not verify(read_entry(folder)).passed


def test_names_that_are_no_text(artifact, tmp_path):
    refused(
        ArtifactError, parse_manifest, artifact(files={"\ud800": "0" * 64}), saying="is no text"
    )
    refused(ArtifactError, parse_manifest, artifact(model="\ud800"), saying="is no text")
    folder = tmp_path / "odd"
    folder.mkdir()
    name = os.fsdecode(b"\xff")
    with contextlib.suppress(OSError):  # where the system takes Unicode alone
        (folder / name).write_bytes(b"x")
    assert len(sha256(folder)) == 64


def test_long_names_are_one_line(tmp_path, sttk):
    (tmp_path / "manifest.json").write_text(json.dumps({"x" * 9000: 1}))
    result = sttk("inspect", tmp_path)
    assert result.exit_code == 2
    assert len(result.stderr) < 2000 + len(str(tmp_path))
    assert len(sttk("inspect", "z" * 9000).stderr) < 2000
    line = Failure("x" * 5000 + " (the fix)", "usage", 2).message
    assert line.endswith("(the fix) [usage]")
    assert Failure("y" * 1600, "usage", 2).message == "y" * 1600 + " [usage]"
