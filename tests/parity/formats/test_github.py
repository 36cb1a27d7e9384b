from __future__ import annotations

from pathlib import Path

from sttk.toolkit.parity.formats.github import commands, is_here, is_step_summary


def test_one_line_for_each_model_that_is_not_well(passing, failing, closed, unreadable, left_out):
    lines = commands([passing, failing, closed, unreadable, left_out]).splitlines()
    assert [line.partition(" ")[0] for line in lines] == [
        "::error",
        "::warning",
        "::error",
        "::warning",
    ]
    assert "title=parity fails%3A bad.onnx::exact promised; 1 exact, 1 same style" in lines[0]
    assert "%0Aprecisions: conv1 fp32, not fp16" in lines[0]
    assert "no CUDA device" in lines[1]
    assert "artifacts/gone" in lines[2]
    assert "coremltools is not installed" in lines[3]


def test_all_is_well(passing, left_out):
    lines = commands([passing, left_out]).splitlines()
    assert lines[-1] == "::notice title=sttk parity::parity holds for 1 of 2 models, 1 not run"


def test_a_name_cannot_give_commands(hostile):
    (line,) = commands([hostile]).splitlines()
    assert line.startswith("::error title=parity fails%3A <script>")
    title, _, message = line.removeprefix("::error title=").partition("::")
    assert not set(":,") & set(title)
    assert "%25" in message


def test_where_it_is():
    assert is_here({"GITHUB_ACTIONS": "true"})
    assert not is_here({})
    assert is_step_summary(Path("/x/summary"), {"GITHUB_STEP_SUMMARY": "/x/summary"})
    assert not is_step_summary(Path("/x/other"), {"GITHUB_STEP_SUMMARY": "/x/summary"})
    assert not is_step_summary(Path.cwd(), {"GITHUB_STEP_SUMMARY": ""})
