from __future__ import annotations

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.opened.artifact import open_artifact, reference_of
from sttk.toolkit.parity.bisect.bisection import bisect
from sttk.toolkit.targets.litert.graph import Graph
from sttk.toolkit.targets.litert.intermediates import InstrumentedLiteRt

KINDS = {number: name for name, number in vars(schema.BuiltinOperator).items()}


@pytest.fixture
def artifact(make, batch):
    def made(precision="fp32", rewrites=False):
        return make("litert", size=batch.shape[2:], precision=precision, rewrites=rewrites)

    return made


class Edited:
    """A model's file, to be changed."""

    def __init__(self, path):
        self.path, self.model = path, schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
        self.graph = self.model.subgraphs[0]
        self.names = [tensor.name.decode() for tensor in self.graph.tensors]

    def operators(self, kind):
        codes = self.model.operatorCodes
        return [o for o in self.graph.operators if KINDS[codes[o.opcodeIndex].builtinCode] == kind]

    def stored(self, tensor):
        return self.model.buffers[self.graph.tensors[tensor].buffer]

    def save(self):
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        self.path.write_bytes(bytes(builder.Output()))


def flip_a_weight(edited, kind="float32"):
    """The largest weight of the third convolution changes its sign."""
    convolution = edited.operators("CONV_2D")[2]
    buffer = edited.stored(convolution.inputs[1])
    values = np.frombuffer(bytes(buffer.data), kind).copy()
    values[np.abs(values.astype(np.float64)).argmax()] *= -1
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    return edited.names[convolution.outputs[0]]


def pad_by_edge(edited):
    """A row of the second pad is the one beside it."""
    slices = edited.operators("STRIDED_SLICE")
    row = next(each for each in slices if edited.names[each.outputs[0]].startswith("pad_1/"))
    for tensor in row.inputs[1:3]:  # where it begins and ends
        limits = np.frombuffer(bytes(edited.stored(tensor).data), np.int32).copy()
        limits[1] -= 1
        edited.stored(tensor).data = np.frombuffer(limits.tobytes(), np.uint8)
    pads = [edited.names[o.outputs[0]] for o in edited.operators("CONCATENATION")]
    return [name for name in pads if name.startswith("pad_1/")][-1]


def subtract(edited):
    """The first residual block subtracts."""
    add = next(o for o in edited.operators("ADD") if edited.names[o.outputs[0]] == "add")
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SUB
    code.version = 1
    edited.model.operatorCodes.append(code)
    add.opcodeIndex = len(edited.model.operatorCodes) - 1
    add.builtinOptionsType = schema.BuiltinOptions.SubOptions
    add.builtinOptions = schema.SubOptionsT()
    return "add"


@pytest.mark.parametrize(
    ("fault", "block", "kind"),
    [
        (pad_by_edge, "net.conv2.pad", "CONCATENATION"),
        (flip_a_weight, "net.conv3.conv", "CONV_2D"),
        (subtract, "net.blocks.0: add", "SUB"),
    ],
)
def test_the_operator_with_the_fault_is_named(
    artifact, net, batch, tmp_path, reproduced, fault, block, kind
):
    edited = Edited(artifact() / "model.tflite")
    operation = fault(edited)
    edited.save()
    found = bisect(edited.path, net, batch, "fp32", tmp_path / "out")
    assert found.first.block == block
    assert (found.first.operation, found.first.kind) == (operation, kind)
    assert [row.block for row in found.rows if row.at_fault] == [block]
    result = reproduced(tmp_path / "out")
    assert result.returncode == 1, result.stderr
    assert f"SNR {found.first.alone:.1f} dB" in result.stdout
    part = tmp_path / "out/part.tflite"
    assert part.stat().st_size < edited.path.stat().st_size / 2
    assert len(Edited(part).graph.inputs) == (2 if kind == "SUB" else 1)


def test_an_activation_that_is_missing_shows_in_the_next_tensor(artifact, net, batch):
    """It is fused into a norm's last operator: that is the norm then, as it should be."""
    edited = Edited(artifact() / "model.tflite")
    add = edited.operators("ADD")[1]
    assert add.builtinOptions.fusedActivationFunction == schema.ActivationFunctionType.RELU
    add.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.NONE
    edited.save()
    found = bisect(edited.path, net, batch, "fp32")
    assert [row.block for row in found.rows if row.at_fault] == ["net.conv2.pad"]
    assert any("no tensor of its own for net: relu," in note for note in found.notes)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_correct_model_has_no_such_block(artifact, batch, precision):
    opened = open_artifact(artifact(precision, rewrites=True))
    found = bisect(opened.model, reference_of(opened.manifest), batch, precision)
    assert found.first is None
    assert not any(row.at_fault for row in found.rows)
    assert len([row for row in found.rows if row.tensor]) > len(found.rows) / 2


def test_a_wrong_int8_weight_is_found_at_its_convolution(artifact, batch):
    opened = open_artifact(artifact("int8", rewrites=True))
    reference = reference_of(opened.manifest)
    edited = Edited(opened.model)
    flip_a_weight(edited, "int8")
    edited.save()
    found = bisect(edited.path, reference, batch, "int8")
    assert found.first.block.startswith("net.conv3.conv: ")
    assert [row.block for row in found.rows if row.at_fault] == [found.first.block]


def test_float16_weights_are_no_intermediates(artifact):
    """They are widened when they are read, and known by the name of their float16 form."""
    found = InstrumentedLiteRt(artifact("fp16") / "model.tflite").intermediates
    assert not [each for each in found if each.kind == "DEQUANTIZE"]
    assert "net.conv1.conv.weight" in found[[each.kind for each in found].index("CONV_2D")].weights


def test_a_file_that_is_no_graph_is_refused(artifact, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes((artifact() / "model.tflite").read_bytes()[:2000])
    with pytest.raises(ArtifactError):
        InstrumentedLiteRt(path)
    with pytest.raises(ArtifactError, match="not a LiteRT graph"):
        Graph(path, path.read_bytes())
