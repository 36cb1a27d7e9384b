"""An ONNX file where any checkpoint may stand."""

from __future__ import annotations

import itertools
import shutil

import numpy as np
import onnx
import pytest
import torch

from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.errors import CheckpointError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.rungs import EXACT
from sttk.toolkit.io.choices import split_choices
from sttk.toolkit.io.files import sha256
from sttk.toolkit.opened.artifact import with_half_weights
from sttk.toolkit.styles import find
from tests.rungs import rung

STYLES = np.random.default_rng(6).normal(1, 0.3, (4, 3)).astype(np.float32)


@pytest.fixture
def exported(make, tmp_path):
    """The tiny net as anyone may have exported it."""
    path = tmp_path / "anyone's.onnx"
    shutil.copy(make(size=None, rewrites=False) / "model.onnx", path)
    return path


@pytest.fixture
def several(make_onnx):
    """A net of four styles, weighed by a second input."""
    nodes = [
        ("Unsqueeze", ["style", "one"], "column", {}),
        ("Mul", ["column", "table"], "weighed", {}),
        ("ReduceSum", ["weighed", "zero"], "summed", {"keepdims": 0}),
        ("Reshape", ["summed", "wide"], "scale", {}),
        ("Mul", ["x", "scale"], "out", {}),
    ]
    weights = {"one": np.array([1]), "zero": np.array([0]), "wide": np.array([1, -1, 1, 1])}
    style = onnx.helper.make_tensor_value_info("style", 1, [4])
    return make_onnx(nodes, {**weights, "table": STYLES}, inputs=[style], shape=(1, 3, "h", "w"))


def test_what_we_export_comes_back_as_it_was(exported, net):
    again = load(exported)
    assert again.contract == net.contract
    assert (again.origin.layout, again.origin.name) == ("onnx", "anyone's")
    assert (again.origin.source, again.origin.sha256) == (str(exported), sha256(exported))
    assert again.origin.card["made by"] == "sttk"
    assert len(again.net.norms()) == len(net.net.norms())
    assert not again.training
    assert not any(parameter.requires_grad for parameter in again.parameters())
    for shape in ((1, 3, 64, 64), (2, 3, 37, 50), (1, 3, 5, 90)):
        x = torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 255
        assert torch.equal(again(x), net(x))


@pytest.mark.parametrize("size", [None, (40, 56)])
def test_a_rewritten_export_comes_back_as_the_same_function(size, make, net):
    path = make(size=size) / "model.onnx"
    assert "DepthToSpace" in {node.op_type for node in onnx.load(path).graph.node}
    x = torch.rand((1, 3, 40, 56), generator=torch.Generator().manual_seed(1)) * 255
    assert rung(load(path)(x).numpy(), net, x.numpy()) == EXACT


@pytest.mark.parametrize(("size", "precision"), [((64, 96), "fp32"), (None, "fp16")])
def test_of_any_size_and_precision(size, precision, make, net):
    again = load(make(size=size, precision=precision) / "model.onnx")
    assert again.contract == net.contract
    x = torch.rand((1, 3, 40, 56), generator=torch.Generator().manual_seed(1)) * 255
    saved = with_half_weights(net, Plan("fp16")) if precision == "fp16" else net
    assert rung(again(x).numpy(), saved, x.numpy()) == EXACT


def test_layers_are_torchs_own_and_in_order(exported):
    names = [type(layer).__name__ for layer in load(exported).net.layers.values()]
    assert names[:4] == ["ReflectionPad2d", "Conv2d", "InstanceNorm2d", "ReLU"]
    assert names.count("Conv2d") == 10
    pairs = list(itertools.pairwise(names))
    assert pairs.count(("Conv2d", "InstanceNorm2d")) == 9


def test_every_layer_knows_its_node(exported):
    net = load(exported).net
    nodes = {node.name for node in onnx.load(exported).graph.node}
    assert set(net.nodes) == set(net.layers)
    assert {name for name in net.nodes.values() if name} <= nodes


def test_export_parity_and_stylize(sttk, exported, photo, tmp_path):
    result = sttk("export", exported, "--dynamic", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    artifact = tmp_path / "out/anyone's/onnx-fp32-dynamic"
    assert read_manifest(artifact).checkpoint.layout == "onnx"
    how = ("--photos", photo.parent, "--size", "40x64")
    assert sttk("parity", artifact, *how).exit_code == 0
    assert sttk("parity", artifact / "model.onnx", "--reference", exported, *how).exit_code == 0
    picture = tmp_path / "out.png"
    result = sttk("stylize", photo, "-o", picture, "--checkpoint", exported)
    assert result.exit_code == 0, result.output
    assert picture.exists()


def test_one_of_several_styles(several, ort, tmp_path, sttk):
    net = load(f"{several}#style=2")
    assert (net.origin.name, net.origin.source) == ("net-style2", f"{several}#style=2")
    assert net.origin.sha256 == sha256(several)
    x = torch.full((1, 3, 8, 8), 100.0)
    wanted = 100 * torch.from_numpy(STYLES[2])
    torch.testing.assert_close(net(x)[0, :, 0, 0], wanted)
    result = sttk("export", f"{several}#style=2", "--size", 16, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    manifest = read_manifest(tmp_path / "out/net-style2/onnx-fp32-16x16")
    assert find(manifest.checkpoint.source).origin == net.origin


@pytest.mark.parametrize("choice", ["", "#style=4", "#style=99999999"])
def test_a_style_must_be_chosen(choice, several):
    with pytest.raises(CheckpointError, match=r"style weighs 4 styles .*up to #style=3"):
        load(f"{several}{choice}")


def test_there_is_nothing_to_choose(exported):
    with pytest.raises(CheckpointError, match="the file has but one style"):
        load(f"{exported}#style=0")


def test_a_file_that_is_called_so_is_not_a_choice(tmp_path, exported):
    odd = tmp_path / "x.onnx#style=1"
    shutil.copy(exported, odd)
    assert split_choices(odd) == (odd, "")
    assert split_choices(tmp_path / "y.ONNX#a=b") == (tmp_path / "y.ONNX", "a=b")
    assert split_choices("a#b.pth") == (split_choices("a#b.pth")[0], "")
    with pytest.raises(CheckpointError, match="no such file"):
        load(tmp_path / "none.onnx#style=1")


def test_it_is_listed(sttk):
    assert "X.onnx" in sttk("styles", "--layouts", "--json").stdout
