from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from torch import nn

from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.exporters.ncnn import half
from sttk.exporters.ncnn.export import pnnx
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.core.errors import ArtifactError, ExportError, NotRunError, RunError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.rungs import EXACT, FAITHFUL
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.opened.artifact import open_artifact, reference_of
from sttk.toolkit.quantize.affine import LOWEST, Affine
from sttk.toolkit.runtimes.base import Settings
from sttk.toolkit.targets import open_model
from sttk.toolkit.targets.ncnn import TARGET
from sttk.toolkit.targets.ncnn import runner as ncnn_runner
from sttk.toolkit.targets.ncnn.masks import (
    FLOAT32,
    NO_HALF_ARITHMETIC,
    NO_WINOGRAD,
    mask_of,
)
from sttk.toolkit.targets.ncnn.runner import NcnnRunner, describe
from tests.exporters.phones import SMALL, follows, pictures, rung_of

pytest.importorskip("ncnn")
pytest.importorskip("pnnx")


@pytest.mark.parametrize(
    ("options", "shape"),
    [({"size": (64, 96)}, (1, 3, 64, 96)), ({}, (3, 3, 37, 61)), ({}, (1, 3, 96, 64))],
)
def test_it_is_the_same_function(make, net, options, shape):
    assert rung_of(make("ncnn", **options), net, pictures(*shape)) == EXACT


def test_fp16_is_of_the_weights(make, net):
    half, full = (make("ncnn", size=(64, 96), precision=p) for p in ("fp16", "fp32"))
    assert (half / "model.bin").stat().st_size < 0.65 * (full / "model.bin").stat().st_size
    assert rung_of(half, net, pictures(1, 3, 64, 96)) == FAITHFUL


def test_int8_is_what_the_quantised_reference_computes(make, net):
    folder = make("ncnn", size=SMALL, precision="int8")
    assert follows(folder, reference_of(open_artifact(folder).manifest), net)


def test_int8_has_no_number_below_minus_127(make):
    inputs = read_manifest(make("ncnn", size=(64, 96), precision="int8")).quantization["inputs"]
    zero_points = {zero_point for _, zero_point in inputs.values()}
    assert zero_points <= {-127, 0}
    assert -127 in zero_points
    whole = Affine(1.0, LOWEST)
    narrow = whole.narrowed(-127)
    assert narrow.scale * (127 + 127) == pytest.approx(whole.scale * (127 + 128))
    assert whole.narrowed(LOWEST) is whole


def test_a_plan_keeps_a_block_in_float32(net, make, tmp_path):
    blocks = (("net.conv3", "fp32"),)
    request = ExportRequest(net, Plan("fp16", blocks), Shapes.fixed(64, 96))
    folder = make_artifact("ncnn", request, tmp_path)
    weights = (folder / "model.bin").read_bytes()
    assert net.net.conv3.conv.weight.numpy().tobytes() in weights
    assert net.net.conv2.conv.weight.numpy().tobytes() not in weights
    assert read_manifest(folder).plan == Plan("fp16", blocks).to_dict()


def test_the_same_bytes_again(make, net, tmp_path):
    again = make_artifact("ncnn", ExportRequest(net, shapes=Shapes.fixed(64, 96)), tmp_path)
    assert read_manifest(again).files == read_manifest(make("ncnn", size=(64, 96))).files


def test_bf16_is_asked_for_and_said(make):
    model = make("ncnn", size=(64, 96)) / "model.param"
    x = pictures(1, 3, 64, 96)
    runner = open_model(model, Settings("bf16", threads=1))
    assert runner.notes == ("tensors were kept in bf16",)
    assert np.abs(runner.run(x) - open_model(model).run(x)).max() > 0.1
    with pytest.raises(NotRunError, match="not run: ncnn on this CPU has no f16"):
        open_model(model, Settings("f16"))


def test_another_size_is_refused(make):
    with pytest.raises(RunError, match="the model takes 64x96, not"):
        open_model(make("ncnn", size=(64, 96)) / "model.param").run(pictures(1, 3, 64, 64))


GOOD = "7767517\n2 2\nInput in0 0 1 in0\nReLU r 1 1 in0 out0\n"


@pytest.mark.parametrize(
    ("param", "words"),
    [
        ("", "an empty file"),
        ("7767517\n", "not a style net"),
        ("1\n2 2\nInput in0 0 1 in0\n", "not a .param"),
        (GOOD.replace("in0 out0", "in0 out0 0=99999999"), "a number in it is absurd"),
        (GOOD.replace("out0", "out1"), "not a style net"),
        (GOOD.replace("1 in0\n", "1 in0 0=64\n"), "not a style net's input"),
        (GOOD.replace("ReLU", "NoSuchLayer"), "ncnn refuses it"),
        (GOOD, "no weights beside it"),
    ],
)
def test_a_file_that_is_no_model(param, words, tmp_path):
    (tmp_path / "m.param").write_text(param)
    if "weights" not in words:
        (tmp_path / "m.bin").write_bytes(b"")
    with pytest.raises(ArtifactError, match=words):
        open_model(tmp_path / "m.param")


class Within(nn.Module):
    """A net with a function of the picture before it."""

    def __init__(self, net, before):
        super().__init__()
        self.net, self.before = net, before

    def forward(self, x):
        return self.net(self.before(x))


def test_a_first_layer_that_works_in_place(net, tmp_path):
    unit = type(net)(Within(net.net, lambda x: x / 255), net.contract, net.origin)
    folder = make_artifact("ncnn", ExportRequest(unit, shapes=Shapes.fixed(64, 96)), tmp_path)
    x = pictures(1, 3, 64, 96)
    given = x.copy()
    assert rung_of(folder, unit, x) == EXACT
    assert np.array_equal(x, given)


def test_what_ncnn_has_no_layer_for_is_named(net, tmp_path):
    turned = type(net)(Within(net.net, lambda x: x.mT), net.contract, net.origin)
    with pytest.raises(ExportError, match=r"ncnn has no aten::mT, which this net uses"):
        make_artifact("ncnn", ExportRequest(turned, shapes=Shapes.fixed(64, 96)), tmp_path)
    assert not list(tmp_path.rglob("*.param"))


def test_a_folder_whose_name_is_no_text(make, tmp_path):
    folder = shutil.copytree(make("ncnn", size=(64, 96)), tmp_path / "b\udcff")
    with pytest.raises(ArtifactError, match="it takes paths in UTF-8 alone"):
        open_artifact(folder).runner()


def test_pnnx_that_fails(net, tmp_path, monkeypatch):
    def failed(*_, **__):
        return subprocess.CompletedProcess([], 3, "", "no such operator")

    monkeypatch.setattr(subprocess, "run", failed)
    monkeypatch.setattr(pnnx, "EXEC_PATH", "/bin/false", raising=False)
    with pytest.raises(ExportError, match="pnnx failed with code 3: no such operator"):
        make_artifact("ncnn", ExportRequest(net, shapes=Shapes.fixed(64, 96)), tmp_path)


def test_describe(make):
    facts = describe(make("ncnn", size=(64, 96)) / "model.param")
    assert facts["input"] == "in0 64x96"
    assert facts["layers"]["Convolution"] == 10
    assert facts["layers"]["InstanceNorm"] == 9


def masks(folder):
    """The masks of a model's layers by kind, in their order, without the input's."""
    _, *layers = ncnn_runner.graph(folder / "model.param")
    return [(line[0], mask_of(line)) for line in layers]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_model_in_float32_says_so_in_every_layer(make, precision):
    folder = make("ncnn", size=SMALL if precision == "int8" else (64, 96), precision=precision)
    assert {mask for _, mask in masks(folder)} == {FLOAT32}
    said = read_manifest(folder).target.options
    assert said == {"arithmetic": "float32 on the CPU, whatever ncnn's options are"}
    with pytest.raises(NotRunError, match=r"not run: (every layer of this model|no Vulkan device)"):
        NcnnRunner(folder / "model.param", vulkan=True)


def test_the_ends_of_a_float16_model_add_up_in_float32(make):
    folder = make("ncnn", size=(64, 96), precision="fp16")
    found = [mask for kind, mask in masks(folder) if kind == "Convolution"]
    # The first two blocks and the last two; the third block and the first upsampling are strided or
    # 3x3, and the residual blocks are 3x3 of stride 1.
    ends = [bool(mask & NO_HALF_ARITHMETIC) for mask in found]
    assert ends == [True] * 2 + [False] * 6 + [True] * 2
    assert all(mask & NO_WINOGRAD for mask in found[3:7])
    norms = [mask for kind, mask in masks(folder) if kind == "InstanceNorm"]
    assert [bool(mask) for mask in norms] == [True] * 2 + [False] * 6 + [True]
    assert {
        mask for kind, mask in masks(folder) if kind not in ("Convolution", "InstanceNorm")
    } == {0}
    said = read_manifest(folder).target.options
    assert said["layers that add up in float32"] == sum(ends) + sum(map(bool, norms))
    assert said["convolutions without Winograd"] == sum(bool(m & NO_WINOGRAD) for m in found)


def test_a_block_that_the_plan_widens_adds_up_in_float32(net, tmp_path):
    request = ExportRequest(net, Plan("fp16", (("net.conv3", "fp32"),)), Shapes.fixed(64, 96))
    found = masks(make_artifact("ncnn", request, tmp_path))
    third = [mask for kind, mask in found if kind == "Convolution"][2]
    assert third & NO_HALF_ARITHMETIC


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("Convolution c 1 1 a b 0=16 1=3 11=3 2=1 12=1 3=1 13=1", True),
        ("Convolution c 1 1 a b 0=16 1=3", True),
        ("Convolution c 1 1 a b 0=16 1=3 3=2", False),
        ("Convolution c 1 1 a b 0=16 1=3 11=1", False),
        ("Convolution c 1 1 a b 0=16 1=3 2=2", False),
        ("ConvolutionDepthWise c 1 1 a b 0=16 1=3", False),
    ],
)
def test_what_ncnn_may_compute_by_winograd(line, is_one):
    head = "7767517\n2 2\nInput in0 0 1 a\n"
    conv = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3))
    lines = half.masked(f"{head}{line}\n{line}\n", conv, Plan("fp16"), ()).splitlines()
    assert [mask_of(each.split()) for each in lines[3:]] == [NO_WINOGRAD * is_one] * 2


def test_where_the_convolutions_are_not_the_nets_all_add_up_in_float32():
    head = "7767517\n2 2\nInput in0 0 1 a\n"
    param = f"{head}Convolution c 1 1 a b 0=16 1=9\nReLU r 1 1 b c\n"
    net = nn.Sequential(nn.Conv2d(3, 16, 9), nn.Conv2d(16, 16, 3))
    lines = half.masked(param, net, Plan("fp16"), ("0",)).splitlines()
    assert [mask_of(line.split()) for line in lines[3:]] == [NO_HALF_ARITHMETIC, 0]


def test_the_runner_leaves_ncnns_own_options(make, monkeypatch):
    import ncnn

    model = make("ncnn", size=(64, 96), precision="fp16") / "model.param"
    names = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage")
    own = [getattr(ncnn.Net().opt, name) for name in names]
    for able in (False, True):
        monkeypatch.setattr(ncnn_runner, "_cpu_computes_in_half", lambda able=able: able)
        runner = NcnnRunner(model)
        options = [getattr(runner._net.opt, name) for name in names]
        assert (options == own) is able
        assert runner.half is able
        assert any("float16" in note for note in runner.notes) is able
        assert set(runner.choices.arithmetic) == {"bf16", *(["f32"] if able else [])}
        float32 = NcnnRunner(model, Settings("f32"))
        assert not any(getattr(float32._net.opt, name) for name in names)
        assert not float32.notes


def test_a_gpu_or_its_absence_is_said(make, monkeypatch):
    from sttk.toolkit.targets.ncnn import vulkan

    monkeypatch.setattr(vulkan, "ncnn", type("ncnn", (), {"get_gpu_count": staticmethod(int)}))
    with pytest.raises(NotRunError, match="not run: no Vulkan device"):
        NcnnRunner(make("ncnn", size=(64, 96), precision="fp16") / "model.param", vulkan=True)


def test_the_promise_in_half():
    promised = {each: TARGET.promise_in_half(each) for each in ("fp32", "fp16", "int8")}
    assert promised == {"fp32": EXACT, "fp16": FAITHFUL, "int8": TARGET.promise("int8")}
