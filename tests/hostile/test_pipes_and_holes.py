"""Found by the fuzzer: pipes and devices, which may never end, and files of a terabyte."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sttk.toolkit.artifact.search import find_artifacts, parse_manifest, read_entry, read_manifest
from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.errors import ArtifactError, CheckpointError, ImageError
from sttk.toolkit.imaging import images
from sttk.toolkit.io.files import MOST_BYTES, read_bounded
from sttk.toolkit.opened.verify import verify
from sttk.toolkit.targets.onnx.describe import describe
from sttk.toolkit.targets.openvino.runner import OpenVinoRunner
from sttk.toolkit.targets.trt.engine import describe as describe_engine
from tests.hostile.refusal import refused


def test_pipes_are_not_read(tmp_path, artifact, sttk, photo):
    for name in ("x.pth", "x.safetensors", "x.onnx", "x.engine", "x.png"):
        os.mkfifo(tmp_path / name)
        if name != "x.png":
            result = sttk("inspect", tmp_path / name)
            assert result.exit_code == 2, name
    refused(ImageError, images.read_image, tmp_path / "x.png", saying="not a file")
    refused(CheckpointError, load, tmp_path / "x.pth", saying="neither a file nor a folder")
    refused(ArtifactError, describe, tmp_path / "x.onnx", saying="no regular file")
    refused(ArtifactError, describe_engine, tmp_path / "x.engine", saying="no regular file")


def test_pipes_in_artifacts_are_not_read(artifact):
    folder = artifact()
    (folder / "m.onnx").unlink()
    os.mkfifo(folder / "m.onnx")
    refused(ArtifactError, read_manifest, folder, saying="no regular file")
    (folder / "manifest.json").unlink()
    os.mkfifo(folder / "manifest.json")
    assert find_artifacts(folder) == [folder]
    refused(ArtifactError, parse_manifest, folder, saying="no regular file")


@pytest.mark.parametrize("kind", ["pipe", "circle", "folder"])
def test_weights_that_are_no_file(kind, tmp_path):
    (tmp_path / "m.xml").write_text('<?xml version="1.0"?><net name="x" version="11"></net>')
    weights = tmp_path / "m.bin"
    if kind == "pipe":
        os.mkfifo(weights)
    elif kind == "circle":
        weights.symlink_to(weights.name)  # OpenVINO aborts on it
    else:
        weights.mkdir()
    refused(ArtifactError, OpenVinoRunner, tmp_path / "m.xml", saying="not an IR")


@pytest.mark.parametrize("source", ["/dev/zero", "/", "/proc"])
def test_a_checkpoint_is_a_file_or_a_folder_of_tensors(source, artifact):
    if not Path(source).exists():
        pytest.skip(f"no {source} here")
    folder = artifact(checkpoint={"source": source, "sha256": "0" * 64, "layout": "sttk"})
    (finding,) = (f for f in verify(read_entry(folder)).findings if f.question == "checkpoint")
    assert (finding.passed, finding.detail) == (None, f"{source} not checked: no checkpoint")


def hollow(path):
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
    return path


def test_files_that_are_too_large_are_not_read(tmp_path, artifact):
    refused(
        CheckpointError, load, hollow(tmp_path / "x.safetensors"), saying=f"more than {MOST_BYTES}"
    )
    folder = artifact()
    hollow(folder / "m.onnx")
    refused(ArtifactError, read_manifest, folder, saying=f"more than {MOST_BYTES}")
    hollow(folder / "manifest.json")
    refused(ArtifactError, parse_manifest, folder, saying="bytes are more than")
    folder = artifact(checkpoint={"source": str(hollow(tmp_path / "c.pth")), "sha256": "0" * 64,
                                  "layout": "sttk"})  # fmt: skip
    assert any("more than" in finding.detail for finding in verify(read_entry(folder)).findings)


def test_reading_within_bounds(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert read_bounded(tmp_path / "x", 3) == b"abc"
    refused(ValueError, read_bounded, tmp_path / "x", 2, saying="3 bytes are more than 2")
    refused(ValueError, read_bounded, tmp_path, 1 << 20, saying="no regular file")
    refused(OSError, read_bounded, tmp_path / "none", 2)
