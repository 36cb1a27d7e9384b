"""AnimeGANv2 under bryandlee's names: its arithmetic written anew, on random weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.errors import CheckpointError

FULL, HALF, QUARTER, INNER, BLOCKS = 4, 6, 8, 10, 2
State = dict[str, Tensor]


def small_state() -> State:
    random = torch.Generator().manual_seed(0)
    state: State = {}

    def add(key: str, *shape: int) -> None:
        fan = max(1, torch.Size(shape[1:]).numel())
        state[key] = torch.randn(shape, generator=random) / fan**0.5

    def norm(name: str, channels: int) -> None:
        add(f"{name}.weight", channels)
        add(f"{name}.bias", channels)

    def layer(name: str, taken: int, given: int, side: int = 3) -> None:
        add(f"{name}.1.weight", given, taken, side, side)
        norm(f"{name}.2", given)

    layer("block_a.0", 3, FULL, 7)
    # Sensitive to its input, as trained nets are: an insensitive one is held to a stricter floor.
    first = state["block_a.0.1.weight"]
    state["block_a.0.1.weight"] = 4 * (first - first.mean((2, 3), keepdim=True))
    layer("block_a.1", FULL, HALF)
    layer("block_a.2", HALF, HALF)
    layer("block_b.0", HALF, QUARTER)
    layer("block_b.1", QUARTER, QUARTER)
    layer("block_c.0", QUARTER, QUARTER)
    for i in range(1, BLOCKS + 1):
        taken = QUARTER if i == 1 else INNER
        wide = 2 * taken
        layer(f"block_c.{i}.layers.0", taken, wide, 1)
        layer(f"block_c.{i}.layers.1", 1, wide)
        add(f"block_c.{i}.layers.1.1.bias", wide)
        add(f"block_c.{i}.layers.2.weight", INNER, wide, 1, 1)
        norm(f"block_c.{i}.layers.3", INNER)
    layer(f"block_c.{BLOCKS + 1}", INNER, QUARTER)
    layer("block_d.0", QUARTER, QUARTER)
    layer("block_d.1", QUARTER, QUARTER)
    layer("block_e.0", QUARTER, HALF)
    layer("block_e.1", HALF, HALF)
    layer("block_e.2", HALF, FULL, 7)
    add("out_layer.0.weight", 3, FULL, 1, 1)
    return state


def authors(state: State, rgb: Tensor) -> Tensor:
    """The author's net in -1..1, straight from the tensors; RGB in 0..255 -> the same."""
    state = {key: value.double() for key, value in state.items()}

    def norm(name: str, x: Tensor) -> Tensor:
        return F.group_norm(x, 1, state[f"{name}.weight"], state[f"{name}.bias"])

    def layer(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight, bias = state[f"{name}.1.weight"], state.get(f"{name}.1.bias")
        side = weight.shape[-1] // 2
        pads = (0, 1, 0, 1) if stride == 2 else (side,) * 4
        x = F.pad(x, pads, mode="reflect") if side else x
        groups = x.shape[1] if weight.shape[1] == 1 and x.shape[1] > 1 else 1
        return F.leaky_relu(norm(f"{name}.2", F.conv2d(x, weight, bias, stride, 0, 1, groups)), 0.2)

    def up(x: Tensor, size: torch.Size) -> Tensor:
        return F.interpolate(x, size, mode="bilinear", align_corners=True)

    x = rgb.double() / 127.5 - 1
    x = layer("block_a.2", layer("block_a.1", layer("block_a.0", x), 2))
    half = x.shape[-2:]
    x = layer("block_c.0", layer("block_b.1", layer("block_b.0", x, 2)))
    for i in range(1, BLOCKS + 1):
        name = f"block_c.{i}.layers"
        y = layer(f"{name}.1", layer(f"{name}.0", x))
        y = norm(f"{name}.3", F.conv2d(y, state[f"{name}.2.weight"]))
        x = x + y if x.shape == y.shape else y
    x = up(layer(f"block_c.{BLOCKS + 1}", x), half)
    x = up(layer("block_d.1", layer("block_d.0", x)), rgb.shape[-2:])
    x = layer("block_e.2", layer("block_e.1", layer("block_e.0", x)))
    return (torch.tanh(F.conv2d(x, state["out_layer.0.weight"])) + 1) * 127.5


def picture(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1)) * 255


@pytest.mark.parametrize("size", [(32, 40), (33, 47)])
def test_is_the_authors_function(tmp_path, size):
    state, rgb = small_state(), picture(*size)
    torch.save(state, tmp_path / "net.pt")
    net = load(tmp_path / "net.pt")
    assert net.origin.layout == "bryandlee"
    assert "corners" in str(net.origin.guesses[0])
    wanted = authors(state, rgb)
    nudged = authors({k: v * (1 + 2**-24) for k, v in state.items()}, rgb)
    floor = 16 * (nudged - wanted).abs().max().item() + 1e-5
    assert (net.double()(rgb.double()) - wanted).abs().max().item() < floor


@pytest.mark.parametrize("size", [(8, 8), (8, 31), (9, 11), (10, 12)])
def test_sizes_are_the_contracts(tmp_path, size):
    torch.save(small_state(), tmp_path / "net.pt")
    net = load(tmp_path / "net.pt")
    assert tuple(net(picture(*size)).shape[-2:]) == net.contract.output_size(*size) == size
    with pytest.raises(RuntimeError):
        net(picture(net.contract.smallest_side - 1, 20))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("block_d.1.2.bias", None),
        ("block_a.0.1.weight", torch.zeros(10**6, 3, 1, 1)),
        ("block_a.0.1.weight", torch.zeros(4, 5, 7, 7)),
        ("block_b.0.2.weight", torch.zeros(0)),
        ("foreign.weight", torch.zeros(1)),
    ],
)
def test_broken_ones_are_one_line(tmp_path, key, value):
    state = small_state()
    if value is None:
        del state[key]
    else:
        state[key] = value
    torch.save(state, tmp_path / "net.pt")
    with pytest.raises(CheckpointError, match="a broken bryandlee net: ") as caught:
        load(tmp_path / "net.pt")
    assert "\n" not in str(caught.value)
