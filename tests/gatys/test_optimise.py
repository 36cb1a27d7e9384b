"""Pictures optimised on an objective."""

from itertools import pairwise

import pytest
import torch

from sttk.toolkit.core.errors import TrainingError, UsageError
from sttk.toolkit.gatys.optimise import optimise, white_noise
from sttk.toolkit.losses.perceptual import Losses


class Bowl:
    """An objective with its least value, 0, at ``middle``."""

    def __init__(self, middle):
        self.middle = middle
        self.calls = 0

    def __call__(self, picture, content):
        self.calls += 1
        return Losses({"style": (picture - self.middle).square().sum()})


class Spoilt(Bowl):
    def __call__(self, picture, content):
        losses = super().__call__(picture, content)
        return losses if self.calls < 3 else Losses({"style": losses.total * torch.nan})


@pytest.fixture
def start():
    return white_noise(torch.empty(1, 3, 8, 8), seed=1)


@pytest.mark.parametrize(("optimizer", "iterations"), [("lbfgs", 5), ("adam", 200)])
def test_the_objective_falls(start, optimizer, iterations):
    bowl = Bowl(100.0)
    steps = list(optimise(bowl, None, start, iterations=iterations, optimizer=optimizer))
    assert [step.iteration for step in steps] == list(range(iterations + 1))
    assert steps[-1].losses["total"] < 1e-2 * steps[0].losses["total"]
    assert steps[-1].evaluations == bowl.calls


class Cliff(Bowl):
    """A valley whose curvature misleads: beside it the objective rises a thousandfold."""

    def __call__(self, picture, content):
        self.calls += 1
        apart = (picture - self.middle).abs()
        return Losses({"style": torch.where(apart > 90, 1e3 * apart.square(), apart).sum()})


def test_a_step_that_raises_the_objective_much_is_taken_back(start):
    steps = list(optimise(Cliff(100.0), None, start, iterations=60))
    totals = [step.losses["total"] for step in steps]
    lowest = totals[0]
    for total in totals:
        assert total <= 1.5 * lowest
        lowest = min(lowest, total)
    assert totals[-1] < 0.5 * totals[0]
    assert any(one.picture is other.picture for one, other in pairwise(steps))


def test_losses_are_those_of_the_picture_beside_them(start):
    bowl = Bowl(100.0)
    for step in optimise(bowl, None, start, iterations=4):
        assert step.losses["total"] == pytest.approx(float(bowl(step.picture, None).total))


def test_the_start_is_not_changed(start):
    before = start.clone()
    list(optimise(Bowl(100.0), None, start, iterations=2))
    assert torch.equal(start, before)


def test_an_objective_that_is_not_finite_stops_and_leaves_what_was_good(start):
    kept = []
    with pytest.raises(TrainingError, match="nan"):
        kept.extend(optimise(Spoilt(0.0), None, start, iterations=9, optimizer="adam"))
    assert [step.iteration for step in kept] == [0, 1]
    assert all(step.picture.isfinite().all() for step in kept)


def test_an_unknown_optimizer_is_refused(start):
    with pytest.raises(UsageError, match="sgd"):
        next(optimise(Bowl(0.0), None, start, iterations=1, optimizer="sgd"))


def test_noise_is_the_same_for_a_seed_alone():
    like = torch.empty(1, 3, 16, 16)
    assert torch.equal(white_noise(like, 1), white_noise(like, 1))
    assert not torch.equal(white_noise(like, 1), white_noise(like, 2))
