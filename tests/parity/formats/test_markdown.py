from __future__ import annotations

import re

from sttk.toolkit.parity.formats.markdown import markdown


def test_the_verdicts_come_first(passing, failing, unreadable, left_out):
    text = markdown([passing, failing, unreadable, left_out])
    lines = text.splitlines()
    assert lines[0] == "### sttk: parity fails for 2 of 4 models, 1 not run"
    assert "✅ pass | exact promised; 1 exact, 1 finite |" in lines[4]
    assert "❌ FAIL" in lines[5]
    assert "❌ FAIL | artifacts/gone: no manifest.json here |" in lines[6]
    assert "⚠️ not run | coremltools is not installed (pip install" in lines[7]
    assert text.endswith("\n")


def test_what_failed_is_not_folded(passing, failing):
    text = markdown([passing, failing])
    assert text.count("<details open>") == 1
    assert text.count("<details>") == 1
    assert "| dark 64x96 | 24.2 | 0.5 | 50.0 | 130.0 | 60.0 | FAIL: only same style |" in text
    assert "| odd 7x9 |  |  |  |  |  | FAIL: different |" in text
    assert "- FAIL: precisions: conv1 fp32, not fp16" in text
    assert "- dark 64x96: the border is off by" in text
    assert "- clamped" in text


def test_all_rows_of_a_table_have_its_columns(passing, failing, closed, hostile):
    for table in re.findall(
        r"(?:^\|.*\n)+", markdown([passing, failing, closed, hostile]), re.MULTILINE
    ):
        rows = table.splitlines()
        assert {row.count("|") for row in rows} == {rows[0].count("|")}


def test_what_did_not_run_is_said(closed):
    assert "not run: no CUDA device" in markdown([closed])


def test_names_are_text(hostile):
    text = markdown([hostile])
    assert "<script" not in text
    assert "&#60;script&#62;" in text
    assert not any(line.startswith("::") for line in text.splitlines())
