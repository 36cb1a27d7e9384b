"""What the words of ``sttk export`` become; the exporters' libraries have no part in it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

import sttk
from sttk.exporters import artifact, exporter
from sttk.exporters.base import SQUARE, Product
from sttk.exporters.coreml.options import CoreMLOptions
from sttk.exporters.onnx.options import GraphOptions
from sttk.exporters.trt.options import TensorrtOptions
from sttk.toolkit import styles, targets
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.core.errors import ExportError, MissingExtraError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.imaging.regimes import shipped_photos


def recorder(target, asked, error=None):
    """An exporter that claims what the target's claims, and notes what it is asked for."""

    def make(request, folder):
        asked.append((target, request))
        if error:
            raise error()
        (folder / "model.bin").write_bytes(b"model")
        usage = dict.fromkeys(("functions", "library", "link"), "such")
        return Product("model.bin", usage=usage)

    return dataclasses.replace(exporter(target), make=make)


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """The requests that reached an exporter: (target, request)."""
    monkeypatch.chdir(tmp_path)
    found = []
    monkeypatch.setattr(artifact, "exporter", lambda target: recorder(target, found))
    return found


@pytest.fixture
def fails(monkeypatch, asked):
    """Makes targets fail: ``fails(onnx=lambda: ExportError("no"))``."""

    def install(**broken):
        def failing(target):
            return recorder(target, asked, broken.get(target))

        monkeypatch.setattr(artifact, "exporter", failing)

    return install


@pytest.fixture
def export(sttk, checkpoint, asked):
    def run(*arguments):
        result = sttk("export", checkpoint, *arguments)
        assert result.exit_code == 0, result.output
        return [request for _, request in asked]

    return run


def test_with_no_options(export, asked):
    (request,) = export()
    assert asked[0][0] == "onnx"
    assert (request.precision, request.shapes, request.options) == ("fp32", SQUARE, GraphOptions())
    assert request.calibration == ()


@pytest.mark.parametrize(
    ("arguments", "shapes"),
    [
        (["--size", 64], [Shapes.fixed(64, 64)]),
        (["--size", "48x80", "--size", "64X96"], [Shapes.fixed(48, 80), Shapes.fixed(64, 96)]),
        (["--size", 64, "--size", "64x64"], [Shapes.fixed(64, 64)]),
        (["--dynamic"], [Shapes.any()]),
        (
            ["--min-size", 32, "--opt-size", "64x80", "--max-size", 96],
            [Shapes.within((32, 32), (64, 80), (96, 96))],
        ),
        (["--min-size", 32, "--max-size", 96], [Shapes.within((32, 32), (96, 96), (96, 96))]),
        (["--sizes", 64], [Shapes.fixed(64, 64)]),
    ],
)
def test_shapes(export, arguments, shapes):
    assert [request.shapes for request in export(*arguments)] == shapes


def test_several_sizes_in_one_model_the_first_by_default(export):
    (request,) = export("--target", "coreml", "--sizes", "256, 64,720x1280")
    assert request.shapes == Shapes.one_of([(256, 256), (64, 64), (720, 1280)])
    assert request.shapes.default == (256, 256)


@pytest.mark.parametrize(
    ("arguments", "precision"),
    [
        (["--target", "onnx"], "fp32"),
        (["--target", "coreml"], "fp16"),
        (["--target", "coreml", "--precision", "fp32"], "fp32"),
        (["--half"], "fp16"),
        (["--half", "--precision", "fp16"], "fp16"),
    ],
)
def test_precisions(export, arguments, precision):
    (request,) = export("--size", 64, *arguments)
    assert request.precision == precision


@pytest.mark.parametrize(
    ("target", "arguments", "options"),
    [
        ("onnx", ["--opset", 21], GraphOptions(opset=21)),
        ("onnx", ["--no-simplify"], GraphOptions(simplify=False)),
        ("openvino", ["--opset", 19, "--no-simplify"], GraphOptions(opset=19, simplify=False)),
        ("coreml", ["--deployment-target", "iOS18"], CoreMLOptions(deployment_target="iOS18")),
        ("coreml", ["--compress", "palette8"], CoreMLOptions(compress="palette8")),
        ("coreml", ["--tensor-io"], CoreMLOptions(tensor_io=True)),
        (
            "trt",
            ["--compute-capability", "8.6", "--compute-capability", "12.0"],
            TensorrtOptions(compute_capabilities=("8.6", "12.0")),
        ),
    ],
)
def test_options_reach_the_exporter(export, target, arguments, options):
    (request,) = export("--size", 64, "--target", target, *arguments)
    assert request.options == options


def test_all_is_every_target_but_those_for_which_one_must_ask(export, asked):
    export("--size", 64, "--target", "all")
    made = [target for target, _ in asked]
    assert made == [target for target in targets.NAMES if target not in ("coreai", "web")]
    assert len(made) > 1


def test_each_target_and_size_once(export, asked):
    export("--size", 64, "--size", 48, "--target", "coreai", "--target", "onnx", "--target", "onnx")
    assert [(target, str(request.shapes)) for target, request in asked] == [
        ("coreai", "64x64"),
        ("coreai", "48x48"),
        ("onnx", "64x64"),
        ("onnx", "48x48"),
    ]


def test_all_and_one_in_beta(export, asked):
    export("--size", 64, "--target", "onnx", "--target", "all", "--target", "coreai")
    made = [target for target, _ in asked]
    assert made[-1] == "coreai"
    assert len(set(made)) == len(made) == len(targets.NAMES) - 1


def test_an_option_that_one_of_the_targets_reads_is_no_error(export):
    requests = export("--size", 64, "--target", "coreai", "--target", "onnx", "--opset", 20)
    assert [vars(request.options) for request in requests] == [{}, {"opset": 20, "simplify": True}]


@pytest.mark.parametrize(
    ("target", "arguments"),
    [
        ("coreai", ["--opset", 18]),
        ("coreai", ["--no-simplify"]),
        ("coreml", ["--simplify"]),
        ("onnx", ["--compute-capability", "8.6"]),
        ("onnx", ["--deployment-target", "iOS16"]),
        ("onnx", ["--compress", "int8"]),
        ("trt", ["--tensor-io"]),
    ],
)
def test_an_option_that_no_target_reads_is_an_error(sttk, checkpoint, asked, target, arguments):
    result = sttk("export", checkpoint, "--size", 64, "--target", target, *arguments)
    assert result.exit_code == 2
    assert result.stderr.endswith(f" is not an option of {target} [usage]\n")
    assert result.stdout == ""
    assert asked == []


def test_pictures_to_calibrate_on(export, photo):
    (request,) = export("--size", 64, "--precision", "int8", "--calib", shipped_photos()[0].parent)
    assert request.calibration == tuple(shipped_photos())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--size", 64, "--sizes", "64,96"], "--size and --sizes: give one of them"),
        (["--dynamic", "--max-size", 64], "give one of them"),
        (["--sizes", "64,96", "--dynamic", "--size", 8], "--size and --sizes and --dynamic: give"),
        (["--min-size", 64], "a range needs --min-size and --max-size"),
        (["--max-size", 64], "a range needs --min-size and --max-size"),
        (["--opt-size", 64], "a range needs --min-size and --max-size"),
        (["--min-size", 64, "--max-size", 96, "--opt-size", 97], "must not fall"),
        (["--min-size", 96, "--max-size", 64], "must not fall"),
        (["--sizes", "64,48,64"], "a size is named twice"),
        (["--sizes", "64,"], "neither N nor HxW"),
        (["--size", "64x64x3"], "neither N nor HxW"),
        (["--size", "-64"], "neither N nor HxW"),
        (["--size", "16385"], "sides are 1 to 16384"),
        (["--sizes", "64,0"], "sides are 1 to 16384"),
        (["--precision", "fp64"], "'fp64' is not one of"),
        (["--half", "--precision", "int8"], "--half is --precision fp16"),
        (["--precision", "fp8"], "onnx has no precision fp8"),
        (["--target", "trt", "--dynamic"], "trt takes no --dynamic"),
        (["--sizes", "64,96"], "onnx takes no --sizes"),
        (["--size", "64x4"], "the net's smallest side is 5"),
        (["--min-size", 4, "--max-size", 64], "size 4x4: the net's smallest side is 5"),
        (["--calib", "."], "--calib is for --precision int8"),
        (["--calib", ".", "--precision", "int8"], "no pictures in it"),
    ],
)
def test_wrong_usage(sttk, checkpoint, asked, tmp_path, arguments, text):
    result = sttk("export", checkpoint, *arguments)
    assert result.exit_code == 2
    assert text in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert (result.stdout, asked) == ("", [])
    assert not list(tmp_path.rglob("manifest.json"))


def test_json_is_of_what_was_made(sttk, checkpoint, asked, tmp_path):
    arguments = ("--size", 64, "--target", "onnx", "--target", "coreml", "--json", "-o", tmp_path)
    result = sttk("export", checkpoint, *arguments)
    assert result.exit_code == 0, result.output
    entries = json.loads(result.stdout)
    names = ["onnx-fp32-64x64", "coreml-fp16-64x64"]
    assert [entry["artifact"] for entry in entries] == [f"{tmp_path}/tiny/{n}" for n in names]
    assert [(entry["model"], entry["bytes"]) for entry in entries] == [("model.bin", 5)] * 2
    assert read_manifest(tmp_path / "tiny" / names[0]).target.shapes == Shapes.fixed(64, 64)
    assert result.stderr == ""


def test_what_fails_does_not_hide_what_was_made(sttk, checkpoint, fails):
    fails(onnx=lambda: ExportError("no luck", fix="try again"))
    arguments = ("--size", 64, "--size", 48, "--target", "onnx", "--target", "openvino", "--json")
    result = sttk("export", checkpoint, *arguments)
    assert result.exit_code == 1
    made = [entry["artifact"] for entry in json.loads(result.stdout)]
    assert made == [f"artifacts/tiny/openvino-fp32-{size}" for size in ("64x64", "48x48")]
    assert result.stderr.splitlines() == [
        "error: onnx-fp32-64x64: no luck (try again) [export]",
        "error: onnx-fp32-48x48: no luck (try again) [export]",
    ]


def test_what_cannot_be_asked_of_one_target_is_made_for_the_others(sttk, checkpoint, asked):
    arguments = ("--sizes", "64,96", "--target", "onnx", "--target", "coreml")
    result = sttk("export", checkpoint, *arguments)
    assert result.exit_code == 2
    assert [target for target, _ in asked] == ["coreml"]
    assert "next: sttk parity artifacts/tiny/coreml-fp16-64x64+96x96" in result.stdout
    assert "error: onnx-fp32-64x64+96x96: onnx takes no --sizes" in result.stderr


def test_a_library_that_is_not_there(sttk, checkpoint, fails):
    fails(onnx=lambda: MissingExtraError("onnx", "onnx"))
    result = sttk("export", checkpoint, "--size", 64)
    assert result.exit_code == 3
    assert result.stdout == ""
    assert (
        result.stderr == "error: onnx is not installed (pip install 'sttk[onnx]') [missing-extra]\n"
    )


@pytest.mark.parametrize("first", ["onnx", "openvino"])
def test_of_several_errors_the_gravest_is_the_exit_code(sttk, checkpoint, fails, first):
    """What failed is not to pass for what is not here, whichever comes first."""
    errors = [lambda: ExportError("no luck"), lambda: MissingExtraError("openvino", "openvino")]
    second = {"onnx": "openvino", "openvino": "onnx"}[first]
    fails(**dict(zip((first, second), errors, strict=True)))
    result = sttk("export", checkpoint, "--size", 64, "--target", "onnx", "--target", "openvino")
    assert result.exit_code == 1


def test_a_page_is_of_any_size_and_other_targets_of_512(export, asked):
    export("--target", "onnx", "--target", "web")
    assert [(target, request.shapes) for target, request in asked] == [
        ("onnx", SQUARE),
        ("web", Shapes.any()),
    ]


def test_a_page_of_no_style_in_particular_offers_the_small_ones(sttk, asked):
    result = sttk("export", "--target", "web", "--offer", "scream")
    assert result.exit_code == 0, result.output
    ((_, request),) = asked
    assert request.net.origin.name == "ink-mobile-m"
    assert request.options.offers[0] == "scream"
    offered = [name for name in request.options.offers if "mobile" in name]
    assert offered == [f"{full}-mobile-m" for full in styles.full_names()]


def test_only_pages_offer_styles(sttk, checkpoint, asked):
    result = sttk("export", checkpoint, "--target", "onnx", "--offer", "scream")
    assert result.exit_code == 2
    assert "--offer is not an option of onnx" in result.stderr


ENDS = dict.fromkeys(
    (f"net.{name}" for name in ("conv1", "conv2", "head", "norm1", "norm2", "norm5", "up2")), "fp32"
)
SIXTEEN = ("--target", "executorch", "--half", "--size", 64)


def test_executorch_keeps_both_ends_in_float32_and_says_so(sttk, checkpoint, asked):
    result = sttk("export", checkpoint, *SIXTEEN)
    assert result.stdout.splitlines() == [
        "artifacts/tiny/executorch-fp16-64x64: model.bin, 0.0 MB",
        f"  by the plan: fp16, but fp32 in {', '.join(ENDS)}",
        "next: sttk parity artifacts/tiny/executorch-fp16-64x64",
    ]
    folder = Path("artifacts/tiny/executorch-fp16-64x64")
    assert read_manifest(folder).plan == {"default": "fp16", **ENDS}
    said = f"plan: fp16, but fp32 in {', '.join(ENDS)} |"
    assert said in (folder / "README.md").read_text()
    (_, request), *_ = asked
    assert dict(request.plan.blocks) == ENDS


def test_every_block_alike_where_it_is_asked_for(sttk, checkpoint, asked):
    result = sttk("export", checkpoint, *SIXTEEN, "--plan", "uniform", "--json")
    (made,) = json.loads(result.stdout)
    assert made["artifact"] == f"artifacts/tiny/executorch-fp16-plan{Plan('fp16').digest}-64x64"
    assert made["plan"] == {"default": "fp16"}
    assert asked[0][1].plan.blocks == ()


def test_from_python_the_same(checkpoint, asked):
    sttk.export(checkpoint, "executorch", precision="fp16", size=64)
    assert dict(asked[0][1].plan.blocks) == ENDS


def test_of_many_the_common_folder_is_what_comes_next(sttk, checkpoint, asked):
    result = sttk("export", checkpoint, "--size", 64, "--size", 48, "--target", "openvino")
    assert result.stdout.splitlines()[-1] == "next: sttk parity artifacts/tiny"
