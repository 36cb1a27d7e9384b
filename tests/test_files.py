"""Files that are the old ones or the new ones, and what killed processes leave beside them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sttk.toolkit.io import files
from sttk.toolkit.io.files import write_atomic, write_together


@pytest.fixture
def dead():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["net.png", "a[1].png", "what**.png", "x"])
def test_what_a_killed_process_left_goes_with_the_next_write(name, dead, tmp_path):
    left = tmp_path / f".{name}.{dead}.abc"
    left.write_text("half")
    write_atomic(tmp_path / name, b"whole")
    assert names(tmp_path) == [name]


def test_what_is_not_left_over_stays(dead, tmp_path):
    kept = [f".x.{os.getpid()}.abc", f".y.{dead}.abc", f".x.{dead}", ".x.none.abc", f".x.1.{dead}"]
    for name in kept:
        (tmp_path / name).write_text("")
    (tmp_path / f".x.{dead}.folder").mkdir()
    (tmp_path / f".x.{dead}.link").symlink_to(tmp_path)
    before = names(tmp_path)
    write_atomic(tmp_path / "x", b"whole")
    assert names(tmp_path) == sorted([*before, "x"])


@pytest.mark.parametrize("call", ["fsync", "mkstemp"])
def test_files_that_belong_together_all_stay_when_one_cannot_be_written(
    call, tmp_path, monkeypatch
):
    old = {tmp_path / name: b"old" for name in "abc"}
    write_together(old)
    module = {"fsync": files.os, "mkstemp": files.tempfile}[call]
    real, calls = getattr(module, call), []

    def full_the_third_time(*args, **options):
        calls.append(call)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return real(*args, **options)

    monkeypatch.setattr(module, call, full_the_third_time)
    with pytest.raises(OSError, match="No space") as caught:
        write_together(dict.fromkeys(old, b"new"))
    assert caught.value.filename == str(tmp_path / "c")
    assert names(tmp_path) == ["a", "b", "c"]
    assert {path.read_bytes() for path in old} == {b"old"}
