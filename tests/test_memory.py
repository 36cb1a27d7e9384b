from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import ImageError, UsageError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.host import memory
from sttk.toolkit.runtimes.stylize import Advice, Preparing
from tests.video.clips import write


@pytest.fixture
def machine(monkeypatch):
    """A machine with memory for 1024 pixels; what is there can be changed."""
    found = SimpleNamespace(total=9 << 20, available=1400 << 10)
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: found)
    return found


def test_what_fits_and_what_does_not(machine):
    memory.check_fits(32, 32)
    with pytest.raises(ImageError, match="33x32 pixels take about"):
        memory.check_fits(33, 32)


def test_systems_that_do_not_tell(monkeypatch):
    def fails():
        raise FileNotFoundError("/proc/meminfo")

    monkeypatch.setattr(memory.psutil, "virtual_memory", fails)
    assert memory.available() is memory.total() is None
    memory.check_fits(10**6, 10**6)


def test_this_machine():
    assert 1e8 < memory.available() < memory.total()


@pytest.mark.parametrize(
    ("status", "peak"), [("VmPeak:\t 9 kB\nVmHWM:\t 7 kB\n", 7 << 10), ("Name:\tx\n", None)]
)
def test_what_was_taken_at_most(status, peak, tmp_path, monkeypatch):
    (tmp_path / "status").write_text(status)
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "status")
    assert memory.peak() == peak


def test_what_was_taken_at_most_where_psutil_knows(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "none")
    assert memory.peak() is None or sys.platform == "win32"
    process = SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=5, peak_wset=6))
    monkeypatch.setattr(memory.psutil, "Process", lambda: process)
    assert memory.peak() == 6


def test_frames_are_asked_for_once_per_size(machine):
    """What has run holds its memory, which is then not available: no refusal in the middle."""
    runner = SimpleNamespace(takes=Shapes.any())
    prepare = Preparing(runner, Contract(), Advice("do this", "do that"))
    assert prepare(np.zeros((32, 32, 3), np.uint8)).shape == (1, 3, 32, 32)
    machine.available = 1000 << 10
    prepare(np.ones((32, 32, 3), np.uint8))
    with pytest.raises(ImageError, match="do this"):
        prepare(np.zeros((32, 28, 3), np.uint8))
    runner.takes = Shapes.fixed(32, 32)
    with pytest.raises(UsageError, match="do that"):
        prepare(np.zeros((36, 32, 3), np.uint8))


def test_a_video_that_does_not_fit_is_told_no_options_of_others(
    machine, sttk, checkpoint, tmp_path
):
    clip = write(tmp_path / "clip.mkv", 2, sound=None)
    arguments = ("--checkpoint", checkpoint, "--runtime", "torch")
    for command in ("video", clip, "-o", tmp_path / "out.mp4"), ("camera", "--source", clip):
        port = ("--port", 0) if command[0] == "camera" else ()
        result = sttk(*command, *arguments, *port)
        assert result.exit_code == 2
        assert "48x64 pixels take about" in result.stderr
        assert "--max-size" not in result.stderr
        assert "--tile" not in result.stderr


def test_a_picture_that_does_not_fit_is_refused_before_the_net_runs(machine, sttk, photo, tmp_path):
    result = sttk("stylize", photo, "-o", tmp_path / "out.png")
    assert result.exit_code == 2
    assert "--max-size" in result.stderr
    assert not (tmp_path / "out.png").exists()
