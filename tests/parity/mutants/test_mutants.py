"""Mutants are what they say; a gate that lets one through is told so."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.nets.johnson import JohnsonSpec
from sttk.toolkit.parity.mutants import MUTANTS, effect
from sttk.toolkit.parity.mutants.calls import replaced
from tests.conftest import random_johnson

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}
CANCELLED = "a mean taken off the picture"


@pytest.fixture(scope="module")
def picture():
    drawn = np.random.default_rng(5).integers(0, 256, (1, 3, 48, 64))
    return drawn.astype(np.float32)


def test_there_are_enough_and_each_has_a_name():
    assert len(BY_NAME) == len(MUTANTS) >= 20


@pytest.mark.parametrize("name", BY_NAME)
def test_each_is_another_function(net, picture, name):
    found = effect(BY_NAME[name], net, [picture])
    assert found < 1e-6 if name == CANCELLED else found > 1e-3


def test_what_a_norm_cancels_is_a_fault_where_nothing_does(picture):
    spec = JohnsonSpec(widths=(4, 6, 8), blocks=2, norm="batch", output="tanh")
    net = StyleNet(random_johnson(spec), Contract(), None)
    assert effect(BY_NAME[CANCELLED], net, [picture]) > 1e-3


def test_the_net_itself_is_left_alone(net, picture):
    image = torch.from_numpy(picture)
    before = net(image)
    for mutant in MUTANTS:
        mutant.of(net)(image)
    assert torch.equal(net(image), before)


def test_a_fault_is_put_into_the_call_that_is_named():
    def twice(x):
        return F.relu(F.relu(x - 1) - 1)

    x = torch.tensor([-3.0, 0.5, 3.0])
    around = replaced({F.relu}, lambda call: call.args[0], at=1)
    assert around(twice, x).tolist() == [-1.0, -1.0, 1.0]
    around = replaced({F.relu}, lambda call: call.args[0])
    assert around(twice, x).tolist() == [-5.0, -1.5, 1.0]
    never = replaced({F.relu}, lambda call: call.args[0], applies=lambda _: False)
    assert torch.equal(never(twice, x), twice(x))
