"""A float16 model in float32 arithmetic: what is left is its weights."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from sttk.toolkit.core.errors import ArtifactError, UsageError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.rungs import EXACT
from sttk.toolkit.opened.artifact import open_artifact, with_half_weights
from sttk.toolkit.parity.metrics import difference
from sttk.toolkit.runtimes.base import Settings
from sttk.toolkit.targets import open_model
from sttk.toolkit.targets.onnx.widen import widened
from tests.rungs import rung

SIZE = (64, 96)


@pytest.fixture(scope="module")
def picture():
    drawn = np.random.default_rng(3).integers(0, 256, (1, 3, *SIZE))
    return drawn.astype(np.float32)


@pytest.mark.parametrize("target", ["onnx", "openvino", "coreml"])
def test_it_is_the_net_of_the_saved_weights(make, net, target, picture):
    opened = open_artifact(make(target, size=SIZE, precision="fp16"))
    rounded = with_half_weights(net, Plan("fp16"))
    wanted = rounded(torch.from_numpy(picture)).numpy()
    output = opened.float32_runner().run(picture)
    assert rung(output, rounded, picture) == EXACT
    wide = difference(output, wanted)
    assert difference(net(torch.from_numpy(picture)).numpy(), wanted).psnr < wide.psnr - 20
    if target != "openvino":  # which computes in float32 as it is
        assert difference(opened.runner().run(picture), wanted).psnr < wide.psnr - 20


def test_blocks_in_float32_keep_their_weights(net):
    rounded = with_half_weights(net, Plan("fp16", (("net.conv1", "fp32"),)))
    assert torch.equal(rounded.net.conv1.conv.weight, net.net.conv1.conv.weight)
    weight = net.net.conv2.conv.weight
    assert torch.equal(rounded.net.conv2.conv.weight, weight.half().float())
    assert not torch.equal(rounded.net.conv2.conv.weight, weight)


def test_no_float16_is_left_in_the_graph(make):
    model = onnx.load_from_string(widened(make("onnx", size=SIZE, precision="fp16") / "model.onnx"))
    onnx.checker.check_model(model, full_check=True)
    half = onnx.TensorProto.FLOAT16
    assert all(weight.data_type != half for weight in model.graph.initializer)
    casts = [node for node in model.graph.node if node.op_type == "Cast"]
    assert all(attribute.i != half for node in casts for attribute in node.attribute)


def test_what_is_no_model_is_said(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"not a graph")
    with pytest.raises(ArtifactError, match=r"x\.onnx: not an ONNX model"):
        open_model(tmp_path / "x.onnx", Settings("f32"))


@pytest.mark.parametrize("target", ["onnx", "coreml"])
def test_other_arithmetic_is_refused(make, target):
    opened = open_artifact(make(target, size=SIZE, precision="fp16"))
    with pytest.raises(UsageError, match="has no --inference-precision bf16"):
        opened.runner(Settings("bf16"))
