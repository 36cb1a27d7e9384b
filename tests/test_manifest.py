from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sttk.toolkit.artifact.manifest import SCHEMA, Checkpoint, Manifest, Target
from sttk.toolkit.artifact.search import (
    artifact_source,
    find_artifacts,
    inner_artifacts,
    outermost,
    read_manifest,
    search,
)
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.io.files import sha256


@pytest.fixture
def artifact(tmp_path):
    folder = tmp_path / "artifact"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"model")
    Manifest(
        style="ink",
        model="model.onnx",
        files={"model.onnx": sha256(folder / "model.onnx")},
        checkpoint=Checkpoint("style:ink", "0" * 64, "sttk"),
        contract=Contract(size_multiple=8),
        target=Target("onnx", "fp16", Shapes.fixed(256, 512), {"opset": 18}),
        promise="exact",
        promise_in_half="faithful",
        rewrites=("dead-bias",),
        plan={"default": "fp16"},
        tools={"onnx": "1"},
    ).write(folder)
    return folder


def edit(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_comes_back_as_it_was_written(artifact):
    manifest = read_manifest(artifact)
    assert manifest.target == Target("onnx", "fp16", Shapes.fixed(256, 512), {"opset": 18})
    assert manifest.contract.size_multiple == 8
    before = (artifact / "manifest.json").read_bytes()
    manifest.write(artifact)
    assert (artifact / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("schema", [SCHEMA - 1, SCHEMA + 1])
def test_another_schema_is_refused(artifact, schema):
    edit(artifact, schema=schema)
    with pytest.raises(ArtifactError, match="written by another sttk"):
        read_manifest(artifact)


def test_changed_and_missing_files_are_refused(artifact):
    (artifact / "model.onnx").write_bytes(b"other")
    with pytest.raises(ArtifactError, match="not those that were exported"):
        read_manifest(artifact)
    (artifact / "model.onnx").unlink()
    with pytest.raises(ArtifactError, match="missing"):
        read_manifest(artifact)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "sub/../../secret", "link"])
def test_files_outside_the_folder_are_refused(artifact, name):
    (artifact.parent / "secret").write_text("secret")
    (artifact / "link").symlink_to(artifact.parent / "secret")
    files = {"model.onnx": sha256(artifact / "model.onnx"), name: "0"}
    edit(artifact, files=files)
    with pytest.raises(ArtifactError, match="outside its folder"):
        read_manifest(artifact)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"schema": 2}', '{"schema": 1, "style": 3}', "\x00", "[" * 100_000],
)
def test_what_is_no_manifest(artifact, text):
    (artifact / "manifest.json").write_text(text)
    with pytest.raises(ArtifactError, match="not a manifest"):
        read_manifest(artifact)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": 3},
        {"model": []},
        {"files": []},
        {"files": {"model.onnx": 0}},
        {"files": {"a\0": "0", "model.onnx": "0"}},
        {"target": {}},
        {"target": {"name": "onnx", "precision": "int4", "shapes": Shapes.any().to_dict()}},
        {"contract": {"a": 1}},
        {"checkpoint": {"source": 3, "sha256": "", "layout": ""}},
        {"more": 1},
    ],
)
def test_fields_of_the_wrong_kind(artifact, changes):
    edit(artifact, **changes)
    with pytest.raises(ArtifactError):
        read_manifest(artifact)


def test_missing_manifest(tmp_path):
    with pytest.raises(ArtifactError, match="sttk export"):
        read_manifest(tmp_path)


def test_find_artifacts_passes_over_unfinished_exports(artifact):
    hidden = artifact.parent / ".artifact.xyz"
    hidden.mkdir()
    (hidden / "manifest.json").write_text("{}")
    assert find_artifacts(artifact.parent) == [artifact]
    assert find_artifacts(artifact) == [artifact]


def test_artifacts_within_artifacts_are_theirs(artifact):
    inner = shutil.copytree(artifact, artifact / "styles/other")
    beside = shutil.copytree(inner, artifact.with_name(artifact.name + "-2"))
    root = artifact.parent
    assert set(find_artifacts(root)) >= {artifact, inner, beside}
    assert {inner} == set(find_artifacts(root)) - {each.folder for each in outermost(search(root))}
    assert [each.folder for each in outermost(search(inner))] == [inner]
    assert inner_artifacts(artifact) == [inner]


def test_find_artifacts_passes_over_other_programs_manifests(artifact):
    other = artifact.parent / "other"
    other.mkdir()
    (other / "manifest.json").write_text('{"Variable": {"filename": "Variable", "shape": [1]}}')
    assert find_artifacts(artifact.parent) == [artifact]
    assert artifact_source(other) is None
    assert artifact_source(artifact) == "style:ink"
    (artifact / "manifest.json").write_text("{")
    assert find_artifacts(artifact.parent) == [artifact]  # to be told that it is broken


def test_what_a_killed_write_left_is_removed_by_the_next(artifact):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    dead = artifact / f".manifest.json.{process.pid}.abc"
    alive = artifact / f".manifest.json.{os.getpid()}.abc"
    for left in (dead, alive):
        left.write_text("{")
    read_manifest(artifact).write(artifact)
    assert alive.exists()
    assert not dead.exists()


@pytest.mark.parametrize("name", ["onnx-fp32-64x64", ".onnx-fp32-64x64.1.x"])
def test_a_folder_that_another_process_removes_meanwhile_is_passed_over(
    name, make, tmp_path, monkeypatch
):
    kept = shutil.copytree(make("onnx"), tmp_path / "tiny" / "onnx-fp32-any")
    gone = tmp_path / "tiny" / name
    gone.mkdir()
    scandir = os.scandir

    def removed_just_before(path="."):
        if Path(path) == gone and gone.exists():
            gone.rmdir()
        return scandir(path)

    monkeypatch.setattr(os, "scandir", removed_just_before)
    assert find_artifacts(tmp_path) == [kept]
