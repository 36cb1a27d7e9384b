"""Norms that track running statistics: used, as in evaluation mode, and said."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import CheckpointError
from sttk.toolkit.core.rungs import EXACT
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.nets.johnson import JohnsonSpec
from tests.conftest import random_johnson
from tests.rungs import rung

NORMS = {
    "instance": lambda c: nn.InstanceNorm2d(c, affine=True, track_running_stats=True),
    "batch": nn.BatchNorm2d,
}
_NAMES = {"conv1.conv": "conv1.conv2d", "conv2.conv": "conv2.conv2d", "conv3.conv": "conv3.conv2d",
          "up1.conv": "deconv1.conv2d", "up2.conv": "deconv2.conv2d",
          "head.conv": "deconv3.conv2d"}  # fmt: skip


def _renamed(key):
    """Of sttk's own keys, those of pytorch/examples."""
    module, _, part = key.rpartition(".")
    if module in _NAMES:
        return f"{_NAMES[module]}.{part}"
    if module.startswith("norm"):
        return f"in{module.removeprefix('norm')}.{part}"
    _, index, layer, *_ = module.split(".")
    inner = f"in{layer[-1]}" if layer.startswith("norm") else f"{layer}.conv2d"
    return f"res{int(index) + 1}.{inner}.{part}"


def author(kind, photo, steps=3):
    """A net in its author's arithmetic: torch's own norms, in evaluation mode."""
    net = random_johnson(JohnsonSpec(widths=(4, 6, 8), blocks=2))
    with torch.no_grad():
        net.last.weight.mul_(30)
        net.last.bias.fill_(120)
    for name, module in list(net.named_modules()):
        if isinstance(module, nn.InstanceNorm2d):
            tracked = NORMS[kind](module.num_features)
            tracked.load_state_dict(module.state_dict(), strict=False)
            parent, _, child = name.rpartition(".")
            setattr(net.get_submodule(parent), child, tracked)
    net.train()
    with torch.no_grad():
        for step in range(steps):
            net(photo * (0.5 + 0.2 * step))
    return net.eval()


@pytest.fixture
def x():
    return torch.rand((1, 3, 40, 36), generator=torch.Generator().manual_seed(2)) * 255


@pytest.fixture
def saved(tmp_path):
    def save(net, drop=()):
        path = tmp_path / "tracked.pth"
        state = {_renamed(key): value for key, value in net.state_dict().items()}
        torch.save({k: v for k, v in state.items() if not k.endswith(drop)}, path)
        return path

    return save


def answer(net, x):
    return net(x).detach().clamp(0, 255)


@pytest.mark.parametrize("kind", NORMS)
def test_running_statistics_are_used_and_said(kind, saved, x):
    net = author(kind, x)
    read = load(saved(net))
    assert rung(read(x).numpy(), StyleNet(net, Contract(), None), x.numpy()) == EXACT
    (guess,) = read.origin.guesses
    assert str(guess).startswith("norm running: guessed (the file tracks statistics")
    assert "#norm=instance" in str(guess)
    exact = net.double()(x.double()).clamp(0, 255)
    assert (read.double()(x.double()) - exact).abs().max() < 1e-9


@pytest.mark.parametrize("kind", NORMS)
def test_the_user_says_which(kind, saved, x):
    net = author(kind, x)
    path = saved(net)
    for word in ("running", "batch"):
        known = load(f"{path}#norm={word}")
        assert known.origin.guesses == ()
        torch.testing.assert_close(known(x), answer(net, x))
    own = load(f"{path}#norm=instance")
    assert own.origin.guesses == ()
    assert (own(x) - answer(net, x)).abs().mean() > 1


def test_old_files_never_used_theirs(saved, x):
    """Since torch 0.4.1 a norm that tracks statistics saves a count, too."""
    path = saved(author("instance", x), drop=(".num_batches_tracked",))
    read = load(path)
    assert read.origin.guesses == ()
    torch.testing.assert_close(read(x), load(f"{path}#norm=instance")(x))


def test_statistics_that_no_picture_has_changed_are_not_used(saved, x):
    read = load(saved(author("instance", x, steps=0)))
    (guess,) = read.origin.guesses
    assert str(guess).startswith("norm instance: guessed")


def test_there_is_nothing_to_choose(saved, x, tmp_path):
    none = saved(author("instance", x), drop=("running_mean", "running_var", "tracked"))
    with pytest.raises(CheckpointError, match=r"tracked\.pth: #norm=running: .*holds no"):
        load(f"{none}#norm=running")
    with pytest.raises(CheckpointError, match="a broken"):
        load(saved(author("batch", x), drop=("in1.running_var",)))


def test_strict_asks(saved, x, sttk, tmp_path):
    path = saved(author("batch", x))
    done = sttk("export", path, "--size", 64, "-o", tmp_path / "out", "--strict")
    assert done.exit_code == 2, done.output
    assert "norm=instance|running" in done.stderr
    done = sttk("export", f"{path}#norm=running", "--size", 64, "-o", tmp_path / "out", "--strict")
    assert done.exit_code == 0, done.output
