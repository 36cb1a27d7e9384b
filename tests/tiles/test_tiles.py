"""A net in tiles against the net on the whole picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.core.rungs import EXACT
from sttk.toolkit.core.style_net import Origin, StyleNet
from sttk.toolkit.nets.johnson import JohnsonSpec
from sttk.toolkit.nets.mobile import MobileNet, MobileSpec
from sttk.toolkit.runtimes.tiled import TiledRunner
from sttk.toolkit.runtimes.tiles.cut import STEP, cut
from sttk.toolkit.runtimes.tiles.norms import radius
from sttk.toolkit.runtimes.torch import TorchRunner
from tests.conftest import random_johnson
from tests.rungs import rung

ORIGIN = Origin("tiny", "none", "", "sttk")


def styled(module, **contract):
    return StyleNet(module, Contract(**contract), ORIGIN)


def mobile():
    torch.manual_seed(3)
    return MobileNet(MobileSpec(stem=4, trunk=6, blocks=2, head=5))


def picture(height, width, seed=0):
    """Not alike everywhere: a tile's own statistics are not the whole picture's."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 1, width, dtype=np.float32) * np.linspace(0.2, 1, height)[:, None]
    return (rng.random((1, 3, height, width)) * 255 * ramp).astype(np.float32)


NETS = {
    "nearest": lambda: random_johnson(JohnsonSpec((4, 6, 8), 2, output="tanh")),
    "transposed": lambda: random_johnson(JohnsonSpec((4, 6, 8), 1, upsample="transposed")),
    "batch norm": lambda: random_johnson(JohnsonSpec((4, 6, 8), 1, norm="batch")).eval(),
    "mobile": mobile,
}


def loud(module, batch):
    """The net with its last layer scaled, so that its picture varies over 50 grey levels."""
    with torch.no_grad():
        factor = 50 / module(torch.from_numpy(batch)).std()
        for parameter in module.last.parameters():
            parameter.mul_(factor)
    return module


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("size", [(160, 240), (203, 77)])
def test_it_is_the_whole_picture(kind, size):
    batch = picture(*size)
    module = NETS[kind]()
    net = styled(module if kind == "nearest" else loud(module, batch))
    assert rung(TiledRunner(net, 48).run(batch), net, batch) == EXACT


def test_statistics_of_each_tile_alone_would_be_another_picture():
    net = styled(NETS["nearest"]())
    batch = picture(96, 192)
    whole, half = TorchRunner(net).run(batch), TorchRunner(net).run(batch[..., :96])
    assert np.abs(half[..., :48] - whole[..., :48]).max() > 1


def test_how_far_a_net_looks():
    assert radius(nn.Conv2d(3, 3, 9, padding=4)) == 4
    assert radius(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.InstanceNorm2d(4))) == 1
    assert radius(nn.Conv2d(3, 3, (1, 401), padding=(0, 200))) == 200  # beyond the first picture


def test_a_net_that_looks_at_the_whole_picture_is_refused():
    class Whole(nn.Module):
        def forward(self, x):
            return x - x.mean((2, 3), keepdim=True)

    with pytest.raises(UsageError, match="looks at the whole picture"):
        TiledRunner(styled(Whole()), 64)


def test_a_net_that_norms_more_than_the_picture_is_refused():
    net = nn.Sequential(
        nn.ReflectionPad2d(8), nn.Conv2d(3, 3, 1), nn.InstanceNorm2d(3), nn.Conv2d(3, 3, 17)
    )
    with pytest.raises(UsageError, match="cut or widen"):
        TiledRunner(styled(net, size_multiple=1), 64).run(picture(80, 80))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 90), st.integers(0, 90))
def test_tiles_cover_each_pixel_once(height, width, side, halo):
    seen = np.zeros((height, width), int)
    for tile in cut((height, width), side, halo):
        rows, columns = tile.rows, tile.columns
        seen[rows.begin : rows.end, columns.begin : columns.end] += 1
        assert rows.first % STEP == columns.first % STEP == 0
        assert rows.begin - rows.first >= min(halo, rows.begin)
        assert rows.last - rows.end >= min(halo, height - rows.end)
    assert (seen == 1).all()


def test_the_command_gives_the_same_picture(sttk, checkpoint, photo, tmp_path):
    whole, tiled = tmp_path / "whole.png", tmp_path / "tiled.png"
    for output, how in ((whole, ()), (tiled, ("--tile", 64))):
        result = sttk("stylize", photo, "--checkpoint", checkpoint, *how, "-o", output)
        assert result.exit_code == 0, result.output
    wanted, got = (np.asarray(Image.open(path)).astype(int) for path in (whole, tiled))
    assert np.abs(got - wanted).max() <= 1


@pytest.mark.parametrize("how", [("--runtime", "onnxruntime"), ("--artifact", ".")])
def test_tiles_are_torchs(how, sttk, photo, tmp_path):
    result = sttk("stylize", photo, *how, "--tile", 64, "-o", tmp_path / "x.png")
    assert result.exit_code == 2
    assert "--tile is for torch" in result.stderr


def test_memory_is_asked_for_a_tile_and_the_picture(sttk, photo, tmp_path, monkeypatch):
    """Of a picture that a whole net has no memory for."""
    monkeypatch.setattr("sttk.toolkit.host.memory.available", lambda: 90 * 70 * 1000)
    whole = sttk("stylize", photo, "-o", tmp_path / "x.png")
    assert whole.exit_code == 2
    assert "--tile" in whole.stderr
    tile = sttk("stylize", photo, "--tile", 64, "-o", tmp_path / "x.png")
    assert "pass a smaller --tile" in tile.stderr  # its surroundings are all of this picture
    batch = picture(40, 1000)
    monkeypatch.setattr("sttk.toolkit.host.memory.available", lambda: 40 * 400 * 1400)
    net = styled(nn.Conv2d(3, 3, 3, padding=1))
    assert TiledRunner(net, 64).run(batch).shape == batch.shape
