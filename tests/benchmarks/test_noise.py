"""Which rows are doubted: those that are worse than the machine."""

from __future__ import annotations

from dataclasses import replace

from sttk.benchmarks.noise import noise_of
from tests.benchmarks.conftest import row, timing


def rows(*spreads):
    made = [row("onnxruntime", 0.5) for _ in spreads]
    return [
        replace(each, timing=timing(0.5, runs=1, spread=spread))
        for each, spread in zip(made, spreads, strict=True)
    ]


def doubted(found):
    noise = noise_of(found)
    return [bool(noise.doubt(each.timing)) for each in found]


def test_on_a_quiet_machine_the_noisy_row_is_doubted():
    found = rows(0.01, 0.01, 0.01, 0.9)
    assert doubted(found) == [False, False, False, True]
    assert noise_of(found).told.startswith("the machine was quiet")


def test_on_a_noisy_machine_no_row_is_doubted_for_being_like_the_others():
    found = rows(0.9, 0.9, 0.9, 0.9)
    assert doubted(found) == [False] * 4
    assert noise_of(found).told.startswith("the machine was noisy: rows' medians are known to ±")


def drifting(factor):
    turns = ((0.5,),) * 3 + ((0.5 * factor,),) * 3
    made = row("onnxruntime", 0.5)
    return replace(made, timing=replace(made.timing, turns=turns))


def test_what_all_rows_do_is_the_machines_drift():
    assert "drifting" not in noise_of([drifting(1.2)] * 3).doubt(drifting(1.2).timing)


def test_a_row_that_drifts_alone_is_doubted():
    noise = noise_of(rows(0.01, 0.01, 0.01))
    assert "1.21 x the earlier" in noise.doubt(drifting(1.2).timing)
    assert "0.80 x the earlier" in noise.doubt(drifting(0.8).timing)
    assert noise.doubt(drifting(1.05).timing) == ""


def test_too_few_turns_are_said_and_are_no_part_of_the_machines_spread():
    short = replace(row("onnxruntime", 0.5), timing=timing(0.5, turns=2))
    assert "2 of 3 turns" in noise_of([short]).doubt(short.timing)
    assert noise_of([short]).spread == 0.0
    assert "is not known" in noise_of([short]).told
