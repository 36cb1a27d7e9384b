"""A full disk, a folder without rights, no memory: one line, nothing half-written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from sttk import cli
from sttk.exporters.onnx import export as onnx
from sttk.toolkit.artifact.search import find_artifacts, read_entry
from sttk.toolkit.imaging.images import read_image
from sttk.toolkit.imaging.regimes import shipped_photos
from sttk.toolkit.io import files
from sttk.toolkit.io.files import write_atomic
from sttk.toolkit.opened.verify import verify


@pytest.fixture
def traced(make, monkeypatch):
    """The tiny net's graph, made once."""
    model = (make("onnx", size=(64, 64)) / onnx.MODEL).read_bytes()
    monkeypatch.setattr(onnx, "_built", lambda _: model)


@pytest.fixture
def full(monkeypatch):
    """``full(n)``: from the nth file on that write_atomic writes, the disk is full."""

    def fill(left):
        fsync = os.fsync

        def no_space(handle):
            nonlocal left
            left -= 1
            if left <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            fsync(handle)

        monkeypatch.setattr(files.os, "fsync", no_space)

    return fill


def tree(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def failed(result, code, said):
    assert result.exit_code == code, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line


@pytest.mark.parametrize("there", [False, True])
def test_export_on_a_full_disk(there, sttk, checkpoint, tmp_path, traced, full):
    command = ("export", checkpoint, "--size", "64", "-o", tmp_path)
    if there:
        assert sttk(*command).exit_code == 0
    before = tree(tmp_path)
    full(1)
    failed(sttk(*command), 1, "No space left on device")
    assert tree(tmp_path) == before
    assert len(list((tmp_path / "tiny").iterdir())) == there


def limited(limit, *arguments):
    """A command in a process of its own, after ``limit``, Python text, was run in it."""
    program = "import resource, sys\nimport openvino, onnx, torch"
    program += "\nimport sttk.toolkit.runtimes.stylize, sttk.exporters.onnx.export"
    program += f"\n{limit}\nfrom sttk.cli import main\nmain()"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, **one}
    )


def said(done, code, *parts):
    assert done.returncode == code, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert any(part in line for part in parts), line


# As traced() does, in another process.
GRAPH = "sttk.exporters.onnx.export._built = lambda _: open({!r}, 'rb').read()\n"
SMALL_FILES = "resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))"


@pytest.mark.parametrize("target", ["onnx", "openvino"])
def test_export_when_the_model_does_not_fit(target, make, checkpoint, tmp_path):
    graph = GRAPH.format(str(make("onnx", size=(64, 64)) / onnx.MODEL))
    command = ("export", checkpoint, "--size", 64, "--target", target, "-o", tmp_path)
    said(limited(graph + SMALL_FILES.format(5000), *command), 1, "File too large", "disk full?")
    assert list((tmp_path / "tiny").iterdir()) == []


def test_stylize_when_the_picture_does_not_fit(sttk, checkpoint, photo, tmp_path, full):
    picture = tmp_path / "picture.png"
    write_atomic(picture, b"old")
    full(1)
    result = sttk("stylize", photo, "-o", picture, "--checkpoint", checkpoint)
    failed(result, 1, f"No space left on device: {picture}")
    assert tree(tmp_path) == {picture: b"old"}


def test_train_when_the_second_state_does_not_fit(sttk, tmp_path, full):
    photo, run = shipped_photos()[0], tmp_path / "run"
    command = ["train", "--style", photo, "--content", photo.parent, "-o", run, "--size", 32]
    command += ["--style-size", 64, "--width", 0.05, "--batch", 1, "--steps", 22]
    command += ["--save-minutes", 0, "--precision", "fp32", "--device", "cpu"]
    full(3)  # after a state and a log
    result = sttk(*command)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        f"error: No space left on device: {run / 'state.pt'} [system]"
    )
    assert sorted(path.name for path in run.iterdir()) == ["log.csv", "state.pt"]
    assert torch.load(run / "state.pt", weights_only=True)["progress"][0] == 20


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc: read-only for root, too")
def test_folders_that_nobody_can_write_to(sttk, checkpoint, photo, traced):
    made = sttk("export", checkpoint, "--size", "64", "-o", "/proc/x")
    failed(made, 1, "/proc/x: cannot be written")
    drawn = sttk("stylize", photo, "-o", "/proc/x.png", "--checkpoint", checkpoint)
    failed(drawn, 2, "/proc/x.png: cannot be written")
    trained = sttk("train", "--style", photo, "--content", photo.parent, "-o", "/proc/x")
    failed(trained, 2, "/proc/x: cannot be written")


@pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0, reason="permissions do not bind root"
)
def test_a_folder_without_rights(sttk, checkpoint, tmp_path, traced):
    command = ("export", checkpoint, "--size", "64", "-o", tmp_path)
    assert sttk(*command).exit_code == 0
    before = tree(tmp_path)
    (tmp_path / "tiny").chmod(0o500)
    failed(sttk(*command), 1, "cannot be written")
    (tmp_path / "tiny").chmod(0o700)
    assert tree(tmp_path) == before
    assert all(verify(read_entry(folder)).passed for folder in find_artifacts(tmp_path))


LITTLE_MEMORY = """
size = 4096 * int(open('/proc/self/statm').read().split()[0]) + ({} << 20)
resource.setrlimit(resource.RLIMIT_AS, (size, size))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
@pytest.mark.parametrize("megabytes", [10, 100, 220])
def test_stylize_without_memory(megabytes, checkpoint, tmp_path):
    """For the decoded picture, of 13 MB; for it as float32; for the net's layers."""
    photo, picture = tmp_path / "photo.png", tmp_path / "out" / "picture.png"
    Image.new("RGB", (2400, 1800), (200, 30, 30)).save(photo)
    command = ("stylize", photo, "-o", picture, "--checkpoint", checkpoint)
    done = limited(LITTLE_MEMORY.format(megabytes), *command)
    said(done, 1, "error: out of memory", "can't allocate memory")
    assert list(tmp_path.iterdir()) == [photo]


def test_no_memory_is_no_fault_of_the_picture(photo, monkeypatch):
    def none(*_):
        raise MemoryError

    monkeypatch.setattr("sttk.toolkit.imaging.images._decode", none)
    with pytest.raises(MemoryError):
        read_image(photo)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1"), 1),
        (RuntimeError("std::bad_alloc"), 1),
        (ImportError("libtorch.so: failed to map segment from shared object"), 1),
        (RuntimeError("shapes differ"), 70),
    ],
)
def test_what_says_that_memory_is_out(error, code):
    failure = cli._failure(error)
    assert failure.exit_code == code
    assert (failure.message == "out of memory [memory]") == (code == 1)
