"""The gate against its mutants, with the style that is shipped; the whole table is a report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sttk.exporters import exporter
from sttk.toolkit.core.rungs import SAME_STYLE
from sttk.toolkit.parity.mutants import MUTANTS, Mutant
from sttk.toolkit.parity.run import ParityConfig
from sttk.toolkit.styles import DEFAULT, find
from sttk.toolkit.targets import NAMES as TARGETS
from sttk.workflows import kill_report, mutation
from sttk.workflows.mutation import (
    KILLED,
    NO_FAULT,
    SURVIVED,
    Column,
    KillTable,
    MutantOutcome,
    kill_table,
)

SIZE = (96, 128)
ONNX = Column("onnx", "fp32")
OTHERS = ("trt", "coreai", "web")  # not run here, in beta, slow to run
REPORTS = Path(__file__).parents[2] / "artifacts" / "reports"
# Operations of faults that a target has no form of: its exporter says so, and no model is judged.
NO_FORM = {
    "ncnn": {"height and width transposed"},
    "litert": {
        "linear for nearest upsampling", "fractions cut off", "height and width transposed"
    },
}  # fmt: skip


def unwatched(done, text):
    """No progress bar."""


def test_faults_of_each_kind_are_caught():
    """A few of the weights', the arithmetic's and the ends'; the whole table is nightly."""
    table = kill_table(find("ink-mobile-m"), [ONNX], (64, 96), unwatched, MUTANTS[::6])
    assert table.passed, "\n".join(kill_report.summary(table))
    assert [each.verdict for each in table.outcomes] == [KILLED] * len(MUTANTS[::6])
    assert all(each.caught for each in table.outcomes)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("style", "target"),
    [
        ("ink-mobile-m", "onnx"),
        *((DEFAULT, target) for target in TARGETS if target not in OTHERS),
    ],
)
def test_every_fault_is_caught_and_the_net_itself_passes(style, target):
    column = Column(target, exporter(target).precisions[0])
    table = kill_table(find(style), [column], SIZE, unwatched)
    assert table.passed, "\n".join(kill_report.summary(table))
    faults = [each for each in table.outcomes if each.verdict == KILLED]
    assert len(faults) >= len(MUTANTS) - 1  # one cancels in a Johnson net
    # Caught for what it answers, not for that it could not be made or run.
    assert {each.mutant for each in faults if not each.caught} == NO_FORM.get(target, set())


def test_a_converter_that_knows_modules_by_their_class_mends_no_fault(net):
    pytest.importorskip("pnnx")
    pads = [each for each in MUTANTS if "pads" in each.name]
    assert len(pads) == 2
    table = kill_table(net, [Column("ncnn", "fp32")], SIZE, unwatched, pads)
    assert table.passed
    assert all(each.caught for each in table.outcomes)


def test_a_blind_gate_is_found_out(net, monkeypatch):
    blind = ParityConfig(
        [*mutation.shipped_photos()], promise=SAME_STYLE, regimes=("constant", "photo")
    )
    monkeypatch.setattr(mutation, "ParityConfig", lambda *_, **__: blind)
    weak = Mutant("fractions cut off", None, lambda run, image: run(image).floor())
    table = kill_table(net, [ONNX], SIZE, unwatched, [weak])
    assert [each.verdict for each in table.outcomes] == [SURVIVED]
    assert not table.passed


def test_what_is_no_fault_is_not_counted(net):
    none = Mutant("nothing", None, lambda run, image: run(image))
    table = kill_table(net, [ONNX], SIZE, unwatched, [none])
    assert [each.verdict for each in table.outcomes] == [NO_FAULT]
    assert not table.passed, "a gate that was shown no fault has proven nothing"


CLEAN = MutantOutcome("", ONNX, NO_FAULT, 0, 3)
KILLS = MutantOutcome("a", ONNX, KILLED, 2, 3, ("dark", "ramp"))
REFUSED = MutantOutcome("b", ONNX, KILLED, note="no such operation")
LIVES = MutantOutcome("c", ONNX, SURVIVED, 0, 3)


def table_of(*outcomes, clean=CLEAN):
    return KillTable("ink", SIZE, (ONNX,), (clean,), outcomes)


def test_the_table_says_what_was_caught_and_by_what():
    text = kill_report.to_markdown(table_of(KILLS, REFUSED))
    assert "| (no fault) | passes, 3 |  |" in text
    assert "| a | 2 of 3 | dark, ramp |" in text
    assert "| b | refused | all |" in text
    assert "2 faults, each exported and judged in 1 ways: 2 of 2 caught, 0 false alarms" in text
    assert "b, onnx fp32: no such operation" in text


def test_survivors_and_false_alarms_fail(sttk, monkeypatch):
    alarm = MutantOutcome("", ONNX, KILLED, 1, 3)
    cases = {
        "c (onnx fp32)": table_of(KILLS, LIVES),
        "the net as it is fails: onnx fp32": table_of(KILLS, clean=alarm),
        "nothing is proven": table_of(MutantOutcome("d", ONNX, NO_FAULT)),
    }
    for said, table in cases.items():
        monkeypatch.setattr(mutation, "kill_table", lambda *_, table=table: table)
        result = sttk("mutants", "--target", "onnx")
        assert result.exit_code == 1
        assert said in result.stderr


def test_the_command_writes_what_it_prints(sttk, monkeypatch, tmp_path):
    monkeypatch.setattr(mutation, "kill_table", lambda *_: table_of(KILLS))
    result = sttk("mutants", "--markdown", tmp_path / "kills.md", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["passed"]
    assert "| a | 2 of 3 |" in (tmp_path / "kills.md").read_text()


@pytest.mark.parametrize("report", ["mutants.md", "mutants-phones.md"])
def test_the_committed_report_is_of_these_mutants_and_has_no_survivor(report):
    text = (REPORTS / report).read_text()
    rows = re.findall(r"^\| ([^|]+) \| (.+) \| [^|]*\|$", text, re.MULTILINE)
    cells = {name: row for name, row in rows if name not in ("fault", "---")}
    assert set(cells) == {"(no fault)", *(mutant.name for mutant in MUTANTS)}
    assert not [name for name, row in cells.items() if "SURVIVED" in row or "ALARM" in row]
    assert re.search(r"(\d+) of \1 caught, 0 false alarms", text)
