"""joshbrew's mobile and efficient nets: their arithmetic written anew, on random weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.errors import CheckpointError

State = dict[str, Tensor]
WIDTH, BLOCKS = 6, 2


def small_state(kind: str = "mobile") -> State:  # noqa: C901 - as long as the net is
    random = torch.Generator().manual_seed(0)
    state: State = {}

    def conv(name: str, taken: int, given: int, side: int = 1, groups: int = 1) -> None:
        state[f"{name}.weight"] = torch.randn(given, taken // groups, side, side, generator=random)
        state[f"{name}.bias"] = torch.randn(given, generator=random)

    def separable(name: str, taken: int, given: int) -> None:
        conv(f"{name}.depthwise", taken, taken, 3, taken)
        conv(f"{name}.pointwise", taken, given)

    def norm(name: str) -> None:
        for part in ("weight", "bias"):
            state[f"{name}.{part}"] = torch.randn(WIDTH, generator=random)

    for number, side in ((1, 9), (2, 3), (3, 3)):
        taken = 3 if number == 1 else WIDTH
        if kind == "mobile":
            conv(f"conv{number}.conv2d", taken, WIDTH, side)
        else:
            conv(f"conv{number}.group_conv", taken, WIDTH, side, 3)
            conv(f"conv{number}.pointwise_conv", WIDTH, WIDTH, 1, 3)
        norm(f"in{number}")
    for block in range(BLOCKS):
        for part in (1, 2):
            separable(f"resblocks.{block}.conv{part}", WIDTH, WIDTH)
            norm(f"resblocks.{block}.in{part}")
    for number, side in ((1, 3), (2, 9)):
        if kind == "mobile":
            conv(f"deconv{number}.conv2d", WIDTH, WIDTH, side)
        else:
            conv(f"deconv{number}.expand_conv", WIDTH, 4 * WIDTH)
            separable(f"deconv{number}.refinement_conv", WIDTH, WIDTH)
        norm(f"in{3 + number}")
    conv("deconv3.conv2d", WIDTH, 3, 3)
    return state


def authors(state: State, rgb: Tensor) -> Tensor:  # noqa: C901 - as long as the net is
    """The author's layers, straight from the tensors; RGB in 0..255 -> the same."""
    state = {key: value.double() for key, value in state.items()}

    def conv(name: str, x: Tensor, stride: int = 1, zeros: int = 0) -> Tensor:
        weight = state[f"{name}.weight"]
        groups = x.shape[1] // weight.shape[1]
        return F.conv2d(x, weight, state[f"{name}.bias"], stride, zeros, 1, groups)

    def separable(name: str, x: Tensor) -> Tensor:
        return conv(f"{name}.pointwise", conv(f"{name}.depthwise", x, zeros=1))

    def norm(name: str, x: Tensor) -> Tensor:
        return F.instance_norm(x, weight=state[f"{name}.weight"], bias=state[f"{name}.bias"])

    def reflected(x: Tensor, side: int) -> Tensor:
        return F.pad(x, (side,) * 4, mode="reflect")

    def layer(name: str, x: Tensor, stride: int = 1, up: int = 1) -> Tensor:
        if f"{name}.expand_conv.weight" in state:
            shuffled = F.pixel_shuffle(conv(f"{name}.expand_conv", x), 2)
            return separable(f"{name}.refinement_conv", shuffled)
        x = x.repeat_interleave(up, 2).repeat_interleave(up, 3)
        part = "conv2d" if f"{name}.conv2d.weight" in state else "group_conv"
        side = state[f"{name}.{part}.weight"].shape[-1] // 2
        x = conv(f"{name}.{part}", reflected(x, side), stride)
        return x if part == "conv2d" else conv(f"{name}.pointwise_conv", x)

    x = rgb.double()
    for number, stride in ((1, 1), (2, 2), (3, 2)):
        x = norm(f"in{number}", layer(f"conv{number}", x, stride)).relu()
    for block in range(BLOCKS):
        name = f"resblocks.{block}"
        y = norm(f"{name}.in1", separable(f"{name}.conv1", x)).relu()
        x = (norm(f"{name}.in2", separable(f"{name}.conv2", y)) + x).relu()
    for number in (1, 2):
        x = norm(f"in{3 + number}", layer(f"deconv{number}", x, up=2)).relu()
    return layer("deconv3", x).clamp(0, 255)


def picture(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1)) * 255


@pytest.mark.parametrize("kind", ["mobile", "efficient"])
def test_is_the_authors_function(tmp_path, kind):
    torch.save(small_state(kind), tmp_path / "net.pth")
    net, rgb = load(tmp_path / "net.pth"), picture(20, 28)
    assert net.origin.layout == "joshbrew-separable"
    assert net.contract.size_multiple == 4
    wanted = authors(small_state(kind), rgb)
    torch.testing.assert_close(net.double()(rgb.double()), wanted, atol=1e-9, rtol=1e-9)
    assert (wanted > 0).double().mean() > 0.1


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("deconv1.conv2d.weight", None, "expand_conv"),
        ("resblocks.0.in1.bias", None, "in1.bias"),
        ("conv2.conv2d.weight", torch.zeros(6, 4, 3, 3), "does not take 6"),
        ("conv1.conv2d.weight", torch.zeros(10**6, 3, 1, 1), "a broken"),
        ("in2.weight", torch.zeros(0), "without values"),
        ("foreign.weight", torch.zeros(1), "unexpected key foreign.weight"),
    ],
)
def test_broken_ones_are_one_line(tmp_path, key, value, match):
    state = small_state()
    if value is None:
        del state[key]
    else:
        state[key] = value
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=match) as caught:
        load(tmp_path / "net.pth")
    assert "\n" not in str(caught.value)


def test_nets_that_enlarge_the_picture_are_refused(tmp_path):
    state = {k: v for k, v in small_state().items() if not k.startswith(("conv3", "in3"))}
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match="twice as large"):
        load(tmp_path / "net.pth")
