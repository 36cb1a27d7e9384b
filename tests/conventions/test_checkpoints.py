"""Checkpoints of other conventions: ``x.pth#input=imagenet,output=imagenet``."""

from __future__ import annotations

import copy

import pytest
import torch

from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.checkpoints import load
from sttk.toolkit.checkpoints.native import save_net
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.convention import NAMED
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.core.rungs import EXACT
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.io.choices import MODEL, parse_choices
from sttk.toolkit.nets.johnson import JohnsonSpec
from sttk.toolkit.styles import find
from tests.conftest import nightly, random_johnson
from tests.conventions.author import AFTER, BEFORE, retold
from tests.rungs import rung

LINEAR = JohnsonSpec(widths=(4, 6, 8), blocks=2)


@pytest.fixture(scope="module")
def plain():
    net = random_johnson(LINEAR)
    with torch.no_grad():  # within 0..255 for the most part
        net.last.weight.mul_(30)
        net.last.bias.fill_(120)
    return net.eval()


@pytest.fixture
def saved(plain, tmp_path):
    def make(taken, given=None):
        path = tmp_path / "net.safetensors"
        save_net(path, retold(plain, taken, given), Contract(), {})
        return path

    return make


@pytest.fixture
def x():
    return torch.rand((1, 3, 40, 36), generator=torch.Generator().manual_seed(2)) * 255


# Where one end is BGR, the other is, too.
PAIRS = [(a, b) for a in BEFORE for b in AFTER if (a == "caffe") == (b == "caffe")]


@pytest.mark.parametrize(("taken", "given"), PAIRS)
def test_the_net_is_what_its_author_computes_in_float64(taken, given, saved, x):
    """Both in float64, with constants that are not rounded to float32."""
    path = saved(taken, given)
    inner = copy.deepcopy(load(path).net).double()
    exact = AFTER[given](inner(BEFORE[taken](x.double()))).clamp(0, 255)
    wrapped = copy.deepcopy(load(f"{path}#input={taken},output={given}")).double()
    for module, end in ((wrapped.enter, NAMED[taken]), (wrapped.leave, NAMED[given])):
        if module is not None:
            torch.testing.assert_close(module.mean.flatten().float(), torch.tensor(end.mean))
            module.mean.copy_(torch.tensor(end.mean, dtype=torch.float64).view(1, 3, 1, 1))
            module.std.copy_(torch.tensor(end.std, dtype=torch.float64).view(1, 3, 1, 1))
    assert (wrapped(x.double()) - exact).abs().max() < 1e-9
    assert exact.std() > 5


@pytest.mark.parametrize("convention", BEFORE)
def test_the_right_choice_gives_the_right_picture(convention, plain, saved, x):
    net = load(f"{saved(convention)}#input={convention},output={convention}")
    right = StyleNet(plain, Contract(), None)
    assert rung(net(x).numpy(), right, x.numpy()) == EXACT
    wrong = load(saved(convention))
    assert convention == "0..255" or (wrong(x) - right(x)).abs().mean() > 5


SAME = {
    "input=imagenet,output=imagenet": "mean=0.485,0.456,0.406,std=0.229,0.224,0.225"
    "&output=mean=0.485,0.456,0.406&std=0.229,0.224,0.225",
    "input=caffe,output=caffe": "input=0..255,mean=103.939,116.779,123.68,"
    "output=0..255,mean=103.939,116.779,123.68,channels=bgr",
    "input=-1..1": "mean=0.5,std=0.5",
    "input=0..1,mean=0.5,std=0.5": "input=-1..1",
}


@pytest.mark.parametrize("named", SAME)
def test_numbers_say_what_names_say(named, saved, x):
    path = saved("0..255")
    torch.testing.assert_close(load(f"{path}#{named}")(x), load(f"{path}#{SAME[named]}")(x))


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        ("mean=123.7,116.8,103.9", "of what"),
        ("mean=1,2", "is no mean"),
        ("mean=nan", "is no mean"),
        ("std=0", "is no std"),
        ("input=imagenet,std=2", "a mean of its own"),
        ("input=caffe,channels=rgb", "contradicts"),
        ("layout=nhwc", "is no choice"),
        ("input=a=b", "is no choice"),
        ("input=0..2", r"is no choice .*0\.\.255\|0\.\.1\|-1\.\.1\|imagenet\|caffe"),
    ],
)
def test_choices_that_say_nothing(choices, reason, saved):
    with pytest.raises(UsageError, match=reason):
        load(f"{saved('0..255')}#{choices}")


def test_choices_of_a_model():
    choices = parse_choices("input=0..1,layout=nhwc,type=uint8,channels=BGR", MODEL)
    assert (choices.nhwc, choices.uint8, choices.bgr) == (True, True, True)
    assert choices.input == NAMED["0..1"]


TARGETS = ("onnx", *(nightly(name) for name in ("openvino", "coreml", "ncnn", "litert")))


@pytest.mark.parametrize("target", TARGETS)
def test_it_is_exported_with_the_net(target, saved, sttk, photo, tmp_path):
    source = f"{saved('caffe')}#input=caffe,output=caffe"
    done = sttk("export", source, "--target", target, "--size", "40x64", "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    (folder,) = (tmp_path / "out/net").iterdir()
    manifest = read_manifest(folder)
    assert find(manifest.checkpoint.source).convention.input == NAMED["caffe"]
    done = sttk("parity", folder, "--photos", photo.parent, "--regime", "photo")
    assert done.exit_code == 0, done.output


def test_inspect_says_what_was_chosen(saved, sttk):
    done = sttk("inspect", f"{saved('caffe')}#input=caffe")
    assert "input caffe BGR, output 0..255 BGR" in done.output
