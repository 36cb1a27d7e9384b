"""Files that are broken, hostile or no style nets: one line says which, and no memory is taken."""

from __future__ import annotations

import contextlib
import resource

import numpy as np
import onnx
import pytest

from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.errors import CheckpointError

helper = onnx.helper
RELU = [("Relu", ["x"], "out", {})]


def refused(path, *parts, fix=""):
    with pytest.raises(CheckpointError) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: cannot be read as a style net: ")
    assert "\n" not in text
    assert len(text) < 400 + len(str(path))
    for part in (*parts, fix):
        assert part in text
    assert caught.value.exit_code == 2


@pytest.fixture
def changed(make_onnx):
    """A file of one ReLU after a change to its protobuf message."""

    def build(change, nodes=RELU, weights=None, **options):
        path = make_onnx(nodes, weights, **options)
        model = onnx.load(path)
        change(model)
        path.write_bytes(model.SerializeToString())
        return path

    return build


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\x08\x07", b"\xff" * 99]
)
def test_no_onnx(content, tmp_path):
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    refused(path, "not ONNX, but" if content in (b"", b"\x89PNG\r\n\x1a\n") else "not an ONNX file")


def test_truncated(make_onnx):
    path = make_onnx(RELU, {"w": np.zeros(99, np.float32)})
    content = path.read_bytes()
    for end in range(0, len(content) - 1, 7):
        path.write_bytes(content[:end])
        with pytest.raises(CheckpointError):
            load(path)


def test_a_file_that_is_too_large(tmp_path):
    path = tmp_path / "x.onnx"
    with path.open("wb") as stream:
        stream.truncate(1 << 30)  # takes no room on the disk
    refused(path, "1073741824 bytes are more than")


def test_an_unknown_operation_is_named(make_onnx):
    refused(make_onnx([("Einsum", ["x"], "y", {}), *RELU]), "operation Einsum (node Einsum for y)")
    long = "L" * 500 + "\n"
    refused(make_onnx([(long, ["x"], "out", {})]), "operation LLL")


def test_an_operation_of_another_domain(changed):
    def change(model):
        model.graph.node[0].domain = "com.microsoft"

    refused(changed(change), "operation com.microsoft.Relu")


def test_graphs_in_graphs_are_not_followed(make_onnx):
    inner = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "inner",
        [],
        [helper.make_tensor_value_info("y", 1, None)],
    )
    nodes = [("If", ["c"], "out", {"then_branch": inner, "else_branch": inner})]
    refused(make_onnx(nodes, {"c": np.array(True)}), "operation If")


def test_nesting_without_end(tmp_path):
    """Protobuf's own bound on recursion: 100 messages in each other."""
    graph = b""
    for _ in range(5000):
        # GraphProto.node { NodeProto.attribute { AttributeProto.g { ... } } }
        for field in (0x32, 0x2A, 0x0A):
            size, length = len(graph), b""
            while size > 127:
                length += bytes([size & 127 | 128])
                size >>= 7
            graph = bytes([field]) + length + bytes([size]) + graph
    path = tmp_path / "x.onnx"
    path.write_bytes(b"\x3a" + b"\xff\xff\xff\x7f" + graph)
    refused(path, "not an ONNX file")


def test_weights_in_another_file(changed):
    def change(model):
        weight = model.graph.initializer[0]
        weight.ClearField("raw_data")
        weight.data_location = onnx.TensorProto.EXTERNAL
        weight.external_data.add(key="location", value="../../etc/passwd")

    path = changed(change, weights={"w": np.zeros(3, np.float32)})
    refused(path, "its weights' file ../../etc/passwd is outside its folder")


@pytest.mark.parametrize(
    "dims", [[2**40], [2**31, 2**31, 2**31], [-3], [4], [2], [1] * 9, [0, 2**62, 3]]
)
def test_shapes_that_no_bytes_back(dims, changed):
    def change(model):
        model.graph.initializer[0].dims[:] = dims

    refused(changed(change, weights={"w": np.zeros(3, np.float32)}), "w has")


def test_types_that_are_no_numbers(changed):
    for kind in (onnx.TensorProto.STRING, onnx.TensorProto.COMPLEX64, 99):
        refused(
            changed(lambda m, k=kind: setattr(m.graph.initializer[0], "data_type", k),
                    weights={"w": np.zeros(3, np.float32)}),
            "not of floats or whole numbers",
        )  # fmt: skip


def test_sparse_weights_and_future_opsets(changed, make_onnx):
    refused(changed(lambda model: model.graph.sparse_initializer.add()), "sparse weights")
    refused(make_onnx(RELU, opset=99), "opset 99")


def test_weights_that_are_no_numbers(make_onnx):
    with pytest.raises(CheckpointError, match="holds NaN or infinity"):
        load(make_onnx([("Mul", ["x", "c"], "out", {})], {"c": np.float32("nan")}))


@pytest.mark.parametrize(
    ("nodes", "weights", "reason"),
    [
        ([("ConstantOfShape", ["s"], "c", {}), ("Mul", ["x", "c"], "out", {})],
         {"s": np.array([2**20, 2**20], np.int64)}, "a constant of shape"),
        ([("ConstantOfShape", ["s"], "c", {}), ("Mul", ["x", "c"], "out", {})],
         {"s": np.array([-1], np.int64)}, "a constant of shape"),
        ([("Expand", ["v", "s"], "c", {}), ("Mul", ["x", "c"], "out", {})],
         {"v": np.float32(1), "s": np.array([2**40], np.int64)}, "a constant of shape"),
        ([("Add", ["a", "b"], "c", {}), ("Mul", ["x", "c"], "out", {})],
         {"a": np.zeros((9999, 1), np.float32), "b": np.zeros(9999, np.float32)}, "a constant of"),
        ([("Concat", ["a"] * 2000, "c", {"axis": 0}), ("Mul", ["x", "c"], "out", {})],
         {"a": np.zeros(9999, np.float32)}, "a constant of shape"),
        ([("Pad", ["x", "p"], "out", {})],
         {"p": np.array([0, 0, 2**33, 0, 0, 0, 2**33, 0], np.int64)}, "makes a tensor of shape"),
        ([("Resize", ["x", "", "s"], f"y{i}", {}) if not i else
          ("Resize", [f"y{i - 1}", "", "s"], f"y{i}", {}) for i in range(6)],
         {"s": np.array([1, 1, 64, 64], np.float32)}, "makes a tensor of shape"),
        ([("Conv", ["w", "w"], "c", {}), ("Mul", ["x", "c"], "out", {})],
         {"w": np.zeros((8, 8, 8, 8), np.float32)}, "does not know it on constants"),
    ],
)  # fmt: skip
def test_small_files_that_ask_for_much(nodes, weights, reason, make_onnx):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(make_onnx(nodes, weights), reason)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB


def test_constants_that_grow_one_by_one(make_onnx):
    grow = [("Add", ["a", "b"] if not i else [f"c{i - 1}", "b"], f"c{i}", {}) for i in range(99)]
    weights = {"a": np.zeros((2000, 1), np.float32), "b": np.zeros(2000, np.float32)}
    path = make_onnx([*grow, ("Mul", ["x", "c98"], "out", {})], weights)
    refused(path, "its constants grow too large")


def test_too_many_operations(make_onnx):
    nodes = [("Relu", ["x"], f"y{i}", {}) for i in range(20_001)]
    refused(make_onnx(nodes), "20001 operations are more than")


def test_names_that_are_not_there_or_twice(make_onnx):
    refused(make_onnx([("Relu", ["y"], "out", {})]), "its input y is not there")
    refused(make_onnx([*RELU, *RELU]), "its output out is there already")
    refused(make_onnx([("Relu", ["x"], "x", {})]), "its output x is there already")
    refused(make_onnx([("Relu", ["x"], "", {})]), "its output  is there already")
    refused(make_onnx([("Relu", [], "out", {})]), "its input is no constant")
    refused(make_onnx([("Conv", ["x"], "out", {})]), "its weight is no constant")


def value(name, shape, kind=1):
    return helper.make_tensor_value_info(name, kind, shape)


def test_what_is_no_style_net_is_told_what_it_is(make_onnx):
    flat = [("GlobalAveragePool", ["x"], "p", {}), ("Flatten", ["p"], "out", {})]
    refused(make_onnx(flat, shape=(1, 3, 8, 8)), "gives a tensor of shape [1, 3], not a picture")
    refused(make_onnx(RELU, shape=(1, 8, 8, 3)), "takes x (1, 8, 8, 3), not a picture (1, 3, H, W)")
    refused(make_onnx(RELU, shape=(1, 1, 28, 28)), "takes x (1, 1, 28, 28)")
    refused(make_onnx(RELU, shape=(1, "n")), "takes x (1, ?), not one picture")
    two = (value("style", [1, 3, 64, 64]),)
    refused(make_onnx(RELU, inputs=two), "takes x (1, 3, 12, 10) and style (1, 3, 64, 64)")
    code = (value("bottleneck", [1, 1, 1, 100]),)
    refused(make_onnx(RELU, inputs=code), "takes x (1, 3, 12, 10) and bottleneck (1, 1, 1, 100)")


def test_pictures_of_bytes_and_several_outputs(changed):
    def of_bytes(model):
        model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8

    refused(changed(of_bytes), "takes a picture of UINT8")
    more = [("Tanh", ["x"], "more", {}), *RELU]
    refused(changed(lambda m: m.graph.output.append(value("more", [1])), nodes=more), "2 outputs")


def test_an_output_that_the_picture_does_not_reach(make_onnx):
    nodes = [("Relu", ["x"], "y", {}), ("Relu", ["c"], "out", {})]
    refused(make_onnx(nodes, {"c": np.zeros(3, np.float32)}), "does not depend on its input")


def halved(**attributes):
    weight = np.zeros((3, 3, 2, 2), np.float32)
    nodes = [
        ("Conv", ["x", "w"], "y", {"strides": [2, 2], **attributes}),
        ("Resize", ["y", "", "s"], "out", {}),
    ]
    return nodes, {"w": weight, "s": np.array([1, 1, 2, 2], np.float32)}


def test_sizes_that_do_not_come_back(make_onnx):
    nodes, weights = halved()
    refused(make_onnx(nodes, weights, shape=(1, 3, "h", "w")), "a picture of 3x3 it gives 2x2")
    refused(make_onnx([nodes[0]], weights, shape=(1, 3, "h", "w")), "not that size rounded up")


def test_what_is_bound_to_one_size(make_onnx):
    turn = {"order": np.array([1, 3, 10, 12], np.int64), "back": np.array([1, 3, 12, 10], np.int64)}
    nodes = [("Reshape", ["x", "order"], "y", {}), ("Reshape", ["y", "back"], "out", {})]
    refused(make_onnx(nodes, turn), "operation Reshape (node Reshape for y) binds it to 12x10")
    mask = [("Mul", ["x", "mask"], "out", {})]
    refused(
        make_onnx(mask, {"mask": np.full((12, 10), 2, np.float32)}), "Binary (node Mul for out)"
    )


def test_what_depends_on_the_size_in_another_way(make_onnx):
    nodes = [
        ("Shape", ["x"], "s", {}),
        ("Cast", ["s"], "f", {"to": 1}),
        ("ReduceSum", ["f"], "all", {}),
        ("Div", ["x", "all"], "out", {}),
    ]
    refused(make_onnx(nodes, shape=(1, 3, "h", "w")), "depends on the picture's size")


def test_random_changes_of_bytes_are_errors_or_nets(make_onnx):
    """Whatever is in the file: a net, or one line."""
    nodes, weights = halved(pads=[0, 0, 1, 1])
    path = make_onnx(nodes, weights, shape=(1, 3, "h", "w"))
    content = path.read_bytes()
    load(path)
    random = np.random.default_rng(5)
    for _ in range(150):
        changed = bytearray(content)
        for place in random.integers(0, len(content), 3):
            changed[place] = random.integers(0, 256)
        path.write_bytes(changed)
        with contextlib.suppress(CheckpointError):
            load(path)


def test_a_size_that_does_not_follow_the_picture(make_onnx):
    nodes = [("Resize", ["x", "", "", "z"], "out", {})]
    sizes = {"z": np.array([1, 3, 96, 128], np.int64)}
    path = make_onnx(nodes, sizes, shape=(1, 3, "h", "w"))
    reason = (
        "takes a picture of 96x128, and none of 160x224: operation Resize (node Resize for out)"
    )
    refused(
        path, reason, "it resizes 160x224 to 96x128, which is by no whole factor", fix="export it"
    )
