from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.exporters.litert.lower import Lowering
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import ArtifactError, ExportError, NotRunError, RunError
from sttk.toolkit.core.rungs import EXACT, FAITHFUL
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.core.style_net import Origin, StyleNet
from sttk.toolkit.opened.artifact import open_artifact, reference_of
from sttk.toolkit.runtimes.base import Settings
from sttk.toolkit.targets import open_model
from sttk.toolkit.targets.litert.runner import describe
from tests.exporters.phones import SMALL, follows, pictures, rung_of
from tests.rungs import rung

interpreter = pytest.importorskip("ai_edge_litert.interpreter")
ORIGIN = Origin("layers", "none", "", "sttk")


@pytest.mark.parametrize(
    ("options", "shape"),
    [({"size": (64, 96)}, (1, 3, 64, 96)), ({}, (3, 3, 37, 61)), ({}, (1, 3, 96, 64))],
)
def test_it_is_the_same_function(make, net, options, shape):
    assert rung_of(make("litert", **options), net, pictures(*shape)) == EXACT


def test_one_runner_takes_one_size_after_the_other(make, net):
    runner = open_artifact(make("litert")).runner()
    for size in ((40, 44), (64, 32), (40, 44)):
        x = pictures(1, 3, *size)
        assert rung(runner.run(x), net, x) == EXACT


def test_fp16_is_of_the_weights(make, net):
    half, full = (make("litert", size=(64, 96), precision=p) for p in ("fp16", "fp32"))
    assert rung_of(half, net, pictures(1, 3, 64, 96)) == FAITHFUL
    kinds = describe(half / "model.tflite")["operators"]
    assert kinds["DEQUANTIZE"] == 10
    assert "DEQUANTIZE" not in describe(full / "model.tflite")["operators"]


def test_int8_is_what_the_quantised_reference_computes(make, net):
    folder = make("litert", size=SMALL, precision="int8")
    manifest = open_artifact(folder).manifest
    inputs, outputs = (manifest.quantization[key] for key in ("inputs", "outputs"))
    assert "net.conv1.conv" not in inputs, "a smooth picture would be left with few levels"
    assert inputs.keys() == outputs.keys()
    assert len(inputs) == 9
    assert follows(folder, reference_of(manifest), net)


def test_xnnpack_takes_the_whole_graph(make):
    model = interpreter.Interpreter(str(make("litert", size=(64, 96)) / "model.tflite"))
    model.allocate_tensors()
    kinds = [each["op_name"] for each in model._get_ops_details()]
    assert kinds.count("DELEGATE") == 1
    assert not {"TRANSPOSE", "MIRROR_PAD", "RESIZE_NEAREST_NEIGHBOR"} & set(kinds)


def test_shapes_in_the_file_are_those_of_the_tensors(make):
    fixed, free = (make("litert", size=size) / "model.tflite" for size in ((64, 96), None))
    (source,) = describe(fixed)["inputs"]
    assert source == {"name": "image", "shape": [1, 64, 96, 3], "type": "float32"}
    assert describe(fixed)["outputs"][0]["shape"] == [1, 64, 96, 3]
    assert describe(free)["inputs"][0]["shape"] == [1, -1, -1, 3]
    assert describe(free)["outputs"][0]["shape"] == [1, -1, -1, 3]
    signature = interpreter.Interpreter(str(fixed)).get_signature_list()["serving_default"]
    assert signature == {"inputs": ["image"], "outputs": ["stylized"]}


class Layers(nn.Module):
    """One of each thing that other people's nets have."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.wide = nn.Conv2d(3, 8, 3, padding=2, dilation=2)
        self.depthwise = nn.Conv2d(8, 16, 3, padding=1, groups=8)
        self.grouped = nn.Conv2d(16, 8, 3, stride=2, padding=1, groups=4)
        self.batch = nn.BatchNorm2d(8)
        self.batch.running_mean.normal_()
        self.batch.running_var.uniform_(0.5, 2)
        self.prelu = nn.LeakyReLU(0.2)
        self.up = nn.ConvTranspose2d(8, 6, 3, stride=2, padding=1, output_padding=1)
        self.up4 = nn.ConvTranspose2d(8, 6, 4, stride=2, padding=1)
        self.last = nn.Conv2d(12, 3, 1)

    def forward(self, x):
        x = (x - torch.tensor([100.0, 110, 120]).view(1, 3, 1, 1)) / 60
        x = self.depthwise(torch.tanh(self.wide(x.index_select(1, torch.tensor([2, 1, 0])))))
        x = self.prelu(self.batch(self.grouped(x)))
        x = torch.cat([self.up(x), self.up4(x)], 1)
        return torch.sigmoid(self.last(x - x.mean((2, 3), keepdim=True))) * 255


@pytest.mark.parametrize("shapes", [Shapes.fixed(32, 48), Shapes.any()], ids=str)
def test_what_other_peoples_nets_have(shapes, tmp_path):
    net = StyleNet(Layers(), Contract(size_multiple=2), ORIGIN)
    folder = make_artifact("litert", ExportRequest(net, shapes=shapes), tmp_path)
    assert rung_of(folder, net, pictures(1, 3, 32, 48)) == EXACT


def test_an_operation_without_a_form_is_named(tmp_path):
    net = StyleNet(nn.Sequential(nn.Conv2d(3, 3, 1), nn.Softplus()), Contract(), ORIGIN)
    with pytest.raises(ExportError, match="no form of Softplus for LiteRT"):
        make_artifact("litert", ExportRequest(net, shapes=Shapes.fixed(32, 32)), tmp_path)


def test_the_same_bytes_again(make, net, tmp_path):
    again = make_artifact("litert", ExportRequest(net, shapes=Shapes.fixed(64, 96)), tmp_path)
    assert read_manifest(again).files == read_manifest(make("litert", size=(64, 96))).files


def test_another_size_and_another_precision_are_refused(make):
    model = make("litert", size=(64, 96)) / "model.tflite"
    with pytest.raises(RunError, match="the model takes 64x96, not"):
        open_model(model).run(pictures(1, 3, 64, 64))
    with pytest.raises(NotRunError, match="not run: LiteRT on this CPU has no bf16"):
        open_model(model, Settings("bf16"))


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0\0\0TFL2", b"\0\0\0\0TFL3", b"\x1c\0\0\0TFL3" * 9],
    ids=["empty", "version", "short", "noise"],
)
def test_a_file_that_is_no_model(content, tmp_path):
    (tmp_path / "m.tflite").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"LiteRT cannot load it|an empty file"):
        open_model(tmp_path / "m.tflite")


def test_names_that_are_no_text(make, tmp_path):
    content = (make("litert", size=(64, 96)) / "model.tflite").read_bytes()
    (tmp_path / "m.tflite").write_bytes(content.replace(b"image", b"\xdf\x28age"))
    for opened in (open_model, describe):
        with pytest.raises(ArtifactError, match="LiteRT cannot load it: 'utf-8' codec"):
            opened(tmp_path / "m.tflite")


@pytest.mark.parametrize(("value", "stored"), [(0.5, np.float16), (0.1, np.float32)])
def test_weights_are_stored_in_float16_where_it_holds_them(value, stored):
    kept = []

    class Flat:
        def constant(self, name, values):
            kept.append(values)
            return 0

        def tensor(self, name):
            return 1

        def operator(self, *_, **__):
            return 1

    lowering = Lowering(Flat(), constants={}, half=True, readers={})
    lowering.numbers("w", np.full(3, value, np.float32), weights=True)
    assert [values.dtype for values in kept] == [stored]
