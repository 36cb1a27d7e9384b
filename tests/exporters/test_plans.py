"""A mixed plan in every target, read back from what was saved."""

from __future__ import annotations

import onnx
import pytest

from sttk.exporters import exporter
from sttk.exporters.artifact import folder_name, make_artifact
from sttk.exporters.base import ExportRequest
from sttk.exporters.plans import usual_plan
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.core.errors import ArtifactError, UsageError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.rungs import EXACT, FAITHFUL
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.imaging.regimes import shipped_photos
from sttk.toolkit.opened.artifact import open_artifact, reference_of
from sttk.toolkit.opened.checks import checks_of_file
from sttk.toolkit.targets.coreml.package import read_package
from sttk.toolkit.targets.trt.checks import precisions
from sttk.toolkit.targets.trt.engine import convolutions
from tests.conftest import nightly
from tests.exporters.phones import SMALL, follows, pictures, rung_of

FIXED = Shapes.fixed(64, 96)
FIRST_TWO = {"net.conv1": "fp32", "net.norm1": "fp32", "net.conv2": "fp32", "net.norm2": "fp32"}
CONVOLUTIONS = 10
HALF, FULL = 10, 11  # in Core ML's protobufs


@pytest.fixture
def made(net, tmp_path):
    """The tiny net by a plan: ``made("onnx", "fp16", {"net.conv1": "fp32"})``."""

    def artifact(target, default, blocks, size=None, **options):
        plan = Plan.of_blocks(default, blocks)
        calibration = tuple(shipped_photos()[:1])
        shapes = Shapes.fixed(*size) if size else FIXED
        told = exporter(target).options(**options)
        request = ExportRequest(net, plan, shapes, told, calibration)
        return make_artifact(target, request, tmp_path)

    return artifact


def holds(folder, net):
    """It computes what its reference does, with its quantisers: tests/rungs.py, or ``follows``."""
    reference = reference_of(open_artifact(folder).manifest)
    if read_manifest(folder).quantization:
        return follows(folder, reference, net)
    return rung_of(folder, reference, pictures(1, 3, 64, 96)) in (EXACT, FAITHFUL)


def graph_precisions(folder):
    return list(precisions(onnx.load(folder / "model.onnx")).values())


def test_onnx_has_the_named_convolutions_in_float32(made, net):
    folder = made("onnx", "fp16", FIRST_TWO)
    assert graph_precisions(folder) == ["fp32"] * 2 + ["fp16"] * 8
    norms = [n for n in onnx.load(folder / "model.onnx").graph.node if "InstanceNorm" in n.op_type]
    assert len(norms) == 9
    assert holds(folder, net)


def test_a_norm_alone(made):
    folder = made("onnx", "fp16", {"net.blocks.0.norm1": "fp32"})
    model = onnx.shape_inference.infer_shapes(onnx.load(folder / "model.onnx"))
    types = {v.name: v.type.tensor_type.elem_type for v in model.graph.value_info}
    norms = [types[n.output[0]] for n in model.graph.node if n.op_type == "InstanceNormalization"]
    tensor = onnx.TensorProto
    assert norms == [tensor.FLOAT16] * 3 + [tensor.FLOAT] + [tensor.FLOAT16] * 5
    assert graph_precisions(folder) == ["fp16"] * CONVOLUTIONS


def test_int8_with_float_blocks(made, net):
    blocks = {"net.conv1": "fp32", "net.head": "fp16"}
    folder = made("onnx", "int8", blocks, size=SMALL)
    assert graph_precisions(folder) == ["fp32"] + ["int8"] * 8 + ["fp16"]
    inputs = read_manifest(folder).quantization["inputs"]
    assert len(inputs) == CONVOLUTIONS - 2
    assert not {"net.conv1.conv", "net.head.conv"} & inputs.keys()
    assert holds(folder, net)


@pytest.mark.parametrize(
    ("default", "blocks", "halves"),
    [
        ("fp16", FIRST_TWO, CONVOLUTIONS - 2),
        ("int8", {"net.conv1": "fp32", "net.head": "fp16"}, 1),
    ],
)
def test_openvino_has_the_named_weights_as_they_are(made, net, default, blocks, halves):
    import openvino

    folder = made("openvino", default, blocks, size=SMALL if default == "int8" else None)
    constants = [
        (operation.get_friendly_name(), operation.output(0).element_type.to_string())
        for operation in openvino.Core().read_model(folder / "model.xml").get_ordered_ops()
        if operation.get_type_name() == "Constant" and len(operation.output(0).shape) == 4
    ]
    found = dict(entry for entry in constants if "conv" in entry[0])
    assert found["net.conv1.conv.weight"] == "f32"
    assert list(found.values()).count("f16") == halves
    assert holds(folder, net)


def test_trt_is_built_from_the_mixed_graph(made):
    pytest.importorskip("tensorrt_rtx")
    folder = made("trt", "fp16", FIRST_TWO)
    found = list(convolutions((folder / "model.engine").read_bytes()).values())
    assert found == graph_precisions(folder) == ["fp32"] * 2 + ["fp16"] * 8
    assert all(check.passed for check in checks_of_file(folder / "model.engine"))


@pytest.mark.parametrize("default", ["fp16", nightly("int8")])
def test_core_ml_computes_the_named_blocks_in_float32(made, net, default):
    options = {"deployment_target": "iOS17", "tensor_io": True}
    size = SMALL if default == "int8" else None
    folder = made("coreml", default, FIRST_TWO, size=size, **options)
    ops = read_package(folder / "model.mlpackage").operations
    kinds = {"conv", "instance_norm", "relu", "pad"}
    found = [(op.type, op.outputs[0].type.tensorType.dataType) for op in ops if op.type in kinds]
    full = [kind for kind, dtype in found if dtype == FULL]
    # The ReLU between them, too: in float16, it would round what the second block is given.
    assert full[:7] == ["pad", "conv", "instance_norm", "relu", "pad", "conv", "instance_norm"]
    assert set(full[7:]) <= {"relu"}
    assert all(check.passed for check in checks_of_file(folder / "model.mlpackage"))
    # Of int8, the float part is float16, which takes values from one level to the next in every
    # picture: no more can be said than that it runs.
    if default == "fp16":
        assert holds(folder, net)
    else:
        assert open_artifact(folder).runner().run(pictures(1, 3, *SMALL)).std() > 10


def test_core_ml_finds_a_package_that_is_not_its_plans(made):
    folder = made("coreml", "fp16", FIRST_TWO)
    text = (folder / "manifest.json").read_text()
    plan = text[text.index('"plan"') :].split("}")[0]
    (folder / "manifest.json").write_text(text.replace(plan, '"plan": {"default": "fp16"'))
    failed = [
        check.name for check in checks_of_file(folder / "model.mlpackage") if not check.passed
    ]
    assert failed == ["precision of the program"]


def test_core_ai(made, net):
    pytest.importorskip("coreai_torch")
    assert holds(made("coreai", "fp16", FIRST_TWO), net)


def test_the_manifest_and_the_readme_say_the_plan(made, net):
    folder = made("onnx", "fp16", {"net.conv1": "fp32"})
    assert read_manifest(folder).plan == {"default": "fp16", "net.conv1": "fp32"}
    assert "plan: fp16, but fp32 in net.conv1 |" in (folder / "README.md").read_text()
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('"default": "fp16"', '"default": "int8"'))
    with pytest.raises(ArtifactError, match="a plan of int8"):
        read_manifest(folder)


def test_two_plans_have_two_folders(net):
    names = {
        folder_name("onnx", ExportRequest(net, Plan.of_blocks("fp16", b), FIXED))
        for b in (dict(usual_plan("onnx", net, "fp16").blocks), {"net.conv1": "fp32"}, {})
    }
    assert len(names) == 3
    assert "onnx-fp16-64x96" in names


@pytest.mark.parametrize(
    ("target", "default", "blocks", "words"),
    [
        ("onnx", "fp16", {"net.conv7": "fp32"}, "no such block .*near it: net.conv"),
        ("onnx", "fp16", {"net": "fp32"}, "leaves nothing in fp16"),
        ("coreai", "int8", {"net.head": "fp32"}, "coreai has no precision int8"),
        ("trt", "fp8", {"net.conv9": "fp16"}, "no such block"),
    ],
)
def test_what_cannot_be_is_refused(made, target, default, blocks, words):
    with pytest.raises(UsageError, match=words):
        made(target, default, blocks)


def test_core_ml_does_not_compress_a_mixed_plan(made):
    with pytest.raises(UsageError, match="weights of a mixed plan are not compressed"):
        made("coreml", "fp16", {"net.conv1": "fp32"}, compress="int8")


def test_the_same_bytes_again(made, net, tmp_path):
    first = read_manifest(made("onnx", "fp16", FIRST_TWO)).files
    assert read_manifest(made("onnx", "fp16", FIRST_TWO)).files == first


def test_the_model_is_one_of_any_size_too(net, tmp_path):
    plan = Plan.of_blocks("fp16", FIRST_TWO)
    folder = make_artifact("onnx", ExportRequest(net, plan, Shapes.any()), tmp_path)
    assert rung_of(folder, net, pictures(2, 3, 37, 61)) == FAITHFUL
