"""Reports: the same figures everywhere, and nothing that could be mistaken."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image

from sttk.benchmarks import charts, terminal_table
from sttk.benchmarks.formats.html import html
from sttk.benchmarks.formats.markdown import markdown
from sttk.benchmarks.formats.terminal import show
from sttk.benchmarks.paper import TABLE
from sttk.benchmarks.report_text import lines, milliseconds, remarks, speed_up
from sttk.benchmarks.rows import Case, LeftOut, Row
from sttk.benchmarks.variants import VARIANTS
from sttk.toolkit.runtimes.base import Node
from tests.benchmarks.conftest import SIZE, row, timing


def test_figures_of_a_row(results):
    first, second, absent = lines(results, SIZE)
    assert first.figures[0] == "500"
    assert first.figures[2:] == ("2.00", "550", "2,000", "50%")
    assert second.label == "openvino int8"
    assert second.figures[2:] == ("10.0", "110", "10,000", "50%")
    assert (absent.figures, absent.reason) == ((), "no CUDA device")


def test_a_batch_is_counted_by_its_pictures(results):
    four = replace(row("onnxruntime", 1.0).case, batch=4)
    made = Row(four, timing(1.0))
    assert made.fps == pytest.approx(4.0)
    assert speed_up(made, results.gatys(SIZE), 500) == pytest.approx(4000)


def test_the_optimisation_says_what_was_measured_and_what_was_not(results):
    said = list(remarks(results, SIZE))
    extrapolated = "extrapolated to 100: 200 s, 300: 600 s, 500: 1,000 s"
    assert any("2.00 s an iteration" in each and extrapolated in each for each in said)
    assert any(each == "Gatys, run in full: 100: 201 s, 300: 604 s, 500: 1,003 s" for each in said)
    assert any("quoted, not measured here" in each and "1026 x" in each for each in said)


def test_the_papers_table_agrees_with_itself():
    for size, published in TABLE.items():
        for count, times in published.times.items():
            # The net's time has two figures there.
            assert published.gatys[count] / times == pytest.approx(published.net, rel=0.08), size


def test_without_the_optimisation_there_is_no_speed_up(results):
    alone = results.with_rows(results.rows[:3])
    assert lines(alone, SIZE)[0].figures[4] == ""
    assert not any("Gatys (" in each for each in remarks(alone, SIZE))


def test_doubts_are_said(results):
    noisy = timing(0.5, spread=0.9, steady=False, notes=("on a borrowed GPU",))
    doubtful = results.with_rows((replace(results.rows[0], timing=noisy), *results.rows[1:]))
    said = " | ".join(remarks(doubtful, SIZE))
    assert "onnxruntime fp32: noisy: its median is known to ±" in said
    assert "not steady" in said
    assert "on a borrowed GPU" in said


def crowded(results):
    """Every way, of names as long as they come, and as much left out."""
    made = [
        replace(row(variant.runtime, 1234.5, variant.precision), case=case)
        for model in ("ink", "wave-mobile-m", "a-checkpoint-of-somebody-with-a-very-long-name")
        for variant in VARIANTS
        for case in [Case(model, variant.runtime, variant.precision, SIZE, 16)]
    ]
    left = [LeftOut(replace(each.case, size=SIZE), "time") for each in made]
    return replace(results, left_out=tuple(left), spent={"budget": 120.0}).with_rows(
        (*made, *results.rows)
    )


def test_the_terminal_has_eighty_columns(results, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for shown in (results, crowded(results)):
        show(shown)
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= 80
        found = terminal_table.table(shown, SIZE)
        # No name and no figure is wrapped: a row is a line, and holds all of its cells.
        for cells in found:
            assert any(all(cell in line for cell in cells) for line in lines), cells


def test_what_is_not_in_the_table_is_said(results, capsys):
    show(crowded(results))
    out = " ".join(capsys.readouterr().out.split())
    assert "not run: no CUDA device: ink: tensorrt fp16" in out
    assert "left out (time): ink: torch fp32 bf16, torch.compile fp32 bf16, onnxruntime" in out
    assert "--all, or some of them by --runtime and --precision, or more time than 120 s" in out


def test_ratios_are_against_the_style_in_plain_torch(results):
    torch = row("torch", 1.0)
    found = terminal_table.table(results.with_rows((torch, *results.rows)), SIZE)
    ratios = {cells[:2]: cells[5:] for cells in found if len(cells) > 1}
    assert ratios["  torch", "fp32"] == ("1.00", "1,000")
    assert ratios["  openvino", "int8"] == ("10.0", "10,000")
    assert terminal_table.table(results, SIZE)[1][5] == ""


def test_of_nothing_timed_there_is_no_table(results, capsys):
    show(results.with_rows(results.rows[2:3]))
    assert "no model was timed" in capsys.readouterr().out


def test_markdown_and_page_have_the_same_rows(results):
    text = markdown(results, "sttk bench", ["fps"])
    page = html(results, "sttk bench", {"fps": "<svg></svg>"})
    for written in (text, page):
        for figure in ("2,000", "10,000", "not run: no CUDA device", "sttk bench"):
            assert figure in written
    assert "| openvino int8 | 100 |" in text
    assert "![fps](fps.png)" in text
    assert "river at 512x512, from noise: 40 iterations, 80.0 s, 160 x onnxruntime fp32" in text


def test_a_name_is_no_markup(results):
    named = replace(results, style={"name": "<b>x</b>", "sha256": ""})
    assert "<b>x</b>" not in html(named, "sttk bench", {})


def test_slowest_nodes(results):
    nodes = tuple(Node(f"conv{n}", "FusedConv", 0.1 / n) for n in range(1, 9))
    profiled = results.with_rows((replace(results.rows[0], nodes=nodes),))
    text = markdown(profiled, "sttk bench")
    assert "conv1 (FusedConv) 100 ms, 37%" in text
    assert "conv6" not in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0083123, "8.31"), (0.0462, "46.2"), (0.467, "467"), (1.5, "1,500")]
)
def test_three_figures(seconds, text):
    assert milliseconds(seconds) == text


def test_charts_are_pictures(results):
    two_sizes = results.with_rows((*results.rows, row("onnxruntime", 0.1, size=(256, 256))))
    for each in (results, two_sizes):
        drawn = charts.draw(each)
        assert set(drawn) == {"fps", "speed-up", "roofline", "equal-loss"}
        for chart in drawn.values():
            assert chart.svg.startswith("<svg")
            assert Image.open(io.BytesIO(chart.png)).size[0] > 600
    nothing = replace(results, equal=()).with_rows(results.rows[2:3])
    assert charts.draw(nothing) == {}
