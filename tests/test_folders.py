from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sttk.toolkit.artifact import staging
from sttk.toolkit.artifact.staging import exchange, make_work, put_in_place, sweep, work_name


@pytest.fixture(params=["exchange", "rename"])
def way(request, monkeypatch):
    """As on Linux, and as where names cannot be exchanged."""
    if request.param == "rename":
        monkeypatch.setattr(staging, "exchange", lambda *_: False)
    return request.param


@pytest.fixture
def dead():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def fill(folder, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "file").write_text(text)
    return folder


def work_folder(final):
    work = work_name(final)
    make_work(work)
    return work


def content(folder):
    return {path.name: (path / "file").read_text() for path in folder.iterdir()}


def test_a_new_folder_and_one_in_place_of_another(way, tmp_path):
    for text in ("first", "second"):
        work = fill(work_folder(tmp_path / "a"), text)
        put_in_place(work, tmp_path / "a")
        assert content(tmp_path) == {"a": text}


@pytest.mark.skipif(sys.platform != "linux", reason="a system call of Linux")
def test_two_names_are_exchanged_in_one_step(tmp_path):
    one, other = fill(tmp_path / "one", "1"), fill(tmp_path / "other", "2")
    assert exchange(one, other)
    assert content(tmp_path) == {"one": "2", "other": "1"}
    assert not exchange(one, tmp_path / "none")
    assert content(tmp_path) == {"one": "2", "other": "1"}


def test_a_folder_that_cannot_be_put_in_place_leaves_what_was_there(way, tmp_path, monkeypatch):
    old = fill(tmp_path / "a", "old")
    work = fill(work_folder(old), "new")
    rename = type(work).rename
    calls = []

    def fails_the_second_time(path, target):
        calls.append(path)
        if len(calls) == 2:
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(staging, "exchange", lambda *_: False)
    monkeypatch.setattr(type(work), "rename", fails_the_second_time)
    with pytest.raises(OSError, match="Input/output"):
        put_in_place(work, old)
    assert content(tmp_path)["a"] == "old"


def test_another_process_may_be_faster(tmp_path, monkeypatch):
    """The name is taken away, and taken, between two steps."""
    final = fill(tmp_path / "a", "theirs")
    work = fill(work_folder(final), "ours")

    def takes_it_away(*_):
        final.rename(tmp_path / "elsewhere")
        monkeypatch.setattr(staging, "exchange", lambda *_: False)
        return False

    monkeypatch.setattr(staging, "exchange", takes_it_away)
    put_in_place(work, final)
    assert content(tmp_path) == {"a": "ours", "elsewhere": "theirs"}


def test_sweep_brings_back_an_old_folder_that_is_whole(dead, tmp_path):
    fill(tmp_path / f".a.{dead}.x1", "unfinished")
    fill(tmp_path / f".a.{dead}.x2.old", "whole")
    fill(tmp_path / f".b.{dead}.x3.old", "torn")
    fill(tmp_path / f".c.{dead}.x4.old", "whole")
    fill(tmp_path / "c", "new")
    sweep(tmp_path, lambda folder: (folder / "file").read_text() == "whole")
    assert content(tmp_path) == {"a": "whole", "c": "new"}


def test_sweep_leaves_alone_what_is_not_ours_or_still_in_use(dead, tmp_path):
    kept = [f".a.{os.getpid()}.x1", f".a.{os.getpid()}.x1.old", ".git", ".cache.d.x"]
    for name in kept:
        fill(tmp_path / name, "")
    (tmp_path / f".link.{dead}.x").symlink_to(tmp_path / ".git")
    (tmp_path / f".file.{dead}.x").write_text("")
    sweep(tmp_path, lambda _: True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*kept, f".link.{dead}.x", f".file.{dead}.x"]
    )
    sweep(tmp_path / "none", lambda _: True)
