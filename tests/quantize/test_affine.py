from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttk.toolkit.quantize.affine import HIGHEST, LOWEST, Affine, fit


def rounded(affine, values):
    q = np.clip(np.rint(values / affine.scale) + affine.zero_point, LOWEST, HIGHEST)
    return affine.scale * (q - affine.zero_point)


def test_values_that_are_never_negative_get_all_the_levels():
    values = np.linspace(0, 5, 10_000, dtype=np.float32)
    affine = fit(values)
    assert affine.zero_point == LOWEST
    assert affine.scale == pytest.approx(5 / 255, rel=0.02)
    assert np.abs(rounded(affine, values) - values).max() <= 0.06


def test_signed_values_get_a_symmetric_range():
    values = np.linspace(-3, 1, 10_000, dtype=np.float32)
    assert fit(values).zero_point == 0
    assert fit(values).scale == pytest.approx(3 / 127, rel=0.02)


def test_a_rare_large_value_does_not_make_all_others_coarse():
    values = np.abs(np.random.default_rng(0).normal(size=1_000_000)).astype(np.float32)
    values[0] = 20.0
    affine = fit(values)
    whole = Affine(float(values.max()) / 255, LOWEST)
    errors = [np.mean((rounded(a, values) - values) ** 2) for a in (affine, whole)]
    assert errors[0] < 0.7 * errors[1]
    assert affine.scale < 0.7 * whole.scale


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=50))
def test_any_values_give_a_scale_that_float32_has(values):
    affine = fit(np.array(values, np.float32))
    assert affine.scale > 0
    assert np.float32(affine.scale) == affine.scale


@pytest.mark.parametrize(
    ("scale", "zero"), [(0.0, 0), (-1.0, 0), (float("nan"), 0), (1.0, 128), (1.0, 0.5)]
)
def test_what_a_file_may_not_say(scale, zero):
    with pytest.raises(ValueError, match=r"a scale of|a zero point of"):
        Affine(scale, zero)


def test_256_levels_that_fit_lose_nothing():
    values = np.arange(256, dtype=np.float32) / 2
    assert fit(values) == Affine(0.5, LOWEST)
