"""JUnit XML: a suite for each model and a case for each input, for the test reports of CI servers.

It follows the dialect of Jenkins' xUnit plugin (``junit-10.xsd``), the strictest common one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as ET

from sttk.toolkit.parity.compare import Report, Row
from sttk.toolkit.parity.formats.phrases import NOT_RUN, figures, notes, skipped
from sttk.toolkit.parity.outcome import Judged, Outcome, Unjudged
from sttk.toolkit.parity.show import title
from sttk.toolkit.runtimes.base import Check

# Characters that XML 1.0 cannot represent, escaped or not; file names may contain them.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OUTCOMES = ("failure", "error", "skipped")


def junit(outcomes: Sequence[Outcome]) -> str:
    """Return the XML; a model that was not judged is an error if it was asked for, else skipped."""
    suites = [_suite(outcome) for outcome in outcomes]
    root = ET.Element("testsuites", {"name": "sttk parity"})
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.attrib[count]) for suite in suites)))
    root.extend(suites)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(outcome: Outcome) -> ET.Element:
    suite = _element("testsuite", name=outcome.candidate)
    if isinstance(outcome, Judged):
        suite.append(_properties(outcome))
    suite.extend(_judged(outcome) if isinstance(outcome, Judged) else [_unjudged(outcome)])
    suite.set("tests", str(len(suite.findall("testcase"))))
    for name, kind in zip(("failures", "errors", "skipped"), _OUTCOMES, strict=True):
        suite.set(name, str(len(suite.findall(f"testcase/{kind}"))))
    return suite


def _properties(outcome: Judged) -> ET.Element:
    report, properties = outcome.report, _element("properties")
    named = {
        "promise": report.promise,
        "runtime": report.runtime,
        "reference": report.reference,
        "target": outcome.target,
        "arithmetic": str(report.evidence or ""),
    }
    for name, value in [*named.items(), *(("note", note) for note in notes(outcome))]:
        if value:
            properties.append(_element("property", name=name, value=value))
    return properties


def _judged(outcome: Judged) -> Iterator[ET.Element]:
    report = outcome.report
    for row in report.rows:
        yield _input(report, row)
    for check in report.checks:
        yield _check(report, check)
    if report.not_run:
        yield _not_run(outcome, "the model itself", needed=outcome.needed)
    if not any(row.judged for row in report.rows) and not report.style_not_run:
        case = _case(outcome.candidate, "is judged")
        case.append(_element("error", message="none of its inputs was judged", type=NOT_RUN))
        yield case
    if report.style_not_run:
        yield _not_run(outcome, "its style", needed=True)


def _input(report: Report, row: Row) -> ET.Element:
    case = _case(report.name, title(row))
    if not row.passed:
        message = f"{row.rung}: less than was promised"
        case.append(_element("failure", figures(row), message=message, type=row.rung))
    elif why := skipped(row):
        case.append(_element("skipped", message=why))
    elif text := figures(row):
        case.append(_element("system-out", f"{row.rung}: {text}"))
    return case


def _check(report: Report, check: Check) -> ET.Element:
    case = _case(report.name, f"check: {check.name}")
    if not check.passed:
        case.append(_element("failure", message=check.detail, type="check"))
    return case


def _unjudged(outcome: Unjudged) -> ET.Element:
    if outcome.not_run:
        return _not_run(outcome, "is judged", needed=outcome.needed)
    case = _case(outcome.candidate, "is judged")
    kind = type(outcome.error).__name__
    case.append(_element("error", message=str(outcome.error), type=kind))
    return case


def _not_run(outcome: Outcome, name: str, *, needed: bool) -> ET.Element:
    """Return a case for a model that did not run: an error if ``needed``, else skipped."""
    case, why = _case(outcome.candidate, name), outcome.not_run
    error = _element("error", message=why, type=NOT_RUN)
    case.append(error if needed else _element("skipped", message=why))
    return case


def _case(candidate: str, name: str) -> ET.Element:
    return _element("testcase", classname=candidate, name=name)


def _element(tag: str, text: str = "", **attributes: str) -> ET.Element:
    element = ET.Element(tag, {key: _legal(value) for key, value in attributes.items()})
    element.text = _legal(text) or None
    return element


def _legal(text: str) -> str:
    return _ILLEGAL.sub("", text)
