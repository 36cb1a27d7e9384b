"""``sttk bench`` as it is typed, on a tiny net."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sttk.benchmarks import suite
from sttk.benchmarks.compare import read_results
from sttk.benchmarks.environment import environment
from sttk.toolkit.io.json_text import dumps
from tests.benchmarks.conftest import known_peaks, results, timing  # noqa: F401 (fixtures)

FAST = ("--size", "64", "--seconds", "0.5", "--threads", "1")


@pytest.fixture
def bench(sttk, checkpoint, known_peaks):  # noqa: F811
    return lambda *options: sttk("bench", checkpoint, *FAST, *options)


def test_a_benchmark_from_the_command_to_its_files(bench, tmp_path):
    folder = tmp_path / "report"
    result = bench(
        "--runtime",
        "onnxruntime",
        "--runtime",
        "torch",
        "--precision",
        "fp32",
        "--precision",
        "int8",
        "--profile",
        "-o",
        folder,
    )
    assert result.exit_code == 0, result.output
    for said in (
        "tiny at 64x64",
        "  onnxruntime  fp32",
        "  torch        fp32",
        "Gatys (VGG-19, L-BFGS)",
    ):
        assert said in result.stdout
    found = read_results(folder / "bench.json")
    timed = {row.case.variant: row for row in found.rows}
    assert found.environment["machine"]["threads used"] == 1
    assert timed["onnxruntime int8"].timing
    assert timed["onnxruntime fp32"].nodes
    assert timed["torch fp32"].nodes
    assert timed["onnxruntime fp32"].timing.memory > 10_000_000
    assert all(row.limit for row in found.at((64, 64)))
    for name in ("bench.md", "bench.html", "fps.png", "speed-up.svg", "roofline.png"):
        assert (folder / name).stat().st_size > 500


@pytest.mark.nightly
def test_json_now_can_be_compared_later(bench, tmp_path):
    options = ("--runtime", "onnxruntime", "--precision", "fp32", "--no-gatys")
    result = bench(*options, "--json")
    assert result.exit_code == 0, result.output
    then = tmp_path / "then.json"
    then.write_text(result.stdout)
    again = bench(*options, "--compare", then)
    assert again.exit_code == 0, again.output
    assert "95 % interval" in again.stdout
    old = read_results(then)
    quicker = old.with_rows(tuple(replace(row, timing=timing(1e-6)) for row in old.rows))
    then.write_text(dumps(quicker.to_dict()))
    slower = bench(*options, "--compare", then, "--fail-if-slower", "10%")
    assert slower.exit_code == 1
    assert "slower by more than 10%" in slower.stderr


def test_another_machine_is_refused_before_anything_runs(bench, tmp_path, results, monkeypatch):  # noqa: F811
    monkeypatch.setattr(suite, "run", None)
    path = tmp_path / "then.json"
    path.write_text(dumps(results.to_dict()))  # of two threads
    result = bench("--compare", path)
    assert result.exit_code == 2
    assert "measured on another machine" in result.stderr


@pytest.mark.nightly
def test_nothing_in_common_is_an_error_after_the_results_are_out(bench, tmp_path):
    then = tmp_path / "then.json"
    then.write_text(
        bench("--runtime", "torch", "--precision", "fp32", "--no-gatys", "--json").stdout
    )
    now = bench(
        "--runtime", "torch", "--precision", "bf16", "--no-gatys", "--json", "--compare", then
    )
    assert now.exit_code == 2
    assert "no row in common" in now.stderr
    assert json.loads(now.stdout)["rows"][0]["summary"]["p50"] > 0


def test_the_only_row_in_common_that_no_longer_runs_is_gone(bench, results, tmp_path, monkeypatch):  # noqa: F811
    then, row = tmp_path / "then.json", results.rows[0]
    old = replace(results, rows=(row,), environment=environment(1))
    then.write_text(dumps(old.to_dict()))
    now = old.with_rows((replace(row, timing=None, not_run="broken"),))
    monkeypatch.setattr(suite, "run", lambda request, told: now)
    result = bench("--compare", then, "--fail-if-slower", "10%")
    assert result.exit_code == 1, result.output
    assert "ran then, and not now: broken" in result.stderr
    assert bench("--compare", then).exit_code == 0


def test_a_net_that_cannot_be_judged_is_found_first(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(suite, "run", None)
    result = bench("--equal-loss", "--paintings", tmp_path)
    assert result.exit_code == 2
    assert "does not say what it was trained on" in result.stderr


def test_a_row_that_was_asked_for_and_cannot_run(bench):
    result = bench("--runtime", "coreml", "--no-gatys")
    assert result.exit_code == 3
    assert "not run: Core ML is a part of macOS" in result.stdout
    assert "asked for and not run: coreml fp16" in result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--runtime", "abacus"], "abacus: not known; there are torch"),
        (["--precision", "fp7"], "fp7: not known"),
        (["--runtime", "torch", "--precision", "int8"], "no torch in int8"),
        (["--equal-loss"], "--paintings"),
        (["--fail-if-slower", "10%"], "is for --compare"),
        (["--fail-if-slower", "x%"], "not a valid"),
        (["--compare", "none.json"], "none.json: No such file"),
        (["none.pth"], "neither a shipped style"),
        (["--size", "0"], "sides are 1 to"),
        (["--size", "4"], "smallest side is"),
        (["--size", "16384"], "of memory"),
    ],
)
def test_wrong_usage_is_found_first(options, said, sttk, monkeypatch):
    monkeypatch.setattr(suite, "run", None)
    result = sttk("bench", *options)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_stopwatch_tests_itself(sttk):
    result = sttk("bench", "--self-test", "--json")
    outcomes = json.loads(result.stdout)
    assert [each["passed"] for each in outcomes] == [True] * 5, outcomes
    assert result.exit_code == 0
