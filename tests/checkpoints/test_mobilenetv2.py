"""The mobilenetv2 layout: small nets under its names, and the published mosaic net."""

from __future__ import annotations

import pathlib

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sttk.toolkit.checkpoints import load, mobilenetv2
from sttk.toolkit.checkpoints.layout import Loaded
from sttk.toolkit.nets.mobilenetv2 import MobileNetV2Net, MobileNetV2Spec

WIDTHS, BLOCKS = (4, 6, 8), 2


def small_state(expansion: int = 1, widths: tuple[int, int, int] = WIDTHS) -> dict[str, Tensor]:
    """Random tensors under the author's names."""
    generator = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {}

    def add(name: str, *shape: int) -> None:
        state[name] = torch.randn(shape, generator=generator) * 0.3

    def norm(name: str, channels: int) -> None:
        add(f"{name}.weight", channels)
        add(f"{name}.bias", channels)

    def bottleneck(name: str, channels: int, out: int) -> None:
        inner = expansion * channels
        shapes = ((inner, channels, 1, 1), (inner, 1, 3, 3), (out, inner, 1, 1))
        for i, shape in enumerate(shapes, start=1):
            add(f"{name}.conv{i}.weight", *shape)
            norm(f"{name}.in{i}", shape[0])

    full, half, quarter = widths
    add("conv1.weight", full, 3, 9, 9)
    norm("in1", full)
    bottleneck("conv2", full, half)
    bottleneck("conv3", half, quarter)
    for i in range(BLOCKS):
        bottleneck(f"res{i + 1}", quarter, quarter)
    bottleneck("upconv1.conv1", quarter, half)
    bottleneck("upconv2.conv1", half, full)
    add("conv4.weight", 3, full, 9, 9)
    return state


def author_net(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """The author's function straight from the tensors: no module of ours."""

    def norm(name: str, y: Tensor) -> Tensor:
        return F.instance_norm(y, weight=state[f"{name}.weight"], bias=state[f"{name}.bias"])

    def reflected(y: Tensor, side: int) -> Tensor:
        return F.pad(y, (side,) * 4, mode="reflect")

    def bottleneck(name: str, y: Tensor, stride: int = 1) -> Tensor:
        first, deep, last = (state[f"{name}.conv{i}.weight"] for i in (1, 2, 3))
        z = norm(f"{name}.in1", F.conv2d(y, first)).clamp(0, 6)
        z = F.conv2d(reflected(z, 1), deep, None, stride, groups=len(deep))
        z = norm(f"{name}.in2", z).clamp(0, 6)
        z = norm(f"{name}.in3", F.conv2d(z, last))
        return y + z if z.shape == y.shape else z

    x = norm("in1", F.conv2d(reflected(x, 4), state["conv1.weight"])).relu()
    x = bottleneck("conv3", bottleneck("conv2", x, 2), 2)
    for i in range(BLOCKS):
        x = bottleneck(f"res{i + 1}", x)
    for name in ("upconv1.conv1", "upconv2.conv1"):
        x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        x = bottleneck(name, x).relu()
    return F.conv2d(reflected(x, 4), state["conv4.weight"])


def picture(height: int, width: int) -> Tensor:
    """(2, 3, H, W), noise in 0..255."""
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(1)) * 255


@pytest.fixture
def loaded() -> Loaded:
    return mobilenetv2.build(small_state())


def test_knows_its_own() -> None:
    assert mobilenetv2.matches(small_state())


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"conv1.conv2d.weight": torch.zeros(4, 3, 9, 9)},
        {"conv1.weight": torch.zeros(())},
        small_state() | {"conv2.conv2.weight": torch.zeros(())},
        # Not depthwise.
        small_state() | {"conv2.conv2.weight": torch.zeros(4, 4, 3, 3)},
    ],
)
def test_refuses_others(state: dict[str, Tensor]) -> None:
    assert not mobilenetv2.matches(state)


@pytest.mark.parametrize("expansion", [1, 3])
def test_sizes_are_read_from_the_shapes(expansion: int) -> None:
    net = mobilenetv2.build(small_state(expansion)).net
    assert isinstance(net, MobileNetV2Net)
    assert net.spec == MobileNetV2Spec(WIDTHS, BLOCKS, expansion)


@torch.no_grad()
@pytest.mark.parametrize("expansion", [1, 2])
# With equal widths the upsampling bottlenecks add their input too.
@pytest.mark.parametrize("widths", [WIDTHS, (4, 4, 4)])
def test_is_the_authors_function(expansion: int, widths: tuple[int, int, int]) -> None:
    state, x = small_state(expansion, widths), picture(20, 28).double()
    # In float64, where two ways to the same differ by less than any processor makes of it.
    net = mobilenetv2.build(state).net.double()
    wanted = author_net({name: value.double() for name, value in state.items()}, x)
    torch.testing.assert_close(net(x), wanted, atol=1e-9, rtol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize("size", [(5, 5), (5, 9), (17, 6), (8, 12), (23, 31)])
def test_sizes_are_the_contracts(loaded: Loaded, size: tuple[int, int]) -> None:
    assert tuple(loaded.net(picture(*size)).shape[-2:]) == loaded.contract.output_size(*size)


@torch.no_grad()
def test_smaller_than_the_smallest_side_fails(loaded: Loaded) -> None:
    with pytest.raises(RuntimeError):
        loaded.net(picture(loaded.contract.smallest_side - 1, 20))


@pytest.mark.parametrize(
    "broken",
    [
        {"in1.bias": torch.zeros(())},
        {"in1.bias": torch.zeros(0)},
        {"conv2.in1.bias": torch.zeros(5)},
        {"res2.conv3.weight": torch.zeros(8, 7, 1, 1)},
        {"res9.in1.bias": torch.zeros(8)},
        {"foreign.weight": torch.zeros(1)},
        # A net of these widths would take terabytes; the tensors do not have them.
        {"conv3.in3.bias": torch.zeros(500_000)},
    ],
)
def test_broken_tensors_are_an_error(broken: dict[str, Tensor]) -> None:
    with pytest.raises((RuntimeError, KeyError, ValueError)):
        mobilenetv2.build(small_state() | broken)


def test_a_missing_tensor_is_an_error() -> None:
    state = small_state()
    del state["upconv2.conv1.in3.weight"]
    with pytest.raises(RuntimeError):
        mobilenetv2.build(state)


def test_the_published_mosaic_is_in_rgb(shared: pathlib.Path, photograph: Tensor) -> None:
    net = load(shared / "checkpoints/mobilenetv2/mmalotin_mobilenetv2_mosaic.pth")
    assert net.origin.layout == mobilenetv2.NAME
    y = net(photograph)
    red, green, blue = y.mean(dim=(0, 2, 3)).tolist()
    # The painting's mean is about 175, 160, 155.
    assert 195 > red > green > blue > 140
    outside = ((y <= 0) | (y >= 255)).float().mean()
    assert outside < 0.1
