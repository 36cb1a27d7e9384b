from __future__ import annotations

import dataclasses

import pytest

from sttk.toolkit import targets
from sttk.toolkit.core.errors import (
    ArtifactError,
    MissingExtraError,
    NotRunError,
    ParityError,
    SttkError,
)
from sttk.toolkit.parity import outcome
from sttk.toolkit.parity.compare import Report, Row
from sttk.toolkit.parity.outcome import Judged, Unjudged, conclude, required
from sttk.toolkit.targets import requirements

GOOD = Judged(Report("good", "r", "ref", "exact", (Row("x", "photo", "exact", True),)), "onnx")
BAD = Judged(Report("bad", "r", "ref", "exact", (Row("x", "photo", "different", False),)), "onnx")
GRAPH = Judged(
    dataclasses.replace(GOOD.report, candidate="engine", not_run="not run: no GPU"), "trt"
)
NO_VGG = Row("x", "dark", "not run", True, note="style not run: no VGG weights")
UNSEEN = Judged(Report("unseen", "r", "ref", "same style", (*GOOD.report.rows, NO_VGG)))
UNREADABLE = Unjudged("gone", ArtifactError("gone: no manifest"))
ABSENT = Unjudged("package", MissingExtraError("coremltools", "coreml"), "coreml")
OPTIONAL = dataclasses.replace(ABSENT, needed=False)


def code(*outcomes):
    try:
        conclude(outcomes)
    except SttkError as error:
        return error.exit_code
    return 0


@pytest.mark.parametrize(
    ("outcomes", "wanted"),
    [
        ([GOOD], 0),
        ([GOOD, GRAPH, OPTIONAL], 0),
        ([GOOD, BAD], 1),
        ([GOOD, UNREADABLE], 2),
        ([GOOD, ABSENT], 3),
        ([ABSENT, BAD], 1),
        ([UNREADABLE, BAD], 1),
        ([UNREADABLE, ABSENT], 2),
        ([GOOD, UNSEEN], 3),
        ([UNSEEN, BAD], 1),
        ([ABSENT, UNREADABLE, BAD, GOOD], 1),
    ],
)
def test_the_gravest_outcome_makes_the_exit_code(outcomes, wanted):
    assert code(*outcomes) == wanted
    assert code(*reversed(outcomes)) == wanted


def test_a_style_that_was_promised_and_not_compared_is_not_passed():
    only = dataclasses.replace(UNSEEN, report=dataclasses.replace(UNSEEN.report, rows=(NO_VGG,)))
    assert code(only) == 3
    int8 = (*GOOD.report.rows, dataclasses.replace(NO_VGG, against="float net"))
    beside = dataclasses.replace(UNSEEN.report, promise="faithful", rows=int8)
    assert code(dataclasses.replace(UNSEEN, report=beside)) == 3
    assert not beside.passed
    assert not UNSEEN.report.passed
    bad = dataclasses.replace(UNSEEN.report, rows=(NO_VGG, *BAD.report.rows))
    assert code(dataclasses.replace(UNSEEN, report=bad)) == 1
    with pytest.raises(NotRunError, match="no VGG weights"):
        conclude([GOOD, UNSEEN])


def test_the_error_names_what_is_bad():
    with pytest.raises(ParityError, match="parity fails for 2 of 3: bad, package"):
        conclude([GOOD, BAD, ABSENT])
    with pytest.raises(ArtifactError, match="gone: no manifest"):
        conclude([GOOD, UNREADABLE])


def test_what_is_required_has_to_run():
    assert code(*required(["onnx"], [GOOD, GRAPH], targets.NAMES)) == 0
    assert code(*required(["trt"], [GOOD, GRAPH], targets.NAMES)) == 3
    assert code(*required(["coreml"], [GOOD, OPTIONAL], targets.NAMES)) == 3
    assert code(*required(["trt"], [BAD, GRAPH], targets.NAMES)) == 1
    with pytest.raises(SttkError, match=r"engine \(not run: no GPU"):
        conclude(required(["trt"], [GRAPH], targets.NAMES))


def test_a_target_of_which_there_is_no_model(monkeypatch):
    monkeypatch.setattr(outcome, "missing", lambda names, exported: [])
    outcomes = required(["trt", "onnx", "trt"], [GOOD], targets.NAMES)
    assert [each.candidate for each in outcomes] == ["good", "--require trt"]
    with pytest.raises(SttkError, match="sttk export --target trt") as found:
        conclude(outcomes)
    assert found.value.exit_code == 3


def test_a_target_that_can_only_be_run():
    with pytest.raises(SttkError, match="pass a web model with --reference"):
        conclude(required(["web"], [GOOD], ["onnx"]))


def test_a_target_whose_library_is_not_installed(monkeypatch):
    monkeypatch.setattr(requirements, "version_of", lambda name: None)
    with pytest.raises(
        SttkError, match=r"coremltools not installed \(pip install 'sttk\[coreml\]'"
    ):
        conclude(required(["coreml"], [GOOD], targets.NAMES))


def test_plain_values():
    assert OPTIONAL.to_dict()["passed"] is None
    assert ABSENT.to_dict()["passed"] is False
    assert "coremltools is not installed" in ABSENT.to_dict()["error"]
    assert "bisection" not in GOOD.to_dict()
