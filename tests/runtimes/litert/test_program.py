"""Files that are broken, or want more than they should get."""

from __future__ import annotations

import random

import numpy as np
import pytest

from sttk.exporters.litert.flat import Flat
from sttk.toolkit.core.errors import ArtifactError, RunError
from sttk.toolkit.targets.litert.emulated import EmulatedLiteRt
from sttk.toolkit.targets.litert.interpreter import Interpreter
from sttk.toolkit.targets.litert.program import read_program
from tests.conftest import nightly
from tests.hostile.phones import FLAT
from tests.hostile.refusal import refused

pytest.importorskip("ai_edge_litert.interpreter")
SHAPE = (1, 12, 10, 3)


@pytest.fixture
def graph(tmp_path):
    """Write a graph that ``build(flat, x)`` returns the result of."""

    def write(build):
        flat = Flat("hostile")
        source = flat.tensor("x")
        flat.shape(source, list(SHAPE))
        flat.between({"x": source}, {"y": build(flat, source)})
        path = tmp_path / "m.tflite"
        path.write_bytes(flat.to_bytes())
        return path

    return write


def integers(*values):
    return np.array(values, np.int32)


def test_what_a_file_holds(make):
    program = read_program(make("litert", size=(64, 96), precision="fp16") / "model.tflite")
    (source,), (result,) = program.inputs, program.outputs
    assert program.tensors[source].shape == program.tensors[result].shape == (1, 64, 96, 3)
    weights = [each for each in program.tensors if each.data is not None and each.data.ndim == 4]
    assert {each.kind for each in weights} >= {"float16", "float32"}
    convolution = next(each for each in program.operations if each.kind == "CONV_2D")
    assert convolution.options["StrideH"] == convolution.options["DilationHFactor"] == 1


def test_weights_of_int8_have_a_scale_for_each_channel(make):
    program = read_program(make("litert", size=(16, 24), precision="int8") / "model.tflite")
    weight = next(each for each in program.tensors if each.kind == "int8" and each.data is not None)
    assert weight.quantisation.scales.size == weight.shape[weight.quantisation.axis]
    assert np.abs(weight.real).max() <= 128 * weight.quantisation.scales.max()


@pytest.mark.parametrize("content", [b"", b"\0\0\0\0TFL2", b"\0\0\0\0TFL3", b"\x1c\0\0\0TFL3" * 9])
def test_a_file_that_is_no_model(content, tmp_path):
    (tmp_path / "m.tflite").write_bytes(content)
    refused(ArtifactError, read_program, tmp_path / "m.tflite", saying="not a TFLite model")


def test_operations_that_are_not_known_are_named(graph):
    def build(flat, x):
        return flat.operator("SIN", [flat.operator("COS", [x], flat.tensor("c"))], flat.tensor("s"))

    refused(ArtifactError, EmulatedLiteRt, graph(build), saying="has no operation COS, SIN")


def test_a_tensor_that_nobody_computes(graph):
    path = graph(lambda flat, x: flat.operator("ADD", [x, flat.tensor("n")], flat.tensor("s")))
    refused(ArtifactError, read_program, path, saying="ADD reads what is not computed")


def test_a_circle(graph):
    def build(flat, x):
        back = flat.tensor("b")
        there = flat.operator("ADD", [x, back], flat.tensor("a"))
        return flat.operator("TANH", [there], back)

    refused(ArtifactError, read_program, graph(build), saying="ADD reads what is not computed")


GREEDY = {
    "pad": ("PAD", integers((0, 0), (1 << 29, 0), (1 << 29, 0), (0, 0))),
    "resize": ("RESIZE_NEAREST_NEIGHBOR", integers(60000, 60000)),
    "bilinear": ("RESIZE_BILINEAR", integers(60000, 60000)),
    "indices": ("RESIZE_BILINEAR", integers(1 << 30, 1)),
}


@pytest.mark.parametrize("name", GREEDY)
def test_results_beyond_bounds_take_no_memory(name, graph):
    kind, numbers = GREEDY[name]
    table = {"PAD": "PadOptions", "RESIZE_BILINEAR": "ResizeBilinearOptions"}
    path = graph(
        lambda flat, x: flat.operator(
            kind,
            [x, flat.constant("n", numbers)],
            flat.tensor("y"),
            table.get(kind, "ResizeNearestNeighborOptions"),
        )
    )
    with pytest.raises((ArtifactError, RunError), match=r"values at once|a size of"):
        Interpreter(read_program(path)).run(np.zeros(SHAPE, np.float32))


def test_many_results_that_are_all_kept(graph):
    def build(flat, x):
        size = flat.constant("n", integers(100, 100))
        table = "ResizeNearestNeighborOptions"
        results = [
            flat.operator("RESIZE_NEAREST_NEIGHBOR", [x, size], flat.tensor(f"r{i}"), table)
            for i in range(200)
        ]
        return flat.operator(
            "CONCATENATION", results, flat.tensor("y"), "ConcatenationOptions", axis=3
        )

    interpreter = Interpreter(read_program(graph(build)))
    refused(RunError, interpreter.run, np.zeros(SHAPE, np.float32), saying="values at once")


def test_what_does_not_fit_together(graph):
    path = graph(
        lambda flat, x: flat.operator(
            "ADD",
            [x, flat.constant("n", np.ones((1, 5, 1, 1), np.float32))],
            flat.tensor("y"),
            "AddOptions",
        )
    )
    runner = EmulatedLiteRt(path)
    refused(RunError, runner.run, np.zeros((1, 3, 12, 10), np.float32), saying="ADD y: ")


@pytest.mark.parametrize("name", [name if name == "flipped" else nightly(name) for name in FLAT])
def test_changed_files_are_refused_or_run(name, make, tmp_path):
    content = (make("litert", size=(16, 24), precision="fp16") / "model.tflite").read_bytes()
    path, picture = tmp_path / "m.tflite", np.ones((1, 16, 24, 3), np.float32)
    refusals = []
    for seed in range(12):
        try:
            path.write_bytes(FLAT[name](random.Random(seed), content))
        except TypeError:
            continue  # a number that the writer does not take
        try:
            Interpreter(read_program(path)).run(picture)
        except (ArtifactError, RunError) as error:
            refusals.append(str(error))
    assert refusals
    assert "\n" not in "".join(refusals)
