"""The structural witness: what it kills, in each format that it reads, and what it lets pass."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from sttk.exporters import exporter
from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.core.style_net import Origin, StyleNet
from sttk.toolkit.nets.lengstrom import LengstromNet, LengstromSpec
from sttk.toolkit.opened.artifact import open_artifact
from sttk.toolkit.parity.mutants import MUTANTS
from sttk.toolkit.parity.structure import witness
from sttk.toolkit.targets import target
from sttk.toolkit.targets.structure import COMPUTED

LIBRARIES = {
    "onnx": "onnxruntime",
    "openvino": "openvino",
    "ncnn": "pnnx",
    "litert": "ai_edge_litert",
    "coreml": "coremltools",
}
_LATE_NORM = 3


def norms(net):
    return [each for each in net.modules() if isinstance(each, nn.InstanceNorm2d)]


def convolutions(net):
    return [each for each in net.modules() if isinstance(each, nn.Conv2d)]


def epsilon(factor: float) -> Callable[[nn.Module], None]:
    def edit(net):
        norms(net)[_LATE_NORM].eps *= factor

    return edit


def flip(net):
    weight = convolutions(net)[2].weight.data.view(-1)
    weight[weight.abs().argmax()] *= -1


def swap(net):
    weight = convolutions(net)[2].weight.data.view(-1)
    low, high = weight.argmin().item(), weight.argmax().item()
    weight[low], weight[high] = weight[high].item(), weight[low].item()


def gain(net):
    norms(net)[_LATE_NORM].weight.data[1] *= 1.01


def bias(net):
    convolutions(net)[2].bias.data[0] += 0.01


def edge(net):
    for module in net.modules():
        for name, child in list(module.named_children()):
            if isinstance(child, nn.ReflectionPad2d) and child.padding == (1, 1, 1, 1):
                setattr(module, name, nn.ReplicationPad2d(1))
                return


FAULTS = {
    "epsilon": (epsilon(10), epsilon(100), epsilon(0.1)),
    "weight": (flip, swap),
    "gain": (gain,),
    "bias": (bias,),
    "mode is": (edge,),
}
EDITS = [(said, edit) for said, edits in FAULTS.items() for edit in edits]


def artifact(folder, name, net, precision="fp32"):
    pytest.importorskip(LIBRARIES[name])
    options = exporter(name).searched or exporter(name).options()
    request = ExportRequest(net, Plan(precision), Shapes.fixed(64, 96), options)
    return open_artifact(make_artifact(name, request, folder))


@pytest.fixture(scope="module", params=LIBRARIES)
def opened(request, net, tmp_path_factory):
    return artifact(tmp_path_factory.mktemp("artifact"), request.param, net)


def check_of(opened, net):
    (check,) = witness.of_artifact(opened, net)
    assert check.name == witness.NAME
    return check


def test_an_export_holds_all_numbers_of_its_net(opened, net):
    check = check_of(opened, net)
    assert check.passed, check.detail
    count = len(norms(net))
    assert f"epsilons {count} of {count}" in check.detail
    assert "not matched" not in check.detail
    assert "not read" not in check.detail


def test_pads_that_the_model_computes_are_said_and_not_compared(tmp_path):
    layers = LengstromNet(LengstromSpec((4, 6, 8), (6, 4), 2))
    net = StyleNet(layers, Contract(), Origin("same", "same", "0", "sttk"))
    request = ExportRequest(net, Plan("fp32"), Shapes.any())
    check = check_of(open_artifact(make_artifact("onnx", request, tmp_path)), net)
    assert check.passed, check.detail
    assert f"{COMPUTED}, not compared: net.conv2.conv, convolution: zero pads" in check.detail


@pytest.mark.parametrize(("said", "edit"), EDITS)
def test_a_number_that_differs_is_found_and_named(opened, net, said, edit):
    """The file and the net are compared with each other, so either may have the fault."""
    faulty = copy.deepcopy(net)
    edit(faulty)
    check = check_of(opened, faulty)
    assert not check.passed
    assert said in check.detail
    assert "; and" not in check.detail, "one fault is one line"


@pytest.mark.nightly
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("name", LIBRARIES)
def test_a_faulty_export_is_found(tmp_path, net, name, precision):
    for index, (_, edit) in enumerate(EDITS):
        faulty = copy.deepcopy(net)
        edit(faulty)
        opened = artifact(tmp_path / str(index), name, faulty, precision)
        assert check_of(opened, faulty).passed
        assert not check_of(opened, net).passed


def test_the_campaigns_epsilons_are_found(tmp_path, net):
    found = [each for each in MUTANTS if each.name.startswith("epsilon")]
    assert len(found) == 2
    for index, mutant in enumerate(found):
        opened = artifact(tmp_path / str(index), "onnx", mutant.of(net))
        check = check_of(opened, net)
        assert not check.passed
        assert "epsilon" in check.detail


def edited(opened, tmp_path, edit):
    """A bare copy of an ONNX model with an edit of its graph."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(opened.model)
    edit(onnx, model.graph)
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    return path


def attribute(graph, kind, name, at=0):
    node = [each for each in graph.node if each.op_type == kind][at]
    return next(each for each in node.attribute if each.name == name)


def wrong_epsilon(_onnx, graph):
    attribute(graph, "InstanceNormalization", "epsilon", 3).f *= 100


def wrong_mode(_onnx, graph):
    attribute(graph, "Pad", "mode", 2).s = b"edge"


def wrong_weight(onnx, graph):
    tensor = next(each for each in graph.initializer if len(each.dims) == 4)
    values = np.array(onnx.numpy_helper.to_array(tensor))
    values.reshape(-1)[np.abs(values).argmax()] *= -1
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


@pytest.mark.parametrize(
    ("edit", "said"),
    [(wrong_epsilon, "epsilon"), (wrong_mode, "mode is reflect"), (wrong_weight, "weight")],
)
def test_a_bare_model_with_a_wrong_number_is_found(tmp_path, net, edit, said):
    opened = artifact(tmp_path / "whole", "onnx", net)
    (check,) = witness.of_model(edited(opened, tmp_path, edit), net)
    assert not check.passed
    assert said in check.detail


def no_biases(_onnx, graph):
    """What an optimiser may do: a norm cancels the bias of the convolution before it."""
    for node in [each for each in graph.node if each.op_type == "Conv"][:-1]:
        del node.input[2:]


def other_names(_onnx, graph):
    for index, node in enumerate(graph.node):
        node.name = f"n{index}"


def no_clamp(_onnx, graph):
    (clip,) = (each for each in graph.node if each.op_type == "Clip")
    graph.node.remove(clip)
    graph.output[0].name = clip.input[0]


@pytest.mark.parametrize("edit", [no_biases, other_names, no_clamp])
def test_what_is_only_not_matched_fails_no_bare_model(tmp_path, net, edit):
    opened = artifact(tmp_path / "whole", "onnx", net)
    (check,) = witness.of_model(edited(opened, tmp_path, edit), net)
    assert check.passed, check.detail


def test_another_nets_model_is_not_matched_rather_than_wrong(tmp_path, net):
    opened = artifact(tmp_path, "onnx", net)
    other = copy.deepcopy(net)
    torch.manual_seed(1)
    for parameter in other.parameters():
        parameter.data.normal_()
    (check,) = witness.of_model(opened.model, other)
    assert check.passed
    assert "weights 0 of" in check.detail
    assert "not matched" in check.detail
    assert not check_of(opened, other).passed, "its manifest says what it has to be"


@pytest.mark.parametrize("name", LIBRARIES)
def test_broken_files_are_not_read_and_raise_nothing(tmp_path, net, name):
    opened = artifact(tmp_path / "whole", name, net)
    files = [each for each in opened.folder.rglob("*") if each.is_file() and each.stat().st_size]
    files = [each for each in files if each.suffix in (".onnx", ".bin", ".tflite", ".mlmodel")]
    assert files
    seeded = np.random.default_rng(0)
    for file in files:
        whole = file.read_bytes()
        for _ in range(12):
            changed = bytearray(whole[: seeded.integers(1, len(whole) + 1)])
            for at in seeded.integers(0, len(changed), 8):
                changed[at] = seeded.integers(0, 256)
            file.write_bytes(changed)
            (check,) = witness.of_model(opened.model, net)
            assert check.detail
        file.write_bytes(whole)


def test_a_format_that_is_not_read_is_said_to_be():
    assert target("executorch").structure(None) is None
