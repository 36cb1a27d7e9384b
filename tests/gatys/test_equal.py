"""A picture's loss in iterations of an optimisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch

from sttk.toolkit.gatys.equal import equal_iterations, losses_of
from sttk.toolkit.losses.objective import Objective
from sttk.toolkit.losses.perceptual import PerceptualLoss
from sttk.toolkit.nets.vgg import Vgg


@dataclass
class Taken:
    iteration: int
    losses: dict[str, float]


def falling(taken: list[int]) -> Iterator[Taken]:
    """100, 90, 80, ... from the start itself on; notes what was asked for."""
    for number in range(11):
        taken.append(number)
        yield Taken(number, {"total": 100.0 - 10 * number})


def test_the_first_iteration_that_is_as_good_ends_it() -> None:
    taken: list[int] = []
    found = equal_iterations(70, falling(taken))
    assert found.iterations == 3
    assert found.curve == {1: 90, 2: 80, 3: 70}
    assert taken == [0, 1, 2, 3]


def test_it_goes_on_for_as_long_as_is_asked() -> None:
    found = equal_iterations(85, falling([]), least=5)
    assert (found.iterations, max(found.curve)) == (2, 5)


def test_what_is_not_reached_is_none() -> None:
    found = equal_iterations(-1, falling([]))
    assert (found.iterations, max(found.curve)) == (None, 10)


def test_the_start_itself_is_no_iteration() -> None:
    assert equal_iterations(100, falling([])).iterations == 1


def test_losses_are_those_of_the_objective() -> None:
    torch.manual_seed(0)
    objective = Objective("relu1_2", ("relu1_1",), color_weight=0.0, border=2)
    painting, photo, picture = (255 * torch.rand(1, 3, 24, 32) for _ in range(3))
    loss = PerceptualLoss(Vgg("vgg16", objective.layers), painting, objective)
    losses = losses_of(loss, photo, picture)
    assert set(losses) == {"content", "style", "tv", "total"}  # no "peak": it is not of a picture
    assert losses["total"] == pytest.approx(sum(losses.values()) / 2)
    assert losses_of(loss, photo, photo)["content"] == 0
    assert losses["content"] > 0
