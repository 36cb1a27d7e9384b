"""Models of others, judged as what they take and give: ``x.onnx#input=0..1,output=0..1``."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import pytest
import torch

from sttk.toolkit.checkpoints.native import save_net
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.nets.johnson import JohnsonSpec
from tests.conftest import random_johnson
from tests.conventions.author import retold


@pytest.fixture(scope="module")
def plain():
    net = random_johnson(JohnsonSpec(widths=(4, 6, 8), blocks=2))
    with torch.no_grad():
        net.last.weight.mul_(25)
        net.last.bias.fill_(125)
    return net.eval()


@pytest.fixture
def reference(plain, tmp_path):
    path = tmp_path / "reference.safetensors"
    save_net(path, plain, Contract(), {})
    return path


@pytest.fixture
def candidate(plain, tmp_path):
    """A model of another convention, as anyone may have exported it."""

    def make(convention, given=None):
        path = tmp_path / "theirs.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                retold(plain, convention, given), (torch.rand(1, 3, 40, 64),), str(path),
                opset_version=17, dynamo=False, input_names=["x"], output_names=["y"],
            )  # fmt: skip
        return path

    return make


@pytest.fixture
def parity(sttk, reference, photo):
    def run(model, *more):
        how = ("--reference", reference, "--photos", photo.parent, "--regime", "photo")
        return sttk("parity", model, *how, *more)

    return run


@pytest.mark.parametrize("convention", ["0..1", "-1..1", "imagenet", "caffe"])
def test_a_model_of_another_convention(convention, candidate, parity):
    path = candidate(convention)
    done = parity(f"{path}#input={convention},output={convention}")
    assert done.exit_code == 0, done.output
    assert "first and last weights are of another convention" in done.output
    assert parity(path).exit_code == 1


def channels_last(path, kind):
    """The file with its picture (B, H, W, 3), in and out, of floats or bytes."""
    model = onnx.load(path)
    graph, helper = model.graph, onnx.helper
    graph.node.insert(0, helper.make_node("Transpose", ["x2"], ["x"], perm=[0, 3, 1, 2]))
    source = "x2" if kind == onnx.TensorProto.FLOAT else "x1"
    if kind != onnx.TensorProto.FLOAT:
        graph.node.insert(0, helper.make_node("Cast", ["x1"], ["x2"], to=1))
    graph.node.append(helper.make_node("Transpose", ["y"], ["y2"], perm=[0, 2, 3, 1]))
    ends = [(graph.input, source, kind), (graph.output, "y2", onnx.TensorProto.FLOAT)]
    for values, name, of in ends:
        del values[:]
        values.append(helper.make_tensor_value_info(name, of, [1, 40, 64, 3]))
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("kind", [onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8])
def test_channels_last_and_bytes(kind, candidate, parity):
    path = channels_last(candidate("0..255", "0..1"), kind)
    word = "float" if kind == onnx.TensorProto.FLOAT else "uint8"
    done = parity(f"{path}#output=0..1,layout=nhwc,type={word}")
    assert done.exit_code == 0, done.output
    done = parity(f"{path}#output=0..1,layout=nchw")
    assert done.exit_code == 2
    assert "the file says nhwc" in done.output


def test_what_cannot_be_chosen(candidate, parity, tmp_path):
    path = candidate("0..1")
    assert "is no choice" in parity(f"{path}#norm=running").output
    assert "choices are for model files" in parity(f"{tmp_path}#input=0..1").output
    assert "a bisection runs a model as it is" in parity(f"{path}#input=0..1", "--bisect").output


def test_the_runner_is_the_inverse_of_itself():
    from sttk.toolkit.core.convention import NAMED, Convention
    from sttk.toolkit.runtimes.convention import given, taken

    batch = np.random.default_rng(0).uniform(0, 255, (2, 3, 4, 5)).astype(np.float32)
    for end in NAMED.values():
        both = Convention(end, end)
        np.testing.assert_allclose(given(taken(batch, both), both), batch, rtol=1e-5, atol=1e-4)
