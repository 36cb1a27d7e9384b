from __future__ import annotations

import json
import re
import shutil

import onnx
import pytest
from onnx import numpy_helper

from sttk.exporters.plans import usual_plan
from sttk.toolkit.artifact.search import find_artifacts, read_manifest
from sttk.toolkit.checkpoints import load
from sttk.toolkit.imaging.regimes import shipped_photos


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def break_model(path):
    model = onnx.load(path)
    weight = next(w for w in model.graph.initializer if len(w.dims) == 4)
    values = numpy_helper.to_array(weight).copy()
    values[0, 0, 0, 0] += 1e-3  # scaling it all by a factor would be cancelled by the norm
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    onnx.save_model(model, path)


def test_export_then_parity_then_stylize(sttk, checkpoint, photo, tmp_path):
    result = sttk("export", checkpoint, "--size", 64, "--size", "48x80", "--json")
    assert result.exit_code == 0, result.output
    folders = [entry["artifact"] for entry in json.loads(result.stdout)]
    assert folders == ["artifacts/tiny/onnx-fp32-64x64", "artifacts/tiny/onnx-fp32-48x80"]

    result = sttk("parity", "--photos", photo.parent)
    assert result.exit_code == 0, result.output
    assert len(re.findall("^pass: exact promised", result.stdout, re.MULTILINE)) == 2
    assert all(read_manifest(folder).parity for folder in find_artifacts(tmp_path))

    out = tmp_path / "out.png"
    result = sttk("stylize", photo, "-o", out, "--artifact", folders[1], "--max-size", 60, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["runtime"] == "onnxruntime"
    assert out.exists()


def test_half_and_dynamic(sttk, checkpoint, photo):
    assert sttk("export", checkpoint, "--dynamic", "--half", "-o", "out").exit_code == 0
    manifest = read_manifest(find_artifacts(photo.parent.cwd() / "out")[0])
    assert manifest.target.precision == "fp16"
    assert manifest.plan == usual_plan("onnx", load(checkpoint), "fp16").to_dict()
    result = sttk(
        "parity", "out", "--photos", photo.parent, "--size", "40x64", "--regime", "photo", "--json"
    )
    assert result.exit_code == 0, result.output
    (report,) = json.loads(result.stdout)
    rows = [(row["name"], row["against"], row["rung"]) for row in report["rows"]]
    shipped = [f"{file.stem} 40x64" for file in shipped_photos()]
    both = ("reference", "float16 weights")
    assert [row[:2] for row in rows] == [
        (name, against) for name in [*shipped, "photo 40x64"] for against in both
    ]
    assert {row[2] for row in rows[1::2]} == {"exact"}


def test_parity_of_a_bare_model_and_of_the_wrong_one(sttk, make, checkpoint, photo, tmp_path):
    model = tmp_path / "anyone-made.onnx"
    shutil.copy(make(size=None) / "model.onnx", model)
    arguments = ("parity", model, "--photos", photo.parent, "--reference")
    assert sttk(*arguments, checkpoint).exit_code == 0
    break_model(model)
    result = sttk(*arguments, checkpoint)
    assert result.exit_code == 1
    assert "FAIL" in result.stdout
    assert "error: parity fails for 1 of 1" in result.stderr


@pytest.mark.parametrize("suffix", [".onnx", ".xml", ".tflite"])
def test_a_folder_named_like_a_model_is_a_folder(suffix, sttk, make, photo, tmp_path):
    folder = tmp_path / f"styles{suffix}"
    shutil.copytree(make("onnx", size=(64, 96)), folder / "mine")
    result = sttk("parity", folder, "--regime", "photo", "--summary")
    assert result.exit_code == 0, result.output
    assert f"{folder / 'mine'}" in result.stdout.replace("\n", "")
    result = sttk("inspect", folder)
    assert result.exit_code == 0, result.output
    assert "kind: artifact" in result.stdout
    shutil.rmtree(folder / "mine")
    result = sttk("parity", folder)
    assert (result.exit_code, "no artifact at or below it" in result.stderr) == (2, True)


def test_parity_of_changed_bytes_is_refused(sttk, checkpoint, photo):
    assert sttk("export", checkpoint, "--size", 64).exit_code == 0
    break_model("artifacts/tiny/onnx-fp32-64x64/model.onnx")
    result = sttk("parity", "--photos", photo.parent)
    assert result.exit_code == 2
    assert "not those that were exported" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["export", "none.pth"], "neither a shipped style (ink"),
        (["export", "--size", "big"], "neither N nor HxW"),
        (["export", "--size", "0"], "sides are 1 to"),
        (["export", "--size", "99999"], "sides are 1 to"),
        (["export", "--size", "64", "--dynamic"], "give one of them"),
        (["export", "--half", "--precision", "fp32"], "--half is --precision fp16"),
        (["export", "--opset", "7"], "sttk exports fp32 in 18 to 23"),
        (["export", "--target", "abacus"], "is not one of 'onnx'"),
        (["parity", "none.onnx"], "no such file or folder"),
        (["parity", "."], "no artifact at or below it"),
        (["stylize", "none.jpg", "-o", "x.png"], "none.jpg: no such file"),
    ],
)
def test_wrong_usage(sttk, arguments, text):
    result = sttk(*arguments)
    assert result.exit_code == 2
    assert text in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_one_broken_artifact_does_not_hide_the_others(sttk, checkpoint, photo):
    assert sttk("export", checkpoint, "--size", 64, "--size", 48).exit_code == 0
    break_model("artifacts/tiny/onnx-fp32-48x48/model.onnx")
    result = sttk("parity", "--photos", photo.parent, "--json")
    assert result.exit_code == 2
    broken, good = json.loads(result.stdout)
    assert "not those that were exported" in broken["error"]
    assert good["passed"]
    assert "not those that were exported" in result.stderr


def test_parity_works_from_another_folder(sttk, checkpoint, photo, tmp_path, monkeypatch):
    monkeypatch.chdir(checkpoint.parent)
    assert sttk("export", checkpoint.name, "--size", 64, "-o", tmp_path).exit_code == 0
    monkeypatch.chdir(tmp_path)
    assert sttk("parity", ".", "--photos", photo.parent).exit_code == 0


def test_a_bare_model_needs_a_reference(sttk, make, tmp_path):
    result = sttk("parity", make(size=(64, 64)) / "model.onnx")
    assert result.exit_code == 2
    assert "--reference CHECKPOINT" in result.stderr
    (tmp_path / "x.xyz").write_text("")
    assert "no runtime for it" in sttk("parity", "x.xyz", "--reference", "ink").stderr
    (tmp_path / "x.onnx").write_text("hello")
    assert "cannot load it" in sttk("parity", "x.onnx", "--reference", "ink").stderr


def test_an_export_into_a_file_is_refused(sttk, checkpoint, tmp_path):
    (tmp_path / "file").write_text("")
    result = sttk("export", checkpoint, "--size", 64, "-o", "file")
    assert result.exit_code == 2


@pytest.mark.parametrize(
    "sizes", [(128, 128, 64), (64, 256, 128), (64, 32, 128), ("64x128", "96x96", "128x64")]
)
def test_a_range_that_falls_is_refused_in_the_options_words(sttk, tmp_path, sizes):
    names = ("--min-size", "--opt-size", "--max-size")
    given = [part for pair in zip(names, sizes, strict=True) for part in pair]
    result = sttk("export", *given, "-o", tmp_path)
    assert result.exit_code == 2
    assert "--min-size, --opt-size and --max-size must not fall" in result.stderr


def test_parity_bisects_what_fails(make, checkpoint, photo, sttk, tmp_path):
    model = onnx.load(make(size=(64, 96)) / "model.onnx")
    pad = next(node for node in model.graph.node if node.name == "node_pad_2")
    next(a for a in pad.attribute if a.name == "mode").s = b"edge"
    path = tmp_path / "broken.onnx"
    onnx.save_model(model, path)
    asked = ("--reference", checkpoint, "--photos", photo.parent, "--regime", "photo")
    result = sttk("parity", path, *asked, "--bisect-to", tmp_path / "out")
    assert result.exit_code == 1
    wanted = "first at fault: net.conv3.pad (pad), in the model node_pad_2 (Pad)"
    assert wanted in " ".join(result.output.split())
    assert (tmp_path / "out" / "broken" / "reproduce.py").is_file()
    found = json.loads(sttk("parity", path, *asked, "--bisect", "--json").stdout)
    assert found[0]["bisection"]["first"]["operation"] == "node_pad_2"


def test_parity_bisects_what_passes(make, photo, sttk):
    asked = ("--photos", photo.parent, "--regime", "photo", "--bisect")
    result = sttk("parity", make(size=(64, 96)), *asked)
    assert result.exit_code == 0, result.output
    assert "no block falls under its floor" in result.output
