"""What a newcomer types first, on the style that the package ships."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from sttk.toolkit import styles
from sttk.toolkit.imaging.regimes import shipped_photos


def test_styles_are_listed(sttk):
    rows = json.loads(sttk("styles", "--json").stdout)
    assert [row["style"] for row in rows] == styles.names()
    assert rows[0]["style"] == styles.DEFAULT == "ink"
    assert rows[0]["recipe"]["spec"]["widths"] == [32, 64, 128]
    assert "pytorch-examples" in sttk("styles", "--layouts").stdout


def test_the_list_fits_a_terminal(sttk):
    lines = sttk("styles").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    for name in styles.names():
        (line,) = (line for line in lines if line.split()[:1] == [name])
        assert {"public", "domain"} <= set(line.split())
        assert "\N{HORIZONTAL ELLIPSIS}" not in line


@pytest.mark.nightly
def test_export_and_parity_with_no_arguments(sttk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sttk("export").exit_code == 0
    result = sttk("parity", "--json")
    assert result.exit_code == 0, result.output
    (report,) = json.loads(result.stdout)
    assert report["candidate"] == "artifacts/ink/onnx-fp32-512x512"
    assert {row["rung"] for row in report["rows"]} == {"exact", "finite"}


@pytest.mark.nightly
def test_parity_with_no_artifacts(sttk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = sttk("parity", "--regime", "dark")
    assert result.exit_code == 0, result.output
    assert "exporting the style ink" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "I;16"])
def test_stylize_takes_every_kind_of_picture(sttk, tmp_path, mode):
    with Image.open(shipped_photos()[0]) as photo:
        small = photo.resize((61, 47))
    deep = Image.fromarray(np.asarray(small.convert("L")).astype(np.uint16) * 257)
    source = tmp_path / ("in.tif" if mode == "CMYK" else "in.png")
    small.putalpha(128) if mode == "RGBA" else None
    (deep if mode == "I;16" else small.convert(mode)).save(source)
    result = sttk("stylize", source, "-o", tmp_path / "out.png")
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "out.png") as styled:
        assert styled.size == (61, 47)
        assert styled.mode == ("RGBA" if mode == "RGBA" else "RGB")
        assert np.asarray(styled.convert("L")).std() > 10


def test_both_runtimes_give_the_same_picture(sttk, tmp_path):
    pictures = []
    for runtime in ("torch", "onnxruntime"):
        out = tmp_path / f"{runtime}.png"
        arguments = ("stylize", shipped_photos()[0], "-o", out, "--max-size", 96, "--json")
        result = sttk(*arguments, "--style", "ink-mobile-m", "--runtime", runtime)
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["runtime"] == runtime
        with Image.open(out) as image:
            pictures.append(np.asarray(image).astype(int))
    assert abs(pictures[0] - pictures[1]).max() <= 1


def test_stylize_options(sttk, tmp_path):
    photo, out = shipped_photos()[0], tmp_path / "out.jpg"
    arguments = ("stylize", photo, "-o", out, "--max-size", 64)
    assert sttk(*arguments, "--strength", 0.5, "--preserve-color").exit_code == 0
    for wrong, text in (
        (("--style", "ink", "--checkpoint", "x"), "exclude each other"),
        (("--style", "none"), "neither a shipped style"),
        (("--strength", "nan"), "not a finite number"),
        (("--artifact", tmp_path), "holds 0 artifacts"),
    ):
        result = sttk(*arguments, *wrong)
        assert result.exit_code == 2
        assert text in result.stderr
    assert "unknown picture suffix" in sttk("stylize", photo, "-o", tmp_path / "out.xyz").stderr
