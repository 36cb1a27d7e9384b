"""That sttk's code comes out with the names which each version of TensorRT has."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import onnx
import pytest

import sttk.exporters.trt.export
from sttk.exporters.base import ExportRequest
from sttk.exporters.trt.options import TensorrtOptions
from sttk.toolkit.core.errors import ExportError, MissingExtraError, NotRunError, UsageError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.targets.trt import library
from sttk.toolkit.targets.trt.checks import precisions

RECORDS = Path(__file__).parent / "names"
FULL = ["10.16", "11.4"]
VERSIONS = [*FULL, "rtx-1.7"]
RANGE = Shapes.within((64, 64), (96, 96), (128, 192))


def names(version):
    return json.loads((RECORDS / f"{version}.json").read_text())["names"]


@pytest.fixture
def build(gpu, fake_trt, engine_bytes, make, net, tmp_path, monkeypatch):
    """Exports with a fake library, from a graph that was made before: torch looks for it, too."""
    graphs = {size: onnx.load(make(size=size) / "model.onnx") for size in (None, (64, 96))}

    def run(version, shapes=RANGE, precision="fp32", fails=None, capability=(8, 6), asked=()):
        gpu(capability=capability)
        own = fake_trt(version)
        own.fails = fails
        model = graphs[shapes.only]
        library = own.module.__name__
        kinds = dict.fromkeys(precisions(model), "float")
        own.engine = engine_bytes(library, own.module.__version__, types=kinds)
        monkeypatch.setattr(sttk.exporters.trt.export, "graph", lambda request: model)
        request = ExportRequest(
            net, Plan(precision), shapes, TensorrtOptions(compute_capabilities=asked)
        )
        return sttk.exporters.trt.EXPORTER.export(request, tmp_path), own

    return run


def test_the_record_of_what_is_installed_is_right():
    installed = pytest.importorskip("tensorrt_rtx")
    spec = importlib.util.spec_from_file_location("record", RECORDS / "record.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.record(installed)["names"] == names("rtx-1.7")


def test_what_11_removed_and_renumbered():
    old, new, rtx = (names(version) for version in VERSIONS)
    gone = {"FP16", "INT8", "OBEY_PRECISION_CONSTRAINTS"}
    assert gone <= old["BuilderFlag"].keys()
    assert not gone & (new["BuilderFlag"].keys() | rtx["BuilderFlag"].keys())
    flags = [names(version)["NetworkDefinitionCreationFlag"] for version in VERSIONS]
    assert [flag["STRONGLY_TYPED"] for flag in flags] == [1, 0, 0]
    assert ["EXPLICIT_BATCH" in flag for flag in flags] == [True, False, False]
    assert "SM90" not in rtx["ComputeCapability"]


BEGIN = [
    "create_network",
    "parse_from_file",
    "create_builder_config",
    "clear_flag",
    "profiling_verbosity",
]
PROFILE = ["get_input", "create_optimization_profile", "set_shape"]


@pytest.mark.parametrize(("version", "flags"), [("10.16", 2), ("11.4", 1), ("rtx-1.7", 1)])
def test_the_order_of_calls(build, tmp_path, version, flags):
    product, own = build(version)
    build_it = ["add_optimization_profile", "build_serialized_network"]
    assert own.calls == [*BEGIN, *PROFILE, *build_it]
    assert own.flags == flags
    assert own.cleared.name == "TF32"
    assert own.profile == ("image", (1, 3, 64, 64), (1, 3, 96, 96), (1, 3, 128, 192))
    assert (tmp_path / "model.engine").read_bytes() == own.engine
    assert product.graph == "model.onnx"
    assert product.tools[own.module.__name__] == own.module.__version__
    assert product.options["compute_capabilities"] == ([] if version == "rtx-1.7" else ["8.6"])


def test_compute_capabilities_are_named_in_order(build):
    product, own = build("rtx-1.7", Shapes.fixed(64, 96), asked=("12.0", "8.6", "8.6"))
    assert own.calls == [
        *BEGIN,
        "num_compute_capabilities",
        *["set_compute_capability"] * 2,
        "build_serialized_network",
    ]
    known = own.module.ComputeCapability
    assert own.capabilities == {0: known.SM86, 1: known.SM120}
    assert product.options["compute_capabilities"] == ["8.6", "12.0"]


@pytest.mark.parametrize("version", FULL)
def test_the_full_library_builds_for_the_gpu_that_is_here(build, version):
    assert build(version, asked=("8.6",))[0].options["compute_capabilities"] == ["8.6"]
    with pytest.raises(UsageError, match=r"this machine alone, which is 8\.6"):
        build(version, asked=("8.6", "8.9"))
    with pytest.raises(UsageError, match=r"no fp8 for 8\.6"):
        build(version, precision="fp8")
    with pytest.raises(ExportError, match="no convolution of the graph is in fp8"):
        build(version, precision="fp8", capability=(9, 0))


@pytest.mark.parametrize("version", FULL)
def test_the_full_library_without_a_gpu(build, monkeypatch, version):
    monkeypatch.setattr(library, "present", lambda: False)
    with pytest.raises(NotRunError, match="tensorrt cannot build here: no CUDA device") as caught:
        build(version, fails="Builder")
    assert "CUDA initialization failure with error: 35" in str(caught.value)
    assert "pip install 'sttk[trt]', which builds without one" in str(caught.value)
    monkeypatch.setattr(library, "present", lambda: True)
    with pytest.raises(NotRunError, match="cannot build here: CUDA initialization failure"):
        build(version, fails="Builder")


@pytest.mark.parametrize(
    ("fails", "text"),
    [
        ("parse", "refuses the graph: Pad pad_1: first thing; second thing"),
        ("build", "cannot build the engine: hm; no kernel for it"),
        ("profile", "refuses the range 64x64-128x192"),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_what_fails_is_one_line_and_nothing_is_printed(build, capfd, version, fails, text):
    with pytest.raises(ExportError, match=text) as caught:
        build(version, fails=fails)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_for_rtx_comes_first_and_neither_is_an_answer(fake_trt, monkeypatch):
    full = fake_trt("11.4").module
    assert library.builder_library() is full
    rtx = fake_trt("rtx-1.7").module
    monkeypatch.setitem(sys.modules, "tensorrt", full)
    assert library.builder_library() is rtx
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(MissingExtraError, match=r"tensorrt_rtx is not installed .*sttk\[trt\]"):
        library.builder_library()
