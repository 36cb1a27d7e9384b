"""From a request to rows: groups that fit, failures that stay one row's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sttk.benchmarks import report_text, schedule, size_run, stopwatch, suite
from sttk.benchmarks.budget import Cost
from sttk.benchmarks.cases import PreparedCase, SizeContext, layers
from sttk.benchmarks.clocks import IterationClock
from sttk.benchmarks.config import BenchConfig
from sttk.benchmarks.exports import Exports
from sttk.benchmarks.rows import GATYS, Case, Results
from sttk.benchmarks.schedule import Candidate, candidates
from sttk.benchmarks.specs import IterationSpec, ModelClockSpec
from sttk.benchmarks.subjects.fakes import SleeperSpec, StaleSpec
from sttk.benchmarks.suite import run
from sttk.benchmarks.variants import chosen
from sttk.toolkit import styles
from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.host.machine import Gpu
from sttk.toolkit.precision.cost import layers_of
from tests.benchmarks.conftest import PEAKS
from tests.benchmarks.specs import CallSpec

SIZE = (64, 64)


IN_FULL = IterationSpec(Path("photo.jpg"), "gatys2016", None, 1)


def fake(name, photo, spec):
    return PreparedCase(Case(name, "fake", "fp32", SIZE), ModelClockSpec(spec, photo))


@pytest.fixture
def request_of_fakes(net, monkeypatch):
    """The net in torch, and what ``peers`` adds."""
    monkeypatch.setattr(suite, "measured_peaks", lambda *_: (dict(PEAKS), {}))

    def request(peers, **changed):
        variants = chosen(("torch",), ("fp32",))
        return BenchConfig(net, variants, (SIZE,), seconds=0.2, gatys=False, peers=peers, **changed)

    return request


def test_one_that_fails_takes_no_other_down(request_of_fakes):
    def peers(net, photo, size, threads, folder):
        yield fake("Sleeper", photo, SleeperSpec(0.01))
        yield fake("Stale", photo, StaleSpec())
        yield fake("Nobody", photo, CallSpec(int, ("nobody",)))

    results = run(request_of_fakes(peers), lambda share, what: None)
    rows = {row.case.model: row for row in results.rows}
    assert rows["tiny"].timing
    assert rows["Sleeper"].seconds == pytest.approx(0.01, rel=0.05)
    assert "before its result was there" in rows["Stale"].not_run
    assert "ValueError" in rows["Nobody"].not_run
    assert rows["tiny"].limit
    assert rows["Sleeper"].limit is None


def test_rows_that_do_not_fit_into_memory_together_say_so(request_of_fakes, monkeypatch):
    monkeypatch.setattr(stopwatch, "available", lambda: 1)
    results = run(
        request_of_fakes(lambda net, photo, *_: [fake("Sleeper", photo, SleeperSpec(0.01))]),
        lambda share, what: None,
    )
    for row in results.rows:
        assert "not all rows took turns" in row.timing.notes[-1]


def test_groups_are_as_large_as_memory_allows(monkeypatch):
    cases = [Case(str(n), "x", "fp32", (512, 512)) for n in range(5)]
    queue = [Candidate(case, Cost(0.0), lambda _: None) for case in cases]
    each = queue[0].bytes
    monkeypatch.setattr(stopwatch, "available", lambda: int(2.5 * each / stopwatch._OF_MEMORY))
    assert [len(group) for group in size_run.groups_of(queue)] == [2, 2, 1]
    monkeypatch.setattr(stopwatch, "available", lambda: None)
    assert [len(group) for group in size_run.groups_of(queue)] == [5]


def test_a_shipped_styles_mobile_nets_take_part(photo, tmp_path):
    variants = chosen(("torch", "onnxruntime", "tensorrt"), ("fp32",))
    context = SizeContext(photo, SIZE, 1, tmp_path)
    queue = candidates(BenchConfig(styles.find("ink"), variants), context)
    small = [each for each in queue if each.case.model.startswith("ink-mobile")]
    names = ["ink-mobile-m", "ink-mobile-s"]
    assert [each.case.model for each in small] == styles.small_of("style:ink") == names
    prepared = small[0].prepare(Exports(tmp_path))
    assert prepared.case.variant == "onnxruntime fp32"
    assert prepared.clock.subject.model.exists()
    whole = sum(layer.products for layer in layers_of(styles.find("ink"), SIZE).values())
    assert sum(layer.products for layer in prepared.layers) < whole / 9
    of_small = candidates(BenchConfig(styles.find("ink-mobile-m"), variants), context)
    assert {each.case.model for each in of_small} == {"ink-mobile-m", "VGG-19"}


@pytest.mark.parametrize("name", ["ink", "ink-mobile-m", "ink-mobile-s"])
def test_layers_are_those_of_a_net_that_computes(name):
    net = styles.find(name)
    assert layers(net, (64, 96)) == tuple(layers_of(net, (64, 96)).values())
    assert all(not parameter.is_meta for parameter in net.parameters())


def test_of_a_net_that_looks_at_values_they_are_computed(net):
    def looks(module, inputs):
        float(inputs[0].mean())

    hook = net.register_forward_pre_hook(looks)
    assert layers(net, (64, 64)) == tuple(layers_of(net, (64, 64)).values())
    hook.remove()


def test_of_a_checkpoint_nobody_knows_a_smaller_net(net, checkpoint):
    assert styles.small_of(net.origin.source) == styles.small_of(str(checkpoint)) == []


def test_a_gpu_that_torch_cannot_use_has_no_peaks_and_says_so(results, monkeypatch):
    class Measuring:
        def __init__(self, spec, _threads, _until):
            self.device = spec.device

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def call(self, _method):
            if self.device == "cuda":
                raise NotRunError("AssertionError: Torch not compiled with CUDA enabled")
            return dict(PEAKS)

    monkeypatch.setattr(suite, "gpus", lambda: (Gpu("H100", "9.0", "570"),))
    monkeypatch.setattr(suite, "Remote", Measuring)
    peaks, unmeasured = suite.measured_peaks(1)
    assert peaks == PEAKS
    told = replace(results, peaks=peaks, unmeasured=unmeasured)
    assert report_text.peaks(told).endswith(
        "GB/s, cuda not run: AssertionError: Torch not compiled with CUDA enabled"
    )
    assert Results.from_dict(told.to_dict()) == told


def test_an_optimisation_that_cannot_run_is_not_run_in_full(request_of_fakes, monkeypatch):
    absent = PreparedCase(Case("VGG-19", GATYS, "fp32", SIZE), reason="no weights")
    monkeypatch.setattr(schedule, "prepare_gatys", lambda *_: absent)
    asked = replace(request_of_fakes(None), gatys=True, full=True)
    results = run(asked, lambda share, what: None)
    assert results.full == ()
    assert results.rows[-1].not_run == "no weights"
    assert results.rows[0].timing


def test_the_optimisation_in_full_is_measured_to_the_end(request_of_fakes, monkeypatch):
    monkeypatch.setattr(suite, "ITERATIONS", (40, 80))

    class Clock:
        def __init__(self, *_):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def call(self, method, iteration):
            assert method is IterationClock.reach
            return 0.5 * iteration

    monkeypatch.setattr(suite, "Remote", Clock)
    found = suite._in_full(IN_FULL, SIZE, 1, lambda share, what: None)
    assert found.seconds == {40: 20.0, 80: 40.0}
