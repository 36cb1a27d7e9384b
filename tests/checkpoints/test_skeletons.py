"""Forks of Johnson's net: each author's arithmetic, written anew, on random weights in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from sttk.toolkit.checkpoints import LAYOUTS, layouts, load
from sttk.toolkit.core.errors import CheckpointError

FULL, HALF, QUARTER, BLOCKS = 4, 6, 8, 2
IMAGENET = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).double().view(2, 3, 1, 1)
State = dict[str, Tensor]


@dataclass
class Fork:
    """Names, and what the author's code does where forks differ."""

    layers: list[tuple[str, str]]
    enter: Callable[[Tensor], Tensor] = lambda x: x
    leave: Callable[[Tensor], Tensor] = lambda x: x
    parts: tuple[str, str] = ("weight", "bias")
    eps: float = 1e-5
    after: Callable[[Tensor, Tensor], Tensor] = lambda y, x: y + x
    unused: dict[str, int] = field(default_factory=dict)
    transposed: bool = False
    zero_down: bool = False
    tanh: bool = False
    affine: bool = True
    running: bool = False
    side: int = 9
    name: str = ""


def residual(form: str, inner: str, numbers: range) -> list[tuple[str, str]]:
    """``form`` takes a block's number and its layer's; so does ``inner``, for the norm."""
    return [(form.format(i, j), inner.format(i, j)) for i in numbers for j in (1, 2)]


def examples(up: str = "deconv{}.conv2d", last: str = "deconv3.conv2d",
             block: str = "res{}", first: int = 1) -> list[tuple[str, str]]:  # fmt: skip
    numbers = range(first, first + BLOCKS)
    return [
        *((f"conv{i}.conv2d", f"in{i}") for i in (1, 2, 3)),
        *residual(f"{block}.conv{{}}.conv2d", f"{block}.in{{}}", numbers),
        *((up.format(i), f"in{3 + i}") for i in (1, 2)),
        (last, ""),
    ]


DXYANG = [
    *((f"conv{i}.conv2d", f"in{i}_e") for i in (1, 2, 3)),
    *residual("res{}.conv{}.conv2d", "res{}.in{}", range(1, 1 + BLOCKS)),
    ("deconv3.conv2d", "in3_d"), ("deconv2.conv2d", "in2_d"), ("deconv1.conv2d", ""),
]  # fmt: skip
ERIK = [
    *((f"model.{i}.block.1", f"model.{i}.norm") for i in (0, 1, 2)),
    *((f"model.{i}.block.{j}.block.1", f"model.{i}.block.{j}.norm")
      for i in (3, 4) for j in (0, 1)),
    *((f"model.{i}.block.1", f"model.{i}.norm") for i in (5, 6)),
    ("model.7.block.1", ""),
]  # fmt: skip
IGREAT = [
    *((f"layers.{i}.conv", f"layers.{i + 1}") for i in (0, 3, 6)),
    *residual("layers.{}.conv{}.conv", "layers.{}.instance_norm{}", range(9, 9 + BLOCKS)),
    ("layers.11.conv.conv", "layers.12"), ("layers.14.conv.conv", "layers.15"),
    ("layers.17.conv", ""),
]  # fmt: skip
CYCLEGAN = [
    *((f"model.{i}", f"model.{i + 1}") for i in (1, 4, 7)),
    *((f"model.{i}.conv_block.{j}", f"model.{i}.conv_block.{j + 1}")
      for i in (10, 11) for j in (1, 5)),
    *((f"model.{i}", f"model.{i + 1}") for i in (12, 15)),
    ("model.19", ""),
]  # fmt: skip
DROPOUT = [tuple(n.replace("block.5", "block.6").replace("block.6", "block.7", 1)
                 if n.endswith(("block.5", "block.6")) and n is norm else
                 n.replace("block.5", "block.6") for n in (conv, norm))
           for conv, norm in CYCLEGAN]  # fmt: skip
UNKNOWN = [(f"step_{i}.kernel", f"step_{i}.calm") for i in range(9)] + [("paint", "")]


def normalised(x: Tensor) -> Tensor:
    return (x / 255 - IMAGENET[0]) / IMAGENET[1]


def denormalised(y: Tensor) -> Tensor:
    return (y * IMAGENET[1] + IMAGENET[0]) * 255


def turned(x: Tensor) -> Tensor:
    return x[:, [2, 1, 0]]


def relu_after(y: Tensor, x: Tensor) -> Tensor:
    return (y + x).clamp(min=0)


MEANS = {"enter": normalised, "leave": denormalised}
SIGNED = {"enter": lambda x: x / 127.5 - 1, "leave": lambda y: (y + 1) * 127.5, "side": 7,
          "transposed": True, "zero_down": True, "tanh": True, "name": "junyanz"}  # fmt: skip
FORKS = {
    "abhiskk": Fork(examples(), turned, turned, ("scale", "shift"), 1e-9),
    "dxyang": Fork(DXYANG, **MEANS, after=relu_after, unused={"in1_d": 3}),
    "gordicaleksa": Fork(examples("up{}.conv2d.conv2d", "up3.conv2d"), **MEANS),
    "yakhyo": Fork(examples("upsample_conv{}.conv2d", "upsample_conv3.conv2d"),
                   after=lambda y, x: (y + x) + x),
    "eriklindernoren": Fork(ERIK, **MEANS),
    "igreat": Fork(IGREAT, **MEANS),
    "joshbrew": Fork(examples(block="resblocks.{}", first=0), after=relu_after),
    "junyanz": Fork(CYCLEGAN, affine=False, **SIGNED),
    "junyanz, batch": Fork(CYCLEGAN, running=True, **SIGNED),
    "junyanz, dropout": Fork(DROPOUT, running=True, **SIGNED),
    "other-names": Fork(UNKNOWN, parts=("gamma", "beta")),
    "other-names, transposed": Fork(UNKNOWN, transposed=True, name="other-names"),
}  # fmt: skip


def weights(fork: Fork) -> State:
    """Random tensors under the author's names, in the order in which he makes them."""
    random = torch.Generator().manual_seed(0)
    state: State = {}

    def add(key: str, *shape: int) -> None:
        state[key] = torch.randn(shape, generator=random) * 0.3

    ends = [(3, FULL), (FULL, HALF), (HALF, QUARTER), *[(QUARTER, QUARTER)] * (2 * BLOCKS),
            (QUARTER, HALF), (HALF, FULL), (FULL, 3)]  # fmt: skip
    for index, ((conv, norm), (taken, given)) in enumerate(zip(fork.layers, ends, strict=True)):
        side = fork.side if index == 0 or not norm else 3
        up = fork.transposed and index in (len(ends) - 3, len(ends) - 2)
        add(f"{conv}.weight", *((taken, given) if up else (given, taken)), side, side)
        if not (fork.running and norm):  # a batch norm has a bias of its own
            add(f"{conv}.bias", given)
        for part in fork.parts if norm and fork.affine else ():
            add(f"{norm}.{part}", given)
        if norm and fork.running:
            add(f"{norm}.running_mean", given)
            state[f"{norm}.running_var"] = torch.rand(given, generator=random) * 4 + 0.5
            state[f"{norm}.num_batches_tracked"] = torch.tensor(3)
    for norm, channels in fork.unused.items():
        for part in fork.parts:
            add(f"{norm}.{part}", channels)
    return state


def convolved(fork: Fork, state: State, name: str, x: Tensor, stride: int) -> Tensor:
    weight, bias = state[f"{name}.weight"], state.get(f"{name}.bias")
    side = weight.shape[-1] // 2
    if stride > 1 and fork.zero_down:
        return F.conv2d(x, weight, bias, stride, 1)
    return F.conv2d(F.pad(x, (side,) * 4, mode="reflect"), weight, bias, stride)


def normed(fork: Fork, state: State, name: str, x: Tensor, *, running: bool) -> Tensor:
    mean, var = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True, correction=0)
    if running:
        kept = (state[f"{name}.running_{part}"] for part in ("mean", "var"))
        mean, var = (each.view(1, -1, 1, 1) for each in kept)
    x = (x - mean) / torch.sqrt(var + fork.eps)
    if f"{name}.{fork.parts[0]}" not in state:
        return x
    scale, shift = (state[f"{name}.{part}"].view(1, -1, 1, 1) for part in fork.parts)
    return x * scale + shift


def authors(fork: Fork, state: State, rgb: Tensor, *, running: bool | None = None) -> Tensor:
    """The author's net, in his values, straight from the tensors; RGB in 0..255 -> the same."""
    state = {key: value.double() for key, value in state.items()}
    running = fork.running if running is None else running

    def conv(index: int, x: Tensor, stride: int = 1) -> Tensor:
        return convolved(fork, state, fork.layers[index][0], x, stride)

    def up(index: int, x: Tensor) -> Tensor:
        if not fork.transposed:
            return conv(index, x.repeat_interleave(2, 2).repeat_interleave(2, 3))
        name = fork.layers[index][0]
        return F.conv_transpose2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), 2, 1, 1)

    def norm(index: int, x: Tensor) -> Tensor:
        return normed(fork, state, fork.layers[index][1], x, running=running)

    x = fork.enter(rgb.double())
    for index, stride in ((0, 1), (1, 2), (2, 2)):
        x = norm(index, conv(index, x, stride)).clamp(min=0)
    for index in range(3, 3 + 2 * BLOCKS, 2):
        y = norm(index, conv(index, x)).clamp(min=0)
        x = fork.after(norm(index + 1, conv(index + 1, y)), x)
    for index in (3 + 2 * BLOCKS, 4 + 2 * BLOCKS):
        x = norm(index, up(index, x)).clamp(min=0)
    y = conv(5 + 2 * BLOCKS, x)
    return fork.leave(torch.tanh(y) if fork.tanh else y).clamp(0, 255)


def picture(height: int, width: int) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(1)) * 255


@pytest.mark.parametrize("name", FORKS)
def test_is_the_authors_function(tmp_path, name):
    fork = FORKS[name]
    state = weights(fork)
    torch.save(state, tmp_path / "net.pth")
    net, rgb = load(tmp_path / "net.pth"), picture(20, 28)
    assert net.origin.layout == (fork.name or name)
    wanted = authors(fork, state, rgb)
    # The moved weights are stored in float32: as exact as the author's own are in it.
    plain = authors(fork, {k: v * (1 + 2**-24) for k, v in state.items()}, rgb)
    floor = 16 * (plain - wanted).abs().max().item() + 1e-4
    assert (net.double()(rgb.double()) - wanted).abs().max().item() < floor
    assert (wanted > 0).float().mean() > 0.1


def test_moves_into_weights_are_exact_in_float64():
    from sttk.toolkit.checkpoints.ends import CAFFE, IMAGENET, SIGNED, entering, leaving

    random = torch.Generator().manual_seed(0)
    weight = torch.randn(5, 3, 3, 3, generator=random).double()
    bias, back = torch.randn(5).double(), torch.randn(3, 5, 3, 3, generator=random).double()
    rgb = picture(9, 11).double()
    for values in (CAFFE, IMAGENET, SIGNED):
        mean, std = (torch.tensor(v).double().view(3, 1, 1) for v in (values.mean, values.std))
        v = ((rgb[:, [2, 1, 0]] if values.bgr else rgb) - mean) / std
        moved = F.conv2d(rgb, *entering(weight, bias, values))
        torch.testing.assert_close(moved, F.conv2d(v, weight, bias), atol=1e-9, rtol=1e-9)
        y = F.conv2d(moved, back, bias[:3]) * std + mean
        out = F.conv2d(moved, *leaving(back, bias[:3], values))
        torch.testing.assert_close(out, y[:, [2, 1, 0]] if values.bgr else y, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("name", [name for name in FORKS if "other-names" not in name])
def test_order_in_the_file_does_not_matter_where_names_are_known(tmp_path, name):
    state = weights(FORKS[name])
    save_file(state, tmp_path / "net.safetensors")
    torch.save(state, tmp_path / "net.pth")
    sorted_, plain = load(tmp_path / "net.safetensors"), load(tmp_path / "net.pth")
    assert sorted_.origin.layout == plain.origin.layout == (FORKS[name].name or name)
    assert torch.equal(sorted_(picture(12, 16)), plain(picture(12, 16)))


def test_unknown_names_say_what_was_assumed(tmp_path, sttk):
    torch.save(weights(FORKS["other-names"]), tmp_path / "net.pth")
    guesses = load(tmp_path / "net.pth").origin.guesses
    assert "0..255" in str(guesses[0])
    assert "guessed" in sttk("inspect", tmp_path / "net.pth").stdout
    torch.save(weights(FORKS["gordicaleksa"]), tmp_path / "net.pth")
    assert load(tmp_path / "net.pth").origin.guesses == ()


@pytest.mark.parametrize("name", ["gordicaleksa", "other-names", "other-names, transposed"])
def test_norms_that_count_batches_use_their_statistics(tmp_path, name):
    fork, random = FORKS[name], torch.Generator().manual_seed(2)
    state = weights(fork)
    for _, norm in fork.layers[:-1]:
        channels = state[f"{norm}.{fork.parts[0]}"].numel()
        state[f"{norm}.running_mean"] = torch.randn(channels, generator=random)
        state[f"{norm}.running_var"] = torch.rand(channels, generator=random) * 4 + 0.5
    torch.save(state, tmp_path / "old.pth")
    rgb = picture(16, 20)
    old = load(tmp_path / "old.pth")(rgb)
    torch.testing.assert_close(old, authors(fork, state, rgb).float(), atol=0.05, rtol=0)
    for _, norm in fork.layers[:-1]:
        state[f"{norm}.num_batches_tracked"] = torch.tensor(7)
    torch.save(state, tmp_path / "new.pth")
    wanted = authors(fork, state, rgb, running=True)
    nudged = authors(fork, {k: v * (1 + 2**-24) for k, v in state.items()}, rgb, running=True)
    floor = 64 * (nudged - wanted).abs().max().item() + 1e-4
    new = load(tmp_path / "new.pth").double()(rgb.double())
    assert (new - wanted).abs().max().item() < floor
    assert not torch.allclose(new, old.double(), atol=1)


def broken(state: State, key: str, value: Tensor | None) -> State:
    changed = {k: v for k, v in state.items() if k != key}
    return changed if value is None else {**changed, key: value}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("res1.in2.weight", None),
        ("conv2.conv2d.bias", None),
        ("up2.conv2d.conv2d.weight", None),
        ("in1.weight", torch.zeros(0)),
        ("conv3.conv2d.weight", torch.zeros(())),
        ("conv3.conv2d.weight", torch.zeros(10**6, 3, 1, 1)),
        ("res2.conv1.conv2d.weight", torch.zeros(8, 8, 3, 5)),
        ("foreign.weight", torch.zeros(1)),
    ],
)
def test_broken_ones_are_one_line(tmp_path, key, value):
    torch.save(broken(weights(FORKS["gordicaleksa"]), key, value), tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match="a broken gordicaleksa net: ") as caught:
        load(tmp_path / "net.pth")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("index", range(3))
def test_what_is_no_skeleton_is_of_no_known_layout(tmp_path, index):
    state = weights(FORKS["other-names"])
    wrong = (
        broken(state, "step_3.kernel.weight", torch.zeros(8, 8, 5, 5)),
        broken(state, "step_1.calm.gamma", torch.zeros(5)),
        broken(state, "step_2.kernel.weight_g", torch.zeros(5)),
    )[index]
    torch.save(wrong, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match="no known checkpoint layout"):
        load(tmp_path / "net.pth")


def test_no_layout_takes_another_s():
    for name, fork in FORKS.items():
        state = weights(fork)
        first = next(layout.NAME for layout in layouts() if layout.matches(state))
        assert first == (fork.name or name)
    assert LAYOUTS[-1] == "other_names"
