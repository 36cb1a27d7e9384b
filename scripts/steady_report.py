"""What training for steadiness does to flicker, and what it costs.

usage: python scripts/steady_report.py NET... --painting FILE --vgg FILE --frames DIR -o REPORT.md

The nets are checkpoints of `sttk train` on one painting. The frames are a video's, as PNG files:
`ffmpeg -ss 1 -i VIDEO -frames:v 24 -vf scale=480:-2 DIR/%03d.png`.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.evaluation.flicker import flicker
from sttk.toolkit.host.machine import cpu
from sttk.toolkit.imaging.images import (
    Bytes,
    from_batch,
    list_images,
    read_image,
    to_batch,
    to_bytes,
)
from sttk.toolkit.imaging.regimes import photographs, shipped_photos
from sttk.toolkit.losses.objective import Objective
from sttk.toolkit.losses.perceptual import PerceptualLoss
from sttk.toolkit.losses.vgg_weights import load_vgg
from sttk.toolkit.styles import find
from sttk.toolkit.training.pictures import painting_batch

_SIZE, _STYLE_SIZE = (256, 256), 512
_NOISES = (2.0, 4.0, 8.0)
_TAKES = 4


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="+")
    parser.add_argument("--painting", type=Path, required=True)
    parser.add_argument("--vgg", type=Path)
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    frames = [read_image(file).rgb for file in list_images(options.frames)]
    objective = Objective()
    vgg = load_vgg(objective, options.vgg)
    loss = PerceptualLoss(vgg, painting_batch(options.painting, _STYLE_SIZE), objective)
    rows = [_row(find(name), frames, loss) for name in options.nets]
    options.output.write_text(_page(rows, len(frames)), encoding="utf-8")
    return 0


def _row(net: StyleNet, frames: Sequence[Bytes], loss: PerceptualLoss) -> list[str]:
    recipe = net.origin.card["recipe"]
    photos = [x.astype(np.float32) for x in photographs(shipped_photos(), _SIZE)]
    noisy = [_under_noise(net, photos, sigma) for sigma in _NOISES]
    moving = flicker(frames, [_styled(net, to_batch(frame)) for frame in frames])
    content, style = _losses(net, photos, loss)
    weight = recipe.get("steady_weight", 0.0)
    figures = [*noisy, moving if moving is not None else float("nan")]
    return [f"{weight:g}", *(f"{x:.2f}" for x in figures), f"{content:.3g}", f"{style:.3g}"]


def _under_noise(net: StyleNet, photos: Sequence[np.ndarray], sigma: float) -> float:
    """Flicker of still scenes, filmed with noise of ``sigma`` grey levels."""
    found = []
    for number, photo in enumerate(photos):
        still = [from_batch(photo)] * _TAKES
        taken = [_styled(net, frame) for frame in _filmed(photo, sigma, number)]
        found.append(flicker(still, taken) or 0.0)
    return float(np.mean(found))


def _filmed(photo: np.ndarray, sigma: float, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    for _ in range(_TAKES):
        noise = sigma * rng.standard_normal(photo.shape)
        yield to_bytes(photo + noise).astype(np.float32)


@torch.inference_mode()
def _styled(net: StyleNet, batch: np.ndarray) -> Bytes:
    height, width = batch.shape[2:]
    cut = batch[:, :, : height - height % 4, : width - width % 4]
    styled = from_batch(net(torch.from_numpy(np.ascontiguousarray(cut))).numpy())
    return np.pad(styled, ((0, height % 4), (0, width % 4), (0, 0)), mode="edge")


@torch.inference_mode()
def _losses(
    net: StyleNet, photos: Sequence[np.ndarray], loss: PerceptualLoss
) -> tuple[float, float]:
    rows = []
    for photo in photos:
        x = torch.from_numpy(photo)
        terms = loss(net(x), loss.content_of(x)).floats()
        rows.append((terms["content"], terms["style"]))
    content, style = np.mean(rows, axis=0)
    return float(content), float(style)


def _page(rows: Sequence[Sequence[str]], frames: int) -> str:
    columns = ["`--steady-weight`", *(f"noise {sigma:g}" for sigma in _NOISES), "video"]
    columns += ["content loss", "style loss"]
    table = [columns, ["---:"] * len(columns), *rows]
    lines = "\n".join("| " + " | ".join(row) + " |" for row in table)
    return f"""# Steadiness

Made by `python {" ".join(sys.argv)}`, torch {version("torch")}, numpy {version("numpy")}, Python
{platform.python_version()}, {cpu().name}.

Flicker is the mean change, in grey levels, between successive stylised frames where the photographs
stand still (`sttk/toolkit/evaluation/flicker.py`): of the package's photographs at
{_SIZE[0]}x{_SIZE[1]} under Gaussian noise of so many grey levels, {_TAKES} frames each, and of
{frames} frames of a video, its own small motion included. The losses are on the same photographs,
without noise; all nets were trained alike but for the weight.

{lines}
"""


if __name__ == "__main__":
    sys.exit(main())
