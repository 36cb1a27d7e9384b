"""The verdicts: what each rung takes, and what it does not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.core.rungs import DIFFERENT, EXACT, FAITHFUL
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.imaging.regimes import Regimes, Sample
from sttk.toolkit.parity import judge
from sttk.toolkit.parity.compare import Comparison, Report, Row
from sttk.toolkit.parity.metrics import regions
from sttk.toolkit.parity.reference import References
from sttk.toolkit.parity.show import explained, summary
from sttk.toolkit.parity.style import StyleDifference
from sttk.toolkit.targets import target
from tests.conftest import random_johnson


@pytest.fixture(scope="module")
def references(net):
    return References(net)


@pytest.fixture(scope="module")
def samples(photo):
    inputs = Regimes([photo], Shapes.fixed(64, 96))
    return {sample.regime: sample for sample in inputs}


def verdict(references, sample, change, promise="exact", style=None):
    answer = references.of(sample.batch)
    output = change(answer.exact.copy()).astype(np.float32)
    return Comparison(promise, style).verdict(sample, output, answer)


def add(rms):
    drawn = np.random.default_rng(1).standard_normal((1, 3, 64, 96))
    return lambda exact: exact + rms * drawn


def test_the_floors_order_the_rungs(references, samples):
    answer = references.of(samples["photo"].batch)
    assert answer.floor.whole.psnr > answer.noise.whole.psnr + 20
    for rms, rung in (
        (answer.floor.whole.rms, EXACT),
        (answer.noise.whole.rms / 4, FAITHFUL),
        (answer.noise.whole.rms * 4, DIFFERENT),
    ):
        assert verdict(references, samples["photo"], add(rms)).rung == rung


def test_floors_are_each_inputs_own(references, samples):
    floors = {name: references.of(s.batch).floor.whole.psnr for name, s in samples.items()}
    noises = {name: references.of(s.batch).noise.whole.psnr for name, s in samples.items()}
    assert floors["edges"] > floors["low-contrast"]
    assert noises["edges"] > noises["dark"]


def test_a_fault_along_the_border_is_not_averaged_away(references, samples):
    answer = references.of(samples["photo"].batch)
    error = answer.noise.whole.rms / 2

    def along_the_border(exact):
        exact[..., 0, :] += error * 9
        return exact

    found = regions(along_the_border(answer.exact.copy()), answer.exact)
    assert found.border.rms > found.whole.rms
    assert found.inside.rms == 0
    row = verdict(references, samples["photo"], along_the_border)
    assert not row.passed
    assert "the border is off" in explained(row)


def test_one_bad_pixel_fails(references, samples):
    def one_pixel(exact):
        exact[0, 1, 30, 30] += 40
        return exact

    assert verdict(references, samples["photo"], one_pixel, "exact").rung != EXACT


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("regime", ["photo", "constant"])
def test_nan_keeps_no_promise(references, samples, value, regime):
    def spoil(exact):
        exact[0, 0, 5, 5] = value
        return exact

    row = verdict(references, samples[regime], spoil, "same style")
    assert not row.passed
    assert "NaN" in row.note


def test_a_constant_picture_shows_nan_and_no_more(references, samples):
    row = verdict(references, samples["constant"], lambda exact: exact * 0)
    assert (row.rung, row.passed, row.judged) == (judge.FINITE, True, False)


def test_an_ill_conditioned_input_is_not_judged_and_counted(samples):
    net = random_johnson()
    with torch.no_grad():
        # A hundred thousand times too loud for its bias: float32 has lost the picture.
        net.conv1.conv.weight.mul_(1e-7)
        net.conv1.conv.bias.fill_(1e4)
    references = References(StyleNet(net, Contract(), None))
    row = verdict(references, samples["photo"], add(30.0))
    assert (row.rung, row.passed, row.judged) == (judge.ILL_CONDITIONED, True, False)
    assert not Report("m", "r", "ref", "exact", (row,)).passed


class Fixed:
    """Finds the same style difference whatever it is shown."""

    def __init__(self, found):
        self.found = found

    def compare(self, *_):
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.mark.parametrize(
    ("content", "style", "rung"),
    [
        (0.04, 0.04, "same style"),
        (-0.04, 0.0, "same style"),
        (0.06, 0.0, "different"),
        (-0.06, 0.0, "different"),
        (0.0, 0.06, "different"),
        (float("nan"), 0.0, "different"),
    ],
)
def test_another_picture_may_be_of_the_same_style(references, samples, content, style, rung):
    found = Fixed(StyleDifference(content, style, 0.5))
    row = verdict(references, samples["photo"], add(60.0), "same style", found)
    assert (row.rung, row.passed) == (rung, rung == "same style")
    assert "SSIM 0.50" in explained(row)


def test_without_vgg_the_style_is_not_run(references, samples):
    missing = Fixed(NotRunError("no VGG weights", fix="pass --vgg PATH"))
    row = verdict(references, samples["photo"], add(60.0), "same style", missing)
    assert (row.rung, row.passed, row.judged) == (judge.NOT_RUN, True, False)
    assert "no VGG weights" in row.note
    held_to_more = verdict(references, samples["photo"], add(60.0), "faithful", missing)
    assert (held_to_more.rung, held_to_more.passed) == (DIFFERENT, False)


@pytest.mark.parametrize(
    ("precision", "compressed", "promise"),
    [
        ("fp32", False, "exact"),
        ("fp16", False, "faithful"),
        ("int8", False, "same style"),
        ("fp8", False, "faithful"),
        ("fp16", True, "same style"),
    ],
)
def test_what_an_artifact_promises(precision, compressed, promise):
    assert target("coreml").promise(precision, compressed=compressed) == promise


def test_between_its_quantisers_int8_is_computed_as_the_target_does():
    assert target("coreml").arithmetic("int8") == "fp16"
    assert target("openvino").arithmetic("int8") == "int8"
    assert target("coreml").arithmetic("fp32") == "fp32"


def test_int8_kernels_promise_more_than_int8_in_float16():
    assert target("openvino").promise("int8") == "faithful"


def test_the_summary_counts_every_verdict(references, samples):
    row = verdict(references, samples["photo"], add(0.0))
    bad = dataclasses.replace(row, rung=DIFFERENT, passed=False)
    ill = Row("ramp", "ramp", judge.ILL_CONDITIONED, True)
    report = Report("m", "r", "ref", "exact", (row, ill))
    assert summary(report) == "pass: exact promised; 1 exact, 1 ill-conditioned"
    failed = dataclasses.replace(report, rows=(row, ill, bad))
    assert summary(failed) == "FAIL: exact promised; 1 exact, 1 different, 1 ill-conditioned"
    assert failed.worst is bad
    assert not failed.passed


def test_answers_are_computed_once(net, photo):
    references = References(net)
    sample = next(iter(Regimes([photo], Shapes.fixed(32, 32))))
    assert references.of(sample.batch) is references.of(sample.batch.copy())
    assert references.of(sample.batch) is not references.of(sample.batch + 1)
    assert isinstance(sample, Sample)
