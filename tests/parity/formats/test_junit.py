from __future__ import annotations

import dataclasses
from xml.etree import ElementTree as ET

import pytest

from sttk.toolkit.parity.formats.junit import junit

# Of each element, what Jenkins' junit-10.xsd requires and what else it allows, and its children.
SCHEMA = {
    "testsuites": ((), ("name", "tests", "failures", "errors"), ("testsuite",)),
    "testsuite": (
        ("name", "tests", "failures", "errors"),
        ("skipped",),
        ("properties", "testcase"),
    ),
    "properties": ((), (), ("property",)),
    "property": (("name", "value"), (), ()),
    "testcase": (("name",), ("classname",), ("skipped", "error", "failure", "system-out")),
    "skipped": ((), ("message", "type"), ()),
    "error": ((), ("message", "type"), ()),
    "failure": ((), ("message", "type"), ()),
    "system-out": ((), (), ()),
}


def parsed(*outcomes):
    text = junit(outcomes)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n')
    return ET.fromstring(text.encode())


def cases(root):
    return {case.get("name"): case for case in root.iter("testcase")}


def test_it_keeps_to_the_schema(passing, failing, closed, unreadable, left_out, hostile):
    root = parsed(passing, failing, closed, unreadable, left_out, hostile)
    found = set()
    for element in root.iter():
        required, optional, children = SCHEMA[element.tag]
        assert set(required) <= set(element.attrib) <= {*required, *optional}
        assert {child.tag for child in element} <= set(children)
        found.add(element.tag)
    assert found == set(SCHEMA)


def test_a_suite_for_each_model_and_a_case_for_each_input_and_check(passing, failing):
    root = parsed(passing, failing)
    assert [suite.get("name") for suite in root] == ["artifacts/ink/onnx", "bad.onnx"]
    assert {case.get("classname") for case in root[1].iter("testcase")} == {"bad.onnx"}
    names = [case.get("name") for case in root[1].iter("testcase")]
    assert names[:2] == ["cat 64x96", "dark 64x96"]
    assert names[-3:] == ["check: header", "check: precisions", "its style"]
    properties = {each.get("name"): each.get("value") for each in root[1].iter("property")}
    assert properties == {
        "promise": "exact",
        "runtime": "onnxruntime",
        "reference": "style:ink",
        "target": "onnx",
        "note": "clamped",
    }


def test_what_failed_says_how_far_it_is_off(failing):
    case = cases(parsed(failing))["dark 64x96"]
    failure = case.find("failure")
    assert failure.get("message") == "same style: less than was promised"
    for figure in ("24.2", "border 0.5, inside 8e-05", "50.0 dB", "130.0 dB", "style 0.3%"):
        assert figure in failure.text
    assert "shape (1, 3, 8, 8)" in cases(parsed(failing))["odd 7x9"].find("failure").text
    assert "conv1 fp32" in cases(parsed(failing))["check: precisions"].find("failure").get(
        "message"
    )


@pytest.mark.parametrize(
    ("name", "why"), [("ramp 64x96", "ill-conditioned"), ("tiny 8x8", "no weights")]
)
def test_what_was_not_judged_is_skipped(failing, name, why):
    assert why in cases(parsed(failing))[name].find("skipped").get("message")


def test_what_could_not_be_judged(closed, unreadable, left_out):
    root = parsed(closed, unreadable, left_out)
    assert "no CUDA" in cases(root[0])["the model itself"].find("skipped").get("message")
    error = root[1].find("testcase/error")
    assert (error.get("type"), "no manifest.json" in error.get("message")) == (
        "ArtifactError",
        True,
    )
    assert "pip install" in root[2].find("testcase/skipped").get("message")


def test_what_had_to_run_is_an_error(closed, left_out):
    for outcome in (closed, left_out):
        (suite,) = parsed(dataclasses.replace(outcome, needed=True))
        assert (suite.get("errors"), suite.get("skipped")) == ("1", "0")
        assert "not run: " in suite.find("testcase/error").get("message")


def test_the_counts_add_up(passing, failing, closed, unreadable, left_out):
    root = parsed(passing, failing, closed, unreadable, left_out)
    assert [root.get(name) for name in ("tests", "failures", "errors")] == ["16", "3", "2"]
    counted = {
        suite.get("name"): tuple(
            int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")
        )
        for suite in root
    }
    assert counted["bad.onnx"] == (9, 3, 1, 2)
    assert counted["ink/trt"] == (3, 0, 0, 1)
    assert counted["ink to coreml"] == (1, 0, 0, 1)


def test_names_are_what_xml_can_say(hostile):
    root = parsed(hostile)
    name = root[0].get("name")
    assert "<script>" in name
    assert not set("\x00\x1b\ud800") & set(name)


def test_a_model_of_which_nothing_was_judged_is_an_error(passing):
    row = dataclasses.replace(passing.report.rows[0], rung="ill-conditioned")
    report = dataclasses.replace(passing.report, rows=(row,))
    (suite,) = parsed(dataclasses.replace(passing, report=report))
    (case,) = (case for case in suite.iter("testcase") if case.find("error") is not None)
    assert case.get("name") == "is judged"
