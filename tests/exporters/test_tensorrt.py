from __future__ import annotations

import json
import logging
import re
import shutil
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import sttk.exporters.trt.export
from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.exporters.trt.options import TensorrtOptions
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.core.errors import ExportError, MissingExtraError, UsageError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.io.files import sha256
from sttk.toolkit.targets.trt.engine import convolutions, read_header

FIXED = Shapes.fixed(64, 96)
RANGE = Shapes.within((32, 32), (64, 64), (96, 128))
CALIBRATED = 2  # random pictures; that the build takes the graph needs no more


@pytest.fixture(autouse=True)
def library_alone(no_gpu):
    """The library is needed, and a GPU is not to be found, wherever the tests run."""
    pytest.importorskip("tensorrt_rtx")


@pytest.mark.parametrize("shapes", [FIXED, RANGE])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_engine_and_its_graph(make, shapes, precision):
    folder = make("trt", shapes=shapes, precision=precision)
    names = sorted(file.name for file in folder.iterdir())
    assert names == ["README.md", "manifest.json", "model.engine", "model.onnx"]
    manifest = read_manifest(folder)
    assert (manifest.model, manifest.graph) == ("model.engine", "model.onnx")
    assert manifest.target.options == {
        "opset": 18,
        "simplified": True,
        "compute_capabilities": [],
        "tf32": False,
    }
    header = read_header((folder / "model.engine").read_bytes())
    assert manifest.tools["tensorrt_rtx"] == header.version
    assert header.capabilities[-1] == "later"
    found = convolutions((folder / "model.engine").read_bytes())
    assert list(found.values()) == [precision] * 10


def test_same_request_same_bytes_wherever_it_goes(make, net, tmp_path):
    again = make_artifact("trt", ExportRequest(net, shapes=FIXED), tmp_path)
    for name in ("model.engine", "model.onnx", "manifest.json"):
        assert (again / name).read_bytes() == (make("trt", shapes=FIXED) / name).read_bytes()
    assert b"/tmp" not in (again / "model.engine").read_bytes()


def test_of_a_range_the_engine_is_the_same_but_for_names_of_temporaries(make, net, tmp_path):
    again = make_artifact("trt", ExportRequest(net, shapes=RANGE), tmp_path)
    first = make("trt", shapes=RANGE)
    assert (again / "model.onnx").read_bytes() == (first / "model.onnx").read_bytes()
    engines = [(folder / "model.engine").read_bytes() for folder in (again, first)]
    functions = [sorted(re.findall(rb" fqn=(\w+)", engine)) for engine in engines]
    assert functions[0] == functions[1] != []
    assert len(engines[0]) == len(engines[1])
    assert convolutions(engines[0]) == convolutions(engines[1])


def test_the_graph_is_what_the_onnx_target_makes(make):
    graph = make("onnx", size=(64, 96), rewrites=False) / "model.onnx"
    assert (make("trt", shapes=FIXED) / "model.onnx").read_bytes() == graph.read_bytes()


def test_capabilities_by_name(make):
    folder = make("trt", shapes=FIXED, compute_capabilities=("12.0", "8.6"))
    header = read_header((folder / "model.engine").read_bytes())
    assert header.capabilities == ("8.6", "12.0")
    assert read_manifest(folder).target.options["compute_capabilities"] == ["8.6", "12.0"]


@pytest.mark.parametrize(
    ("precision", "asked", "text"),
    [
        ("fp32", ("9.0",), r"for compute capability 9\.0; it can for 7\.5, 8\.0, 8\.6"),
        ("fp32", ("8.6", "sm_90", ""), r"capability sm_90, ; it can for"),
        ("fp8", ("8.9", "8.6"), r"^no fp8 for 8\.6; there is for 8\.9, 12\.0, 12\.1$"),
        ("int8", ("7.5", "8.6"), r"^no int8 for 7\.5; there is for 8\.0, 8\.6"),
    ],
)
def test_capabilities_that_cannot_be(net, tmp_path, precision, asked, text):
    request = ExportRequest(
        net, Plan(precision), FIXED, TensorrtOptions(compute_capabilities=asked)
    )
    with pytest.raises(UsageError, match=text):
        make_artifact("trt", request, tmp_path)


def test_shapes_that_cannot_be(net, tmp_path, make, monkeypatch):
    with pytest.raises(UsageError, match="pass --size, or --min-size"):
        make_artifact("trt", ExportRequest(net, shapes=Shapes.any()), tmp_path)
    with pytest.raises(UsageError, match="one batch size"):
        make_artifact("trt", ExportRequest(net, shapes=Shapes.fixed(64, 96, batch=None)), tmp_path)
    model = onnx.load(make(size=None) / "model.onnx")
    monkeypatch.setattr(sttk.exporters.trt.export, "graph", lambda request: model)
    small = Shapes.within((4, 64), (64, 64), (64, 64))
    with pytest.raises(UsageError, match="would reflect 4 pixels of 4"):
        sttk.exporters.trt.EXPORTER.export(ExportRequest(net, shapes=small), tmp_path)


def test_without_the_library(net, tmp_path, monkeypatch):
    for name in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'sttk\[trt\]'"):
        make_artifact("trt", ExportRequest(net, shapes=FIXED), tmp_path)


def test_what_the_parser_refuses_is_one_line(net, make, tmp_path, monkeypatch, capfd):
    model = onnx.load(make(size=(64, 96)) / "model.onnx")
    model.graph.node[-1].op_type = "NoSuchThing"
    monkeypatch.setattr(sttk.exporters.trt.export, "graph", lambda request: model)
    with pytest.raises(ExportError, match="refuses the graph: NoSuchThing node_clamp") as caught:
        sttk.exporters.trt.EXPORTER.export(ExportRequest(net, shapes=FIXED), tmp_path)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def quantised(model, kind, names):
    """The graph with Q/DQ of ``kind`` before input and weights of the named convolutions."""
    graph, nodes = model.graph, []
    graph.initializer.append(numpy_helper.from_array(np.float32(0.5), "scale"))
    graph.initializer.append(helper.make_tensor("zero", kind, [], [0]))
    for node in graph.node:
        for index in (0, 1) if node.name in names else ():
            small, back = (f"{node.name}.{index}.{end}" for end in ("q", "dq"))
            source, node.input[index] = node.input[index], back
            nodes.append(helper.make_node("QuantizeLinear", [source, "scale", "zero"], [small]))
            nodes.append(helper.make_node("DequantizeLinear", [small, "scale", "zero"], [back]))
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def kernels(model):
    """The size of each convolution's kernel, by name."""
    sizes = {weight.name: weight.dims[2] for weight in model.graph.initializer if weight.dims[2:]}
    return {node.name: sizes[node.input[1]] for node in model.graph.node if node.op_type == "Conv"}


def export_of(model, net, precision, folder, monkeypatch):
    monkeypatch.setattr(sttk.exporters.trt.export, "graph", lambda request: model)
    product = sttk.exporters.trt.EXPORTER.export(ExportRequest(net, Plan(precision), FIXED), folder)
    return product, convolutions((folder / product.model).read_bytes())


def test_int8_of_onnxruntimes_quantisation(make, net, tmp_path, monkeypatch):
    quantization = pytest.importorskip("onnxruntime.quantization")
    monkeypatch.setattr(logging.root, "disabled", True)  # it advises a step that was done

    class Pictures(quantization.CalibrationDataReader):
        def __init__(self):
            rng = np.random.default_rng(0)
            shape = (1, 3, 64, 96)
            self.left = [rng.uniform(0, 255, shape).astype(np.float32) for _ in range(CALIBRATED)]

        def get_next(self):
            return {"image": self.left.pop()} if self.left else None

    path = tmp_path / "int8.onnx"
    quantization.quantize_static(
        make(size=(64, 96)) / "model.onnx",
        path,
        Pictures(),
        quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        per_channel=True,
        activation_type=quantization.QuantType.QInt8,
        weight_type=quantization.QuantType.QInt8,
        extra_options={"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False},
    )
    product, found = export_of(onnx.load(path), net, "int8", tmp_path, monkeypatch)
    assert list(found.values()) == ["int8"] * 10
    assert product.options["compute_capabilities"] == []


@pytest.mark.parametrize("largest", [3, 9])
def test_fp8_is_built_for_the_gpus_that_have_it(make, net, tmp_path, monkeypatch, largest):
    model = onnx.load(make(size=(64, 96), opset=21) / "model.onnx")
    names = [name for name, size in kernels(model).items() if size <= largest]
    model = quantised(model, TensorProto.FLOAT8E4M3FN, names)
    if largest == 9:  # TensorRT has no fp8 kernels of more than 32 taps, and takes fp32 ones
        with pytest.raises(ExportError, match=r"not in the graph's precisions: .* fp32, not fp8"):
            export_of(model, net, "fp8", tmp_path, monkeypatch)
        return
    product, found = export_of(model, net, "fp8", tmp_path, monkeypatch)
    assert sorted(found.values()) == ["fp32"] * 2 + ["fp8"] * 8
    assert product.options["compute_capabilities"] == ["8.9", "12.0", "12.1"]


def test_a_graph_of_another_precision_is_not_built(make, net, tmp_path, monkeypatch):
    model = onnx.load(make(size=(64, 96)) / "model.onnx")
    with pytest.raises(ExportError, match="no convolution of the graph is in int8"):
        export_of(model, net, "int8", tmp_path, monkeypatch)


@pytest.fixture
def exported(make, tmp_path):
    """A copy: parity writes into the manifest."""
    return shutil.copytree(make("trt", shapes=FIXED, precision="fp16"), tmp_path / "copy")


def test_parity_judges_the_graph_and_says_so(sttk, exported, photo):
    arguments = ("parity", exported, "--photos", photo.parent)
    result = sttk(*arguments)
    assert result.exit_code == 0, result.output
    assert "not run: no CUDA device" in result.stdout
    assert "pass: precisions: convolutions: 10 of 10 fp16" in result.stdout
    assert read_manifest(exported).parity["host"]["not_run"] == "not run: no CUDA device"
    result = sttk(*arguments, "--require", "trt")
    assert result.exit_code == 3
    assert "not run: no CUDA device" in result.stderr
    result = sttk("stylize", photo, "-o", exported.parent / "x.png", "--artifact", exported)
    assert (result.exit_code, result.stderr) == (3, "error: not run: no CUDA device [not-run]\n")


def test_parity_fails_on_another_engine(sttk, exported, make, photo):
    """One of fp32 under the manifest of fp16: all hashes agree, and it is not what it says."""
    shutil.copy(make("trt", shapes=FIXED) / "model.engine", exported)
    file = exported / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["files"]["model.engine"] = sha256(exported / "model.engine")
    file.write_text(json.dumps(manifest))
    result = sttk("parity", exported, "--photos", photo.parent)
    assert result.exit_code == 1
    assert "FAIL: precisions: node_conv2d fp32, not fp16" in result.stdout


def test_export_as_a_user_types_it(sttk, checkpoint, tmp_path):
    arguments = ("export", checkpoint, "--target", "trt", "-o", tmp_path, "--json")
    result = sttk(*arguments, "--size", 64, "--compute-capability", "8.6")
    assert result.exit_code == 0, result.output
    (facts,) = json.loads(result.stdout)
    assert facts["model"] == "model.engine"
    result = sttk(*arguments, "--size", 64, "--compute-capability", "9.0")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
