"""The rrmina layout: small nets under its names, and the published mosaic net."""

from __future__ import annotations

import pathlib

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sttk.toolkit.checkpoints import load, rrmina
from sttk.toolkit.checkpoints.layout import Loaded
from sttk.toolkit.nets.resnext import ResNextNet, ResNextSpec

WIDTHS, NARROW, UPS, BLOCKS = (4, 6, 8), (3, 5), (7, 2), 2


def small_state() -> dict[str, Tensor]:
    """Random tensors under the author's names; every width another, to tell them apart."""
    generator = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {}

    def add(name: str, *shape: int) -> None:
        state[name] = torch.randn(shape, generator=generator) * 0.3

    def conv(name: str, out: int, channels: int, kernel: int, *, normed: bool = True) -> None:
        add(f"{name}.conv_layer.weight", out, channels, kernel, kernel)
        add(f"{name}.conv_layer.bias", out)
        if normed:
            norm(name, out)

    def norm(name: str, channels: int) -> None:
        add(f"{name}.norm_layer.weight", channels)
        add(f"{name}.norm_layer.bias", channels)

    full, half, quarter = WIDTHS
    conv("ConvBlock.0", full, 3, 9)
    conv("ConvBlock.2", half, full, 3)
    conv("ConvBlock.4", quarter, half, 3)
    for i in range(BLOCKS):
        conv(f"ResidualBlock.{i}.conv1", NARROW[0], quarter, 1)
        conv(f"ResidualBlock.{i}.conv2", NARROW[1], NARROW[0], 3)
        conv(f"ResidualBlock.{i}.conv3", quarter, NARROW[1], 1)
    for index, channels, out in ((0, quarter, UPS[0]), (2, UPS[0], UPS[1])):
        add(f"DeconvBlock.{index}.conv_transpose.weight", channels, out, 3, 3)
        add(f"DeconvBlock.{index}.conv_transpose.bias", out)
        norm(f"DeconvBlock.{index}", out)
    conv("DeconvBlock.4", 3, UPS[1], 9, normed=False)
    return state


def author_net(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """The author's function, in his BGR, straight from the tensors: no module of ours."""

    def norm(name: str, y: Tensor) -> Tensor:
        weight, bias = state[f"{name}.norm_layer.weight"], state[f"{name}.norm_layer.bias"]
        return F.instance_norm(y, weight=weight, bias=bias)

    def conv(name: str, y: Tensor, stride: int = 1) -> Tensor:
        weight, bias = state[f"{name}.conv_layer.weight"], state[f"{name}.conv_layer.bias"]
        side = weight.shape[-1] // 2
        y = F.pad(y, (side,) * 4, mode="reflect") if side else y
        return F.conv2d(y, weight, bias, stride)

    def deconv(name: str, y: Tensor) -> Tensor:
        weight, bias = state[f"{name}.conv_transpose.weight"], state[f"{name}.conv_transpose.bias"]
        return F.conv_transpose2d(y, weight, bias, 2, 1, 1)

    for index, stride in ((0, 1), (2, 2), (4, 2)):
        name = f"ConvBlock.{index}"
        x = norm(name, conv(name, x, stride)).relu()
    for i in range(BLOCKS):
        y = x
        for j in (1, 2, 3):
            name = f"ResidualBlock.{i}.conv{j}"
            y = norm(name, conv(name, y))
            y = y.relu() if j < 3 else y
        x = x + y
    for index in (0, 2):
        name = f"DeconvBlock.{index}"
        x = norm(name, deconv(name, x)).relu()
    return conv("DeconvBlock.4", x)


def picture(height: int, width: int) -> Tensor:
    """(2, 3, H, W), noise in 0..255."""
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(1)) * 255


@pytest.fixture
def loaded() -> Loaded:
    return rrmina.build(small_state())


def test_knows_its_own() -> None:
    assert rrmina.matches(small_state())


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"conv1.conv2d.weight": torch.zeros(4, 3, 9, 9)},
        {"ConvBlock.0.conv_layer.weight": torch.zeros(())},
        # The plain net, whose keys do not tell it from the pre-activated one or the tanh one.
        {key: value for key, value in small_state().items() if ".conv3." not in key},
        small_state() | {"DeconvBlock.4.conv_layer.weight": torch.zeros(3)},
    ],
)
def test_refuses_others(state: dict[str, Tensor]) -> None:
    assert not rrmina.matches(state)


def test_sizes_are_read_from_the_shapes(loaded: Loaded) -> None:
    assert isinstance(loaded.net, ResNextNet)
    assert loaded.net.spec == ResNextSpec(WIDTHS, NARROW, UPS, BLOCKS)


@torch.no_grad()
def test_is_the_authors_function_with_the_channels_turned_round(loaded: Loaded) -> None:
    # In float64, where two ways to the same differ by less than any processor makes of it.
    x, net = picture(20, 28).double(), loaded.net.double()
    state = {name: value.double() for name, value in small_state().items()}
    wanted = author_net(state, x.flip(1)).flip(1)
    torch.testing.assert_close(net(x), wanted, atol=1e-9, rtol=1e-9)
    assert not torch.allclose(net(x), author_net(state, x), atol=1e-2)


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
        {"ConvBlock.2.conv_layer.weight": torch.zeros(())},
        {"ConvBlock.2.conv_layer.bias": torch.zeros(0)},
        {"ResidualBlock.1.conv2.conv_layer.weight": torch.zeros(5, 1, 3, 3)},
        {"Foreign.weight": torch.zeros(1)},
        # A net of these widths would take terabytes; the tensors do not have them.
        {"ConvBlock.4.conv_layer.bias": torch.zeros(500_000)},
    ],
)
def test_broken_tensors_are_an_error(broken: dict[str, Tensor]) -> None:
    with pytest.raises((RuntimeError, KeyError, ValueError)):
        rrmina.build(small_state() | broken)


def test_a_missing_tensor_is_an_error() -> None:
    state = small_state()
    del state["ConvBlock.2.norm_layer.bias"]
    with pytest.raises(RuntimeError):
        rrmina.build(state)


def test_the_published_mosaic_is_in_rgb(shared: pathlib.Path, photograph: Tensor) -> None:
    net = load(shared / "checkpoints/rrmina/rrmina_mosaic_TransformerResNextNetwork.pth")
    assert net.origin.layout == rrmina.NAME
    y = net(photograph)
    red, green, blue = y.mean(dim=(0, 2, 3)).tolist()
    # The painting's mean is about 175, 160, 155; a net left in BGR gives it the other way round.
    assert 190 > red > green > blue > 140
    outside = ((y <= 0) | (y >= 255)).float().mean()
    assert outside < 0.1
