from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.io import outputs
from sttk.toolkit.io.outputs import check_folder, check_outputs, write_output


def test_a_file_is_written_where_there_was_no_folder(tmp_path):
    path = tmp_path / "a" / "b.txt"
    check_outputs([path])
    assert list(tmp_path.rglob("*")) == [tmp_path / "a"]
    write_output(path, "é\n")
    assert path.read_bytes() == b"\xc3\xa9\n"
    write_output(path, "again")
    assert path.read_text() == "again"
    assert [file.name for file in path.parent.iterdir()] == ["b.txt"]


def test_what_a_file_holds_can_be_kept(tmp_path):
    write_output(tmp_path / "x", "one ", append=True)
    write_output(tmp_path / "x", "two", append=True)
    assert (tmp_path / "x").read_text() == "one two"


def test_what_unicode_has_not_is_no_error(tmp_path):
    write_output(tmp_path / "x", "a\ud800b")
    assert (tmp_path / "x").read_text() == "a?b"


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    write_output(tmp_path / "x", "old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_output(tmp_path / "x", "new")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


def test_what_cannot_be_written_is_found_before(tmp_path):
    (tmp_path / "file").write_text("")
    for path, why in (
        (tmp_path, "is a folder"),
        (tmp_path / "file" / "x", "cannot be written"),
        (Path("/proc/x/report.xml"), "cannot be written"),
    ):
        with pytest.raises(UsageError, match=why):
            check_outputs([path])
    with pytest.raises(UsageError, match="cannot be written"):
        check_folder(tmp_path / "file")
    with pytest.raises(UsageError, match="two results"):
        check_outputs([tmp_path / "x", tmp_path / "x"])


def test_a_pipe_is_written_into(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    check_outputs([pipe])  # nobody reads yet: it must not wait
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_output(pipe, "hello")
    reader.join()
    assert got == [b"hello"]
    assert pipe.is_fifo()


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_is_written_into(tmp_path, name):
    program = (
        "import sys; from pathlib import Path; from sttk.toolkit.io.outputs import *;"
        "print('first', flush=True); path = Path(sys.argv[1]); check_outputs([path]);"
        "write_output(path, 'second')"
    )
    command = [sys.executable, "-c", program, name]
    for target in (subprocess.PIPE, (tmp_path / "out").open("w+b")):
        done = subprocess.run(command, stdout=target, check=True)
        found = done.stdout if target is subprocess.PIPE else (tmp_path / "out").read_bytes()
        assert found == b"first\nsecond"
    target.close()
    assert Path("/dev/stdout").is_symlink()


def test_a_special_file_without_rights(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(outputs.os, "access", lambda *_: False)
    with pytest.raises(UsageError, match="cannot be written"):
        check_outputs([tmp_path / "pipe"])
