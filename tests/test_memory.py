from __future__ import annotations

import pytest

from toolkit import memory
from toolkit.errors import ImageError


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


def test_a_picture_that_does_not_fit_is_refused_before_the_net_runs(meminfo, sttk, photo, tmp_path):
    result = sttk("stylize", photo, "-o", tmp_path / "out.png")
    assert result.exit_code == 2
    assert "--max-size" in result.stderr
    assert not (tmp_path / "out.png").exists()
