from __future__ import annotations

import copy
import json
from collections import Counter

import numpy as np
import onnx
import pytest
import torch

from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.host import machine
from sttk.toolkit.opened.artifact import open_artifact, quantized, reference_of
from sttk.toolkit.quantize.fake import QuantConv
from sttk.toolkit.targets import open_model
from tests.conftest import nightly
from tests.exporters.phones import SMALL, follows


@pytest.fixture
def artifact(make):
    return make("onnx", size=(64, 96), precision="int8")


def test_convolutions_read_int8_and_norms_stay_whole(artifact, net):
    graph = onnx.load(artifact / "model.onnx").graph
    made_by = {name: node for node in graph.node for name in node.output}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    for node in convolutions:
        assert [made_by[name].op_type for name in node.input[:2]] == ["DequantizeLinear"] * 2
    counts = Counter(node.op_type for node in graph.node)
    assert counts["InstanceNormalization"] == len(net.net.norms())
    assert counts["QuantizeLinear"] == len(convolutions)  # those of the weights are carried out


def test_weights_are_stored_as_int8_and_biases_are_not(artifact, make):
    tensors = onnx.load(artifact / "model.onnx").graph.initializer
    assert {t.data_type for t in tensors if len(t.dims) == 4} == {onnx.TensorProto.INT8}
    assert onnx.TensorProto.INT32 not in {t.data_type for t in tensors}
    floats = make("onnx", size=(64, 96)) / "model.onnx"
    assert (artifact / "model.onnx").stat().st_size < 0.8 * floats.stat().st_size


def test_where_sums_of_int8_overflow_openvino_is_told_to_use_floats(make, monkeypatch):
    model = make("openvino", size=(64, 96), precision="int8") / "model.xml"
    monkeypatch.setattr(machine, "int8_sums_overflow", lambda: True)
    assert "overflow" in open_model(model).notes[0]
    assert open_model(make("openvino", size=(64, 96)) / "model.xml").notes == ()
    monkeypatch.setattr(machine, "int8_sums_overflow", lambda: False)
    assert open_model(model).notes == ()


@pytest.mark.parametrize("target", ["onnx", "openvino"])
def test_the_reference_carries_the_same_quantisers(make, target, net):
    folder = make(target, size=SMALL, precision="int8")
    reference = reference_of(open_artifact(folder).manifest)
    assert sum(isinstance(module, QuantConv) for module in reference.modules()) == 10
    assert follows(folder, reference, net)


def test_a_manifest_with_another_nets_quantisers(artifact):
    import dataclasses

    manifest = read_manifest(artifact)
    broken = dataclasses.replace(
        manifest, quantization={"format": "int8", "inputs": {"net.other": [1.0, 0]}, "coverage": {}}
    )
    with pytest.raises(ArtifactError, match="not one of this net's"):
        reference_of(broken)


def test_calibrated_on_ones_own_pictures(sttk, checkpoint, photo, tmp_path):
    arguments = ("export", checkpoint, "--size", 64, "--calib", photo.parent, "-o", tmp_path)
    result = sttk(*arguments, "--precision", "int8", "--target", "onnx", "--target", "openvino")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("calibrated on 5 pictures, 1 dark, 1 bright, 5 blurred") == 2
    result = sttk("parity", tmp_path, "--photos", photo.parent, "--json")
    assert result.exit_code == 0, result.output
    assert {report["runtime"] for report in json.loads(result.stdout)} == {
        "onnxruntime",
        "openvino",
    }


def test_calibration_asked_for_in_vain(sttk, checkpoint, photo, tmp_path):
    result = sttk("export", checkpoint, "--calib", photo.parent, "-o", tmp_path)
    assert result.exit_code == 2
    assert "--calib is for --precision int8 and fp8" in result.stderr
    (tmp_path / "empty").mkdir()
    result = sttk("export", checkpoint, "--calib", tmp_path / "empty", "--precision", "int8")
    assert result.exit_code == 2
    assert "no pictures in it" in result.stderr


def test_dynamic_int8(make):
    runner = open_model(make("onnx", precision="int8") / "model.onnx")
    assert runner.run(np.full((2, 3, 40, 72), 99, np.float32)).shape == (2, 3, 40, 72)


@pytest.mark.parametrize("target", ["onnx", "litert", nightly("executorch")])
def test_the_reference_of_a_loud_net_is_what_was_exported(net, photo, tmp_path, target):
    """Loud behind its first norm: folded there, scales of outputs were not the reference's."""
    loud = copy.deepcopy(net)
    with torch.no_grad():
        loud.net.conv3.conv.weight.mul_(3000.0)
    loud.net.norm3.eps *= 3000.0**2
    request = ExportRequest(loud, Plan("int8"), Shapes.fixed(64, 96), calibration=(photo,))
    opened = open_artifact(make_artifact(target, request, tmp_path))
    assert ("scale-fold" in opened.manifest.rewrites) == (target == "onnx")
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 64, 96)).astype(np.float32)
    with torch.inference_mode():
        wanted = quantized(loud, opened.manifest)(torch.from_numpy(x)).numpy()
    # Noise in a tiny net: halves that fall to the other side come to 2. The wrong scales' were 69.
    assert np.abs(opened.runner().run(x) - wanted).mean() < 5
