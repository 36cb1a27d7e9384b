"""ONNX files: small style nets, and changes to their protobuf messages."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx

from tests.hostile.bytes_mutations import Mutation
from tests.hostile.sample import Sample
from tests.hostile.values import INTEGERS, TEXTS, changed_message

helper = onnx.helper


def small() -> bytes:
    """A convolution, a norm, a halving, a doubling and a clip: any size, opset 17."""
    random = np.random.default_rng(0)
    weights = {
        "w1": random.normal(0, 0.1, (4, 3, 3, 3)),
        "s": np.ones(4), "b": np.zeros(4),
        "w2": random.normal(0, 0.1, (4, 4, 3, 3)),
        "w3": random.normal(0, 1, (3, 4, 3, 3)),
        "scales": np.array([1, 1, 2, 2]),
        "low": np.array(0), "high": np.array(255),
    }  # fmt: skip
    pads = np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64)
    nodes = [
        helper.make_node("Pad", ["x", "pads"], ["p"], mode="reflect"),
        helper.make_node("Conv", ["p", "w1"], ["c1"]),
        helper.make_node("InstanceNormalization", ["c1", "s", "b"], ["n1"]),
        helper.make_node("Relu", ["n1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Resize", ["c2", "", "scales"], ["u"], mode="nearest",
                         coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        helper.make_node("Conv", ["u", "w3"], ["c3"], pads=[1, 1, 1, 1]),
        helper.make_node("Clip", ["c3", "low", "high"], ["out"]),
    ]  # fmt: skip
    tensors = [onnx.numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", 1, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("out", 1, [1, 3, "h", "w"])],
        [*tensors, onnx.numpy_helper.from_array(pads, "pads")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    helper.set_model_props(model, {"Image.BitmapPixelFormat": "Rgb8", "author": "nobody"})
    return bytes(model.SerializeToString())


def seed(scratch: Path) -> Sample:
    return Sample("net.onnx", {"net.onnx": small()})


DATA = "net.onnx.data"


def two_files_seed(scratch: Path) -> Sample:
    """The same net with its weights beside the graph."""
    model = onnx.load_model_from_string(small())
    path = scratch / "net.onnx"
    onnx.save_model(model, path, save_as_external_data=True, location=DATA, size_threshold=0)
    files = {name: (scratch / name).read_bytes() for name in (path.name, DATA)}
    for name in files:
        (scratch / name).unlink()
    return Sample("net.onnx", files)


def of_a_model(change: Callable[[Random, Any], None]) -> Mutation:
    """The change, made to the message of the sample's ONNX file."""

    def mutate(random: Random, sample: Sample) -> Sample:
        (name,) = (name for name in sample.below if name.endswith(".onnx"))
        return sample.with_file(name, changed_model(change)(random, sample.files[name]))

    return mutate


def changed_model(change: Callable[[Random, Any], None]) -> Callable[[Random, bytes], bytes]:
    def mutate(random: Random, content: bytes) -> bytes:
        model = onnx.ModelProto()
        model.ParseFromString(content)
        change(random, model)
        return bytes(model.SerializeToString())

    return mutate


def huge_shapes(random: Random, model: Any) -> None:
    """Tensors that claim more than the file holds; products of hundreds of large sides."""
    tensor = random.choice(model.graph.initializer)
    tensor.dims[:] = random.choice(
        ([1 << 62] * 300, [1 << 40], [-1, -1], [1 << 31] * 3, [0, 1 << 62], [1] * 1000, [],
         [random.choice(INTEGERS) for _ in range(4)])
    )  # fmt: skip
    if random.random() < 0.3:
        tensor.ClearField("raw_data")


def huge_inputs(random: Random, model: Any) -> None:
    value = random.choice((model.graph.input[0], model.graph.output[0]))
    axes = value.type.tensor_type.shape.dim
    for axis in random.sample(list(axes), random.choice((1, 2))):
        axis.dim_value = random.choice(INTEGERS)


def not_numbers(random: Random, model: Any) -> None:
    tensor = random.choice(model.graph.initializer)
    values = onnx.numpy_helper.to_array(tensor).copy()
    if values.dtype.kind == "f" and values.size:
        values.flat[random.randrange(values.size)] = random.choice((np.nan, np.inf, -np.inf, 3e38))
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


def outside_data(random: Random, model: Any) -> None:
    """Weights that lie in another file, wherever."""
    tensor = random.choice(model.graph.initializer)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    places = ("../../../../etc/passwd", "/etc/passwd", "/dev/zero", "weights.bin", "", "a\0b", ".")
    tensor.external_data.add(key="location", value=random.choice(places))
    if random.random() < 0.5:
        tensor.external_data.add(key="length", value=str(random.choice(INTEGERS)))


def _constant(model: Any, name: str, values: Any) -> str:
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(values), name))
    return name


def asks_for_much(random: Random, model: Any) -> None:
    """A few bytes that make much memory or work, put between the picture and the rest."""
    many = random.choice((40, 500, 5000, 1 << 20, 1 << 40))
    node, keep = helper.make_node, functools.partial(_constant, model)
    rows = min(many, 5000)
    nodes = {
        "pads": lambda: [
            node("Pad", ["x", keep("much", [0, 0, many, many] * 2)], ["m"]),
            node("Pad", ["m", keep("less", [0, 0, -many, -many] * 2)], ["y"]),
        ],
        "scales": lambda: [
            node("Resize", ["x", "", keep("much", np.float32([1, 1, many, many]))], ["m"]),
            node("Resize", ["m", "", keep("less", np.float32([1, 1, 1 / many, 1 / many]))], ["y"]),
        ],
        "sizes": lambda: [node("Resize", ["x", "", "", keep("much", [1, 3, many, many])], ["y"])],
        "fill": lambda: [
            node("ConstantOfShape", [keep("much", [1, 3, many, many])], ["m"]),
            node("Add", ["x", "m"], ["y"]),
        ],
        "expand": lambda: [
            node("Expand", ["low", keep("much", [1, 3, many, many])], ["m"]),
            node("Add", ["x", "m"], ["y"]),
        ],
        "tile": lambda: [node("Tile", ["x", keep("much", [1, 1, many, many])], ["y"])],
        "channels": lambda: [
            node("Concat", ["x"] * rows, ["m"], axis=1),
            node("Slice", ["m", keep("from", [0]), keep("to", [3]), keep("on", [1])], ["y"]),
        ],
        "depth": lambda: [
            *(node("Relu", [f"m{n}" if n else "x"], [f"m{n + 1}"]) for n in range(rows)),
            node("Relu", [f"m{rows}"], ["y"]),
        ],
        "range": lambda: [
            node("Range", [keep("from", 0), keep("much", many), keep("on", 1)], ["m"]),
            node("ReduceSum", ["m"], ["s1"]),
            node("Add", ["x", "s1"], ["y"]),
        ],
    }
    chosen = nodes[random.choice(sorted(nodes))]()
    rest = list(model.graph.node)
    for old in rest:
        old.input[:] = ["y" if name == "x" else name for name in old.input]
    model.graph.ClearField("node")
    model.graph.node.extend([*chosen, *rest])


def other_nodes(random: Random, model: Any) -> None:
    """Operations, names and inputs exchanged, left out or given twice."""
    nodes = model.graph.node
    node = random.choice(nodes)
    act = random.randrange(7)
    if act == 0:
        node.op_type = random.choice(
            ("Constant", "If", "Loop", "Shape", "Sqrt", "Pow", "QuantizeLinear", "Cast", "Gather",
             "DequantizeLinear", "Conv", "ReduceMean", "NoSuch", "Reshape", "Einsum", "x" * 500)
        )  # fmt: skip
    elif act == 1:
        node.ClearField("output")
    elif act == 2:
        node.ClearField("input")
    elif act == 3:
        nodes.extend([nodes[0]])
    elif act == 4:
        node.domain = random.choice(("com.microsoft", "x" * 1000, "\n"))
    elif act == 5:
        name = random.choice(("axes", "to", "pads", "axis"))
        value = random.choice((3, 0.5, "x", [1 << 40], [-1.5]))
        node.attribute.append(helper.make_attribute(name, value))
    else:
        empty = nodes.add()
        empty.op_type = random.choice(("Constant", "Conv", "Sqrt", "QuantizeLinear", "ReduceMean"))


def graphs_in_graphs(random: Random, model: Any) -> None:
    graph = model.graph
    for _ in range(random.choice((1, 10, 40))):
        node = graph.node.add()
        node.op_type = "If"
        attribute = node.attribute.add()
        attribute.name, attribute.type = "then_branch", onnx.AttributeProto.GRAPH
        graph = attribute.g
        graph.name = "g"
    graph.node.add().op_type = random.choice(("Constant", "Relu"))


def no_text(random: Random, content: bytes) -> bytes:
    """Bytes that are no UTF-8 in place of a name."""
    names = (b"Conv", b"InstanceNormalization", b"net", b"author", b"out", b"w1", b"nobody")
    name = random.choice(names)
    return content.replace(name, b"\xff\xfe" + name[2:], random.choice((1, -1)))


def metadata(random: Random, model: Any) -> None:
    for key in (
        "Image.BitmapPixelFormat",
        "Image.NominalPixelRange",
        "author",
        random.choice(TEXTS),
    ):
        if key.isprintable():
            value = random.choice([text for text in TEXTS if text.isprintable()])
            model.metadata_props.add(key=key, value=value)
    model.opset_import[0].version = random.choice((17, 17, *INTEGERS))
    model.producer_name = "p" * random.choice((0, 100_000))


_OF_MODELS = {
    "fields": changed_message,
    "huge shapes": huge_shapes,
    "huge inputs": huge_inputs,
    "not numbers": not_numbers,
    "outside data": outside_data,
    "asks for much": asks_for_much,
    "other nodes": other_nodes,
    "nested graphs": graphs_in_graphs,
    "metadata": metadata,
}
CHANGES = {name: changed_model(change) for name, change in _OF_MODELS.items()} | {
    "no text": no_text
}


def _of_the_file(change: Callable[[Random, bytes], bytes]) -> Mutation:
    def mutate(random: Random, sample: Sample) -> Sample:
        return sample.with_file(sample.path, change(random, sample.files[sample.path]))

    return mutate


OF_ONNX: dict[str, Mutation] = {name: _of_the_file(change) for name, change in CHANGES.items()}


def places(random: Random, model: Any) -> None:
    """Entries of the second file changed: to other files, other places, more than there is."""
    tensors = [each for each in model.graph.initializer if each.external_data]
    chosen = tensors if random.random() < 0.5 else tensors[:1]
    names = ("../canary", "/etc/passwd", "/dev/zero", "..", "", "net.onnx", "a" * 5000, "pipe")
    key = random.choice(("location", "offset", "length", "checksum"))
    value = str(random.choice(INTEGERS)) if key in ("offset", "length") else random.choice(names)
    for tensor in chosen:
        tensor.external_data.add(key=key, value=value)


def many_times_over(random: Random, model: Any) -> None:
    """Many tensors that are the same bytes."""
    tensor = max(model.graph.initializer, key=lambda each: len(each.dims))
    for number in range(random.choice((2, 2000))):
        copy = model.graph.initializer.add()
        copy.CopyFrom(tensor)
        copy.name = f"copy{number}"


def _data_elsewhere(random: Random, sample: Sample) -> Sample:
    """The second file is missing, shorter, a link, a pipe, or without an end."""
    left = sample.without(DATA)
    return random.choice(
        (
            left,
            sample.with_file(DATA, sample.files[DATA][: random.randrange(99)]),
            dataclasses.replace(left, links={DATA: random.choice(("/dev/zero", "..", DATA))}),
            dataclasses.replace(left, pipes=(DATA,)),
            dataclasses.replace(left, holes={DATA: 1 << 40}),
        )
    )


OF_TWO_FILES: dict[str, Mutation] = {
    **OF_ONNX,
    "places": _of_the_file(changed_model(places)),
    "many times over": _of_the_file(changed_model(many_times_over)),
    "data elsewhere": _data_elsewhere,
}
