from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from sttk.exporters import exporter
from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.exporters.onnx import simplify
from sttk.exporters.onnx.options import GraphOptions
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.core.errors import ExportError, RunError, UsageError
from sttk.toolkit.core.rungs import EXACT, FAITHFUL
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.targets import open_model
from tests.conftest import nightly
from tests.rungs import rung


def batch(*shape):
    return np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)


def rung_of(folder, net, x):
    return rung(open_model(folder / "model.onnx").run(x), net, x)


def test_a_fixed_size(make, net):
    folder = make(size=(64, 96))
    runner = open_model(folder / "model.onnx")
    assert runner.takes == Shapes.fixed(64, 96)
    assert rung_of(folder, net, batch(1, 3, 64, 96)) == EXACT
    with pytest.raises(RunError, match="ONNX Runtime"):
        runner.run(batch(1, 3, 64, 64))


@pytest.mark.parametrize("shape", [(1, 64, 96), (1, 37, 61), (3, 40, 24), (1, 8, 8), (2, 301, 20)])
def test_dynamic_is_right_at_sizes_and_batches_that_were_not_traced(make, net, shape):
    assert rung_of(make(size=None), net, batch(shape[0], 3, *shape[1:])) == EXACT


def test_fp16_keeps_float32_at_its_ends(make, net):
    folder = make(size=None, precision="fp16")
    model = onnx.load(folder / "model.onnx")
    ends = [model.graph.input[0], model.graph.output[0]]
    assert {end.type.tensor_type.elem_type for end in ends} == {onnx.TensorProto.FLOAT}
    weights = {weight.data_type for weight in model.graph.initializer if len(weight.dims) == 4}
    assert weights == {onnx.TensorProto.FLOAT16}
    assert rung_of(folder, net, batch(1, 3, 40, 64)) == FAITHFUL


def test_weights_are_inside_and_nothing_of_this_machine_is(make, net):
    folder = make(size=(64, 96))
    assert sorted(file.name for file in folder.iterdir()) == [
        "README.md",
        "manifest.json",
        "model.onnx",
    ]
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    assert all(not weight.external_data for weight in model.graph.initializer)
    content = (folder / "model.onnx").read_bytes()
    assert b".py" not in content
    assert b"/home" not in content
    assert net.origin.sha256.encode() in content


def test_instance_norms_stay_whole_and_the_picture_is_named(make):
    model = onnx.load(make(size=None) / "model.onnx")
    operations = [node.op_type for node in model.graph.node]
    assert operations.count("InstanceNormalization") == 9
    assert operations.count("Conv") == 10
    shape = model.graph.input[0].type.tensor_type.shape.dim
    assert [axis.dim_param or axis.dim_value for axis in shape] == ["batch", 3, "height", "width"]
    assert (model.graph.input[0].name, model.graph.output[0].name) == ("image", "stylized")


@pytest.mark.parametrize(
    "how",
    [
        {"size": (64, 96)},
        {"size": None, "precision": "fp16"},
        nightly({"size": None}),
        nightly({"size": None, "opset": 20}),
        nightly({"size": None, "opset": 23}),
        nightly({"size": None, "simplify": False}),
    ],
)
def test_no_norm_is_taken_apart_or_joined(make, net, how):
    """Runtimes know an InstanceNormalization; the sums that it is made of they run slowly."""
    folder = make(**how)
    kinds = [node.op_type for node in onnx.load(folder / "model.onnx").graph.node]
    assert kinds.count("InstanceNormalization") == len(net.net.norms())
    assert not {"ReduceMean", "ReduceSum", "Sqrt", "LayerNormalization"} & set(kinds)


@pytest.mark.parametrize("size", [(64, 96), None])
def test_same_input_same_bytes(make, net, tmp_path, size):
    shapes = Shapes.fixed(*size) if size else Shapes.any()
    again = make_artifact("onnx", ExportRequest(net, shapes=shapes), tmp_path)
    for name in ("model.onnx", "manifest.json"):
        assert (again / name).read_bytes() == (make(size=size) / name).read_bytes()


@pytest.mark.parametrize("opset", [20, 23])
def test_other_opsets(make, net, opset):
    folder = make(size=None, opset=opset)
    assert onnx.load(folder / "model.onnx").opset_import[0].version == opset
    assert rung_of(folder, net, batch(2, 3, 40, 64)) == EXACT


def test_without_simplification(make, net):
    folder = make(size=None, simplify=False)
    assert read_manifest(folder).target.options == {"opset": 18, "simplified": False}
    assert rung_of(folder, net, batch(2, 3, 40, 64)) == EXACT


@pytest.mark.parametrize(("opset", "size"), [(9, (64, 64)), (99, (64, 64)), (18, (4, 64))])
def test_requests_that_cannot_be_met(net, tmp_path, opset, size):
    with pytest.raises(UsageError):
        make_artifact(
            "onnx",
            ExportRequest(net, shapes=Shapes.fixed(*size), options=GraphOptions(opset)),
            tmp_path,
        )


def test_a_simplifier_that_changes_the_numbers_is_caught(make, monkeypatch):
    """onnxsim itself does the comparing: hand it a rewriter that breaks the net."""
    model = onnx.load(make(size=(64, 96), simplify=False) / "model.onnx")

    def breaks(proto):
        for node in proto.graph.node:
            for attribute in node.attribute:
                if attribute.name == "mode" and attribute.s == b"reflect":
                    attribute.s = b"edge"
        return proto

    real = simplify.onnxsim.simplify
    monkeypatch.setattr(
        simplify.onnxsim,
        "simplify",
        lambda *args, **options: real(*args, **options, custom_rewriter=breaks),
        raising=False,
    )
    with pytest.raises(ExportError, match="changed what the model computes"):
        simplify.simplify(model, batch(1, 3, 64, 96), "fp32")


def test_a_net_that_cannot_be_exported_is_one_line(net, tmp_path):
    class Stubborn(torch.nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    stubborn = type(net)(Stubborn(), net.contract, net.origin)
    with pytest.raises(ExportError, match=r"torch.onnx.export failed") as caught:
        exporter("onnx").export(ExportRequest(stubborn, shapes=Shapes.fixed(64, 64)), tmp_path)
    assert "\n" not in str(caught.value)
