"""Limits, and the machine's peaks that they come from."""

from __future__ import annotations

import pytest
import torch

from sttk.benchmarks import peaks
from sttk.benchmarks.peaks import Peaks
from sttk.benchmarks.roofline import limit, products
from sttk.toolkit.precision.cost import Layer, layers_of
from tests.benchmarks.conftest import PEAKS

BOUND_BY_PRODUCTS = Layer(weights=0, given=0, made=0, products=2_000_000)
BOUND_BY_BYTES = Layer(weights=100_000, given=200_000, made=200_000, products=1)


def test_a_layer_is_bound_by_products_or_by_bytes():
    assert limit([BOUND_BY_PRODUCTS], "fp32", PEAKS) == pytest.approx(2e6 / 1e11)
    assert limit([BOUND_BY_BYTES], "fp32", PEAKS) == pytest.approx(4 * 5e5 / 5e10)
    both = limit([BOUND_BY_PRODUCTS, BOUND_BY_BYTES], "int8", PEAKS)
    assert both == pytest.approx(2e6 / 4e11 + 5e5 / 5e10)


def test_weights_are_read_once_for_a_batch():
    assert limit([BOUND_BY_BYTES], "fp32", PEAKS, batch=3) == pytest.approx(4 * 1.3e6 / 5e10)


def test_without_a_peak_there_is_no_limit():
    assert limit([BOUND_BY_PRODUCTS], "fp16", PEAKS) is None
    assert limit([BOUND_BY_PRODUCTS], "cuda fp16", {**PEAKS, "cuda fp16": 1e14}) is None
    known = {"cuda fp16": 1e14, "cuda copy": 1e12}
    assert limit([BOUND_BY_PRODUCTS], "cuda fp16", known) == pytest.approx(2e-8)


def test_products_are_those_of_the_convolutions(net):
    """The tiny net's, counted by hand for its first and last: 9x9, 3 to 4 and 4 to 3 channels."""
    layers = layers_of(net, (32, 32))
    ends = [layer.products for name, layer in layers.items() if layer.products == 32 * 32 * 3 * 324]
    assert len(ends) == 2
    assert products(layers.values()) == sum(layer.products for layer in layers.values())


def test_peaks_are_measured(monkeypatch):
    monkeypatch.setattr(peaks, "_SECONDS", 0.01)
    monkeypatch.setattr(peaks, "_SIDE", 256)
    monkeypatch.setattr(peaks, "_COPIED", 1 << 20)
    before = torch.get_num_threads()
    found = Peaks(threads=1, device="cpu").measure()
    torch.set_num_threads(before)
    assert found["fp32"] > 1e8
    assert found["copy"] > 1e8
    assert set(found) <= {"fp32", "bf16", "int8", "copy"}


@pytest.mark.parametrize(
    ("rate", "side"), [(1e8, 256), (1e10, 1024), (1e11, 2048)], ids=["slow", "middling", "fast"]
)
def test_products_are_as_large_as_the_time_allows(monkeypatch, rate, side):
    """A machine of so many multiplications a second; a first run takes one second more."""
    now, ran = [0.0], []
    monkeypatch.setattr(peaks.time, "perf_counter", lambda: now[0])

    def product(wide):
        def run():
            now[0] += wide**3 / rate + (wide not in ran)
            ran.append(wide)

        return "fp32", float(wide) ** 3, run

    machine = Peaks(torch.get_num_threads(), "cpu")
    assert machine._fitted(product)[1] == float(side) ** 3
