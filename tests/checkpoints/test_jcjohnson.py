"""jcjohnson's nets: trees as models.lua makes them, and its arithmetic written anew in float64."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.errors import CheckpointError
from sttk.toolkit.io import torch7
from tests.checkpoints.torch7_files import Thing, group, layer, written

MEAN = torch.tensor([103.939, 116.779, 123.68]).double().view(3, 1, 1)
DEFAULT = "c9s1-4,d6,d8,R8,R8,u6,u4,c9s1-3"
NEAREST = "c9s1-4,d6,d8,R8,U2,c3s1-6,U2,c9s1-3"


class Model:
    """A net of an architecture string: its tree for the file, and its function."""

    def __init__(self, arch: str, padding: str, norm: str, seed: int = 0) -> None:
        self.random = torch.Generator().manual_seed(seed)
        self.padding, self.kind = padding, norm
        self.function: list[Any] = []
        # A picture on its way through the net as far as it is made, for the norms' statistics.
        self.x = torch.rand(1, 3, 64, 64, generator=self.random).double() * 255 - 128
        self.tree = group("Sequential", *self.made(arch))

    def rand(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.random) * 0.3

    def step(self, function: Any) -> None:
        self.function.append(function)
        self.x = function(self.x)

    def made(self, arch: str) -> list[Thing]:
        layers: list[Thing] = []
        names, previous = arch.split(","), 3
        if self.padding == "reflect-start":
            blocks = sum(name[0] == "R" for name in names)
            layers.append(self.pad("Reflection", 8 * blocks))  # 2 pixels twice, at a quarter
        for place, name in enumerate(names):
            last = place == len(names) - 1
            more, previous = self.one(name, previous)
            layers += more
            if not last and name[0] != "R":
                layers += [self.norm(previous), self.relu()]
        for function in (torch.tanh, lambda x: x * 150):
            self.step(function)
        tail = [layer("Tanh"), layer("MulConstant", constant_scalar=150.0, inplace=False)]
        return [*layers, *tail, layer("TotalVariation", strength=1e-6)]

    def one(self, name: str, taken: int) -> tuple[list[Thing], int]:
        if name[0] == "c":
            side, stride, given = int(name[1]), int(name[3]), int(name[5:])
            pads, zeros = self.padded(side // 2)
            return [*pads, self.conv(taken, given, side, stride, zeros)], given
        if name[0] == "d":
            return [self.conv(taken, int(name[1:]), 3, 2, 1)], int(name[1:])
        if name[0] == "u":
            return [self.full(taken, int(name[1:]))], int(name[1:])
        if name[0] == "U":
            self.step(lambda x: x.repeat_interleave(2, 2).repeat_interleave(2, 3))
            return [layer("SpatialUpSamplingNearest", scale_factor=int(name[1:]))], taken
        return [self.block(taken)], taken

    def padded(self, side: int) -> tuple[list[Thing], int]:
        kind = {"reflect": "Reflection", "replicate": "Replication"}.get(self.padding)
        return ([self.pad(kind, side)], 0) if kind else ([], side)

    def pad(self, kind: str, side: int) -> Thing:
        mode = {"Reflection": "reflect", "Replication": "replicate"}[kind]
        self.step(lambda x: F.pad(x, (side,) * 4, mode=mode))
        return layer(f"Spatial{kind}Padding", **{f"pad_{each}": side for each in "lrtb"})

    def conv(self, taken: int, given: int, side: int, stride: int, zeros: int) -> Thing:
        weight, bias = self.rand(given, taken, side, side) / side, self.rand(given)
        self.step(lambda x: F.conv2d(x, weight.double(), bias.double(), stride, zeros))
        sizes = {"kW": side, "kH": side, "dW": stride, "dH": stride, "padW": zeros, "padH": zeros}
        return layer("SpatialConvolution", nInputPlane=taken, nOutputPlane=given, weight=weight,
                     bias=bias, gradWeight=self.rand(1), **sizes)  # fmt: skip

    def full(self, taken: int, given: int) -> Thing:
        weight, bias = self.rand(taken, given, 3, 3), self.rand(given)
        self.step(lambda x: F.conv_transpose2d(x, weight.double(), bias.double(), 2, 1, 1))
        sizes = {"kW": 3, "kH": 3, "dW": 2, "dH": 2, "padW": 1, "padH": 1, "adjW": 1, "adjH": 1}
        return layer("SpatialFullConvolution", weight=weight, bias=bias, **sizes)

    def norm(self, channels: int) -> Thing:
        weight, bias = self.rand(channels) + 1, self.rand(channels)
        scale, shift = (each.double().view(1, -1, 1, 1) for each in (weight, bias))
        if self.kind == "instance":

            def instance(x: Tensor) -> Tensor:
                mean = x.mean((2, 3), keepdim=True)
                var = (x - mean).square().mean((2, 3), keepdim=True)
                return (x - mean) / (var + 1e-5).sqrt() * scale + shift

            self.step(instance)
            return layer("InstanceNormalization", eps=1e-5, nOutput=channels, prev_N=-1,
                         weight=weight, bias=bias)  # fmt: skip
        mean = self.x.mean((0, 2, 3)).float() + self.rand(channels)
        var = self.x.var((0, 2, 3)).float() * (1 + self.rand(channels).abs())
        centre, spread = (each.double().view(1, -1, 1, 1) for each in (mean, var))
        self.step(lambda x: (x - centre) / (spread + 1e-5).sqrt() * scale + shift)
        kept = {"running_var": var}
        if self.kind == "old batch":
            kept = {"running_std": (var.double() + 1e-5).rsqrt()}
        return layer("SpatialBatchNormalization", eps=1e-5, momentum=0.1, affine=True,
                     running_mean=mean, weight=weight, bias=bias, **kept)  # fmt: skip

    def relu(self) -> Thing:
        self.step(lambda x: x.clamp(min=0))
        return layer("ReLU", inplace=True, threshold=0, val=0)

    def block(self, channels: int) -> Thing:
        outer, self.function, start = self.function, [], self.x
        things: list[Thing] = []
        for last in (False, True):
            zeros = int(self.padding == "zero")
            if self.padding in ("reflect", "replicate"):
                things += self.padded(1)[0]
            things += [self.conv(channels, channels, 3, 1, zeros), self.norm(channels)]
            things += [] if last else [self.relu()]
        branch, self.function, self.x = self.function, outer, start
        shaves = self.padding == "reflect-start"

        def block(x: Tensor) -> Tensor:
            y = x
            for step in branch:
                y = step(y)
            return y + (x[:, :, 2:-2, 2:-2] if shaves else x)

        self.step(block)
        skip = layer("ShaveImage", size=2) if shaves else layer("Identity")
        both = group("ConcatTable", group("Sequential", *things), skip)
        return group("Sequential", both, layer("CAddTable"))

    @torch.no_grad()
    def authors(self, rgb: Tensor, *, resnet: bool = False) -> Tensor:
        """preprocess, model, deprocess."""
        mean = torch.tensor([0.485, 0.456, 0.406]).double().view(3, 1, 1)
        std = torch.tensor([0.229, 0.224, 0.225]).double().view(3, 1, 1)
        x = (rgb.double() / 255 - mean) / std if resnet else rgb.double()[:, [2, 1, 0]] - MEAN
        for step in self.function:
            x = step(x)
        y = (x * std + mean) * 255 if resnet else (x + MEAN)[:, [2, 1, 0]]
        return y.clamp(0, 255)

    def content(self, **options: Any) -> dict[str, Any]:
        opt = {"arch": "c9s1-32", "preprocessing": "vgg", "padding_type": self.padding, **options}
        history = [1.0 / (n + 1) for n in range(20)]
        return {"train_loss_history": history, "model": self.tree, "opt": opt}


def picture(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1)) * 255


CASES = [
    *((DEFAULT, padding, norm)
      for padding in ("zero", "reflect", "replicate", "reflect-start")
      for norm in ("batch", "instance")),
    (NEAREST, "reflect", "instance"), (NEAREST, "reflect-start", "instance"),
    (DEFAULT, "reflect", "old batch"),
]  # fmt: skip


@pytest.mark.parametrize(("arch", "padding", "norm"), CASES)
def test_is_jcjohnsons_function(tmp_path, arch, padding, norm):
    model = Model(arch, padding, norm)
    (tmp_path / "net.t7").write_bytes(written(model.content()))
    net, rgb = load(tmp_path / "net.t7"), picture(44, 52)
    assert (net.origin.layout, net.origin.guesses) == ("jcjohnson", ())
    assert net.contract.size_multiple == 4
    wanted, own = model.authors(rgb), net.double()(rgb.double())
    nudged = model.authors(rgb * (1 + 2**-24))
    floor = 64 * (nudged - wanted).abs().max().item() + 1e-3
    assert (own - wanted).abs().max().item() < floor
    assert 0.1 < ((wanted > 0) & (wanted < 255)).float().mean() <= 1


def test_resnets_values_and_a_bare_model(tmp_path):
    model = Model(DEFAULT, "zero", "batch")
    (tmp_path / "net.t7").write_bytes(written(model.content(preprocessing="resnet")))
    own = load(tmp_path / "net.t7").double()(picture(32, 32).double())
    torch.testing.assert_close(own, model.authors(picture(32, 32), resnet=True), atol=1e-3, rtol=0)
    (tmp_path / "net.bin").write_bytes(written(model.tree))  # known by its first bytes
    (guess,) = load(tmp_path / "net.bin").origin.guesses
    assert "preprocessing" in str(guess)


def test_the_smallest_side_is_what_the_net_takes(tmp_path):
    for padding, least in (("zero", 1), ("reflect", 5), ("reflect-start", 17)):
        model = Model(DEFAULT, padding, "batch")
        (tmp_path / "net.t7").write_bytes(written(model.content()))
        net = load(tmp_path / "net.t7")
        assert net.contract.smallest_side == least
        assert net(picture(least, 33)).shape[-2:] == net.contract.output_size(least, 33)


def test_objects_come_twice_and_themselves():
    shared = [1.5, "x", True, None]
    found = torch7.read(written({"a": shared, "b": shared}))
    assert found["a"] is found["b"]
    assert found["a"][1.0] == 1.5
    loop: dict[str, Any] = {"n": 1}
    loop["self"] = loop
    assert torch7.read(written(loop))["self"]["n"] == 1
    tensor = torch.arange(24.0).reshape(4, 6).t()[1:]
    np.testing.assert_array_equal(torch7.read(written(tensor)), tensor.numpy())


def test_lua_s_functions_are_skipped():
    body = struct.pack("<iii", 8, 77, 4) + b"code" + struct.pack("<i", 0)
    content = struct.pack("<iiii", 3, 1, 1, 2) + struct.pack("<i", 1) + b"f" + body
    assert torch7.read(content) == {"f": None}


def refused(tmp_path, content: bytes, match: str) -> None:
    (tmp_path / "net.t7").write_bytes(content)
    with pytest.raises(CheckpointError, match=match) as caught:
        load(tmp_path / "net.t7")
    assert "\n" not in str(caught.value)


LARGE = 1 << 40


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "past its end"),
        (b"4\n1\n3\n", "not a readable"),
        (struct.pack("<iii", 3, 1, 2**31 - 1), "past its end"),
        (struct.pack("<ii", 2, 2**31 - 1), "past its end"),
        (struct.pack("<ii", 2, -5), "past its end"),
        (struct.pack("<i", 99), "type 99"),
        (b"".join(struct.pack("<iii", 3, n, 1) for n in range(100)), "deeper"),
        (struct.pack("<ii", 4, 1) + struct.pack("<i", 3) + b"V 1" + struct.pack("<i", 18)
         + b"torch.FloatStorage" + struct.pack("<q", LARGE), "past its end"),
        (written({"opt": {}}), "without a model"),
        (written({"model": layer("Linear")}), "Linear"),
    ],
)  # fmt: skip
def test_hostile_files_are_one_line(tmp_path, content, match):
    refused(tmp_path, content, match)


def test_tensors_that_claim_more_than_their_storage_holds():
    tensor = torch.zeros(1).expand(1000)
    with pytest.raises(ValueError, match="in a storage of 1 values"):
        torch7.read(written(tensor))
    good = written(torch.zeros(2, 3))
    for at in range(0, len(good), 4):
        changed = good[:at] + struct.pack("<i", -7) + good[at + 4 :]
        try:
            torch7.read(changed)
        except ValueError:
            continue


def test_long_tables_are_cut_and_endless_ones_refused(monkeypatch):
    history = [float(n) for n in range(20_000)]
    assert len(torch7.read(written({"losses": history}))["losses"]) == 10_000
    monkeypatch.setattr(torch7, "_MOST_VALUES", 30_000)
    with pytest.raises(ValueError, match="more than 30000 values"):
        torch7.read(written({"losses": history}))
    monkeypatch.setattr(torch7, "_MOST_KEPT", 3000)
    with pytest.raises(ValueError, match="to keep"):
        torch7.read(written([[n] * 100 for n in range(100)]))


@pytest.mark.parametrize("index", range(5))
def test_broken_trees_are_one_line(tmp_path, index):
    model = Model(DEFAULT, "zero", "batch")
    layers = model.tree.fields["modules"]
    looped = group("Sequential")
    looped.fields["modules"].append(looped)
    change = (
        lambda: layers[0].fields.update(padW=1e12),
        lambda: layers[0].fields.update(weight=None),
        lambda: layers[1].fields.update(running_mean=torch.zeros(5)),
        lambda: layers.insert(2, looped),
        lambda: layers.pop(3),
    )[index]
    change()
    refused(tmp_path, written(model.content()), "a broken jcjohnson net")


def test_a_net_whose_picture_shrinks_is_refused(tmp_path):
    model = Model(DEFAULT, "zero", "batch")
    model.tree.fields["modules"].insert(3, layer("ShaveImage", size=2))
    refused(tmp_path, written(model.content()), "comes back in")
