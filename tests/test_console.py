from __future__ import annotations

from sttk.toolkit.io.console import progress


def test_where_no_terminal_is_there_are_lines_if_asked_for(capsys):
    with progress("train", total=200, line_seconds=0.0) as update:
        update(50, "step 50")
    with progress("train") as update:
        update(0.5, "step 1")
    assert capsys.readouterr().err == "train 25%  step 50\n"


def test_lines_keep_their_distance(capsys):
    with progress("train", line_seconds=60.0) as update:
        update(0.5, "step 1")
    assert capsys.readouterr().err == ""
