from __future__ import annotations

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
def meminfo(tmp_path, monkeypatch):
    path = tmp_path / "meminfo"
    path.write_text("MemTotal: 9000 kB\nMemAvailable: 1400 kB\n")  # 1024 pixels' worth
    monkeypatch.setattr(memory, "_MEMINFO", path)
    return path


def test_what_fits_and_what_does_not(meminfo):
    memory.check_fits(32, 32)
    with pytest.raises(ImageError, match="33x32 pixels take about"):
        memory.check_fits(33, 32)


def test_systems_that_do_not_tell(meminfo):
    meminfo.write_text("MemTotal: 9000 kB\n")
    memory.check_fits(10**6, 10**6)
    meminfo.unlink()
    memory.check_fits(10**6, 10**6)


def test_frames_are_asked_for_once_per_size(meminfo):
    """What has run holds its memory, which is then not available: no refusal in the middle."""
    runner = SimpleNamespace(takes=Shapes.any())
    prepare = Preparing(runner, Contract(), Advice("do this", "do that"))
    assert prepare(np.zeros((32, 32, 3), np.uint8)).shape == (1, 3, 32, 32)
    meminfo.write_text("MemAvailable: 1000 kB\n")
    prepare(np.ones((32, 32, 3), np.uint8))
    with pytest.raises(ImageError, match="do this"):
        prepare(np.zeros((32, 28, 3), np.uint8))
    runner.takes = Shapes.fixed(32, 32)
    with pytest.raises(UsageError, match="do that"):
        prepare(np.zeros((36, 32, 3), np.uint8))


def test_a_video_that_does_not_fit_is_told_no_options_of_others(
    meminfo, sttk, checkpoint, tmp_path
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


def test_a_picture_that_does_not_fit_is_refused_before_the_net_runs(meminfo, sttk, photo, tmp_path):
    result = sttk("stylize", photo, "-o", tmp_path / "out.png")
    assert result.exit_code == 2
    assert "--max-size" in result.stderr
    assert not (tmp_path / "out.png").exists()
