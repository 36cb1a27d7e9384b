"""Parity says what a model's error looks like, where it is its convention."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.imaging.regimes import photographs, shipped_photos
from sttk.toolkit.nets.johnson import JohnsonSpec
from sttk.toolkit.parity.diagnosis import diagnosis
from sttk.toolkit.parity.mutants import io_convention
from sttk.toolkit.parity.mutants.mutant import Mutant
from sttk.toolkit.parity.reference import References
from sttk.toolkit.runtimes.torch import TorchRunner
from tests.conftest import random_johnson
from tests.conventions.author import retold


@pytest.fixture(scope="module")
def plain():
    net = random_johnson(JohnsonSpec(widths=(4, 6, 8), blocks=2))
    with torch.no_grad():
        net.last.weight.mul_(25)
        net.last.bias.fill_(125)
    return net.eval()


@pytest.fixture(scope="module")
def photo():
    return next(iter(photographs(shipped_photos()[:1], (64, 64))))


class Raw(StyleNet):
    """A net whose output is not clamped, as most exports are."""

    def forward(self, x):
        return self.net(x)


def found(net, plain, photo):
    reference = References(StyleNet(plain, Contract(), None))
    return diagnosis(TorchRunner(net), photo, reference.of(photo), (0.0, 255.0))


LOOKS = {
    ("0..1", "0..1"): "0..1 against 0..255",
    ("-1..1", "-1..1"): "-1..1 against 0..255",
    ("imagenet", "imagenet"): "values of ImageNet against 0..255",
    ("0..255", "0..1"): "0..1 against 0..255 at its output",
    ("caffe", "caffe"): "BGR for RGB",
}


@pytest.mark.parametrize("ends", LOOKS)
def test_a_model_of_another_convention(ends, plain, photo):
    said = found(Raw(retold(plain, *ends), Contract(), None), plain, photo)
    assert LOOKS[ends] in said
    if ends[0] == "caffe":
        assert "a mean not put back" in said


@pytest.mark.parametrize(
    ("wrap", "looks"),
    [
        (io_convention._mean_missing, "a mean not put back"),
        (io_convention._bgr_output, "BGR for RGB at its output"),
        (io_convention._bgr_input, "BGR for RGB at its input"),
        (lambda run, x: io_convention._bgr(run(io_convention._bgr(x))), "BGR for RGB ("),
    ],
)
def test_a_fault(wrap, looks, plain, photo):
    faulty = Mutant("m", wrap=wrap).of(Raw(plain, Contract(), None))
    assert looks in found(faulty, plain, photo)


def test_nothing_is_said_of_another_net_or_of_the_right_one(plain, photo):
    other = random_johnson(JohnsonSpec(widths=(4, 6, 8), blocks=2), seed=5)
    assert found(Raw(other, Contract(), None), plain, photo) == ""
    assert found(Raw(plain, Contract(), None), plain, photo) == ""
    assert np.isfinite(photo).all()
