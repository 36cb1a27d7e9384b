"""Reconstructions of a picture from single layers of VGG (Gatys et al. 2015, figure 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from sttk.toolkit.gatys.optimise import GatysStep, optimise, white_noise
from sttk.toolkit.losses.objective import Objective
from sttk.toolkit.losses.perceptual import PerceptualLoss
from sttk.toolkit.losses.presets import preset
from sttk.toolkit.losses.vgg_weights import load_vgg

_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def objectives(what: str) -> dict[str, Objective]:
    """Return the objective of each reconstruction by its name.

    Args:
        what: ``content`` for the content of each of five layers alone, or ``style`` for the style
            of the first layer, the first two, and so on.
    """
    aim = preset("gatys2016")
    if what == "content":
        alone = replace(aim, style_weight=0.0)
        return {_conv(layer): replace(alone, content_layer=layer) for layer in _LAYERS}
    free = replace(aim, content_weight=0.0)
    found = {"conv1_1": replace(free, style_layers=_LAYERS[:1])}
    for count in range(2, len(_LAYERS) + 1):
        found[f"to {_conv(_LAYERS[count - 1])}"] = replace(free, style_layers=_LAYERS[:count])
    return found


def names(what: str) -> list[str]:
    """Return the names of the reconstructions, in order."""
    return list(objectives(what))


def reconstructions(
    photo: Tensor,
    what: str,
    iterations: int,
    vgg: Path | None,
    seed: int,
    on_progress: Callable[[float, str], None] = lambda _done, _text: None,
) -> Iterator[tuple[str, GatysStep]]:
    """Yield the name and the last step of each reconstruction, starting from white noise.

    Args:
        photo: (1, 3, H, W) in 0..255 RGB.
        what: ``content`` or ``style``.
        iterations: the number of L-BFGS iterations for each reconstruction.
        vgg: a file with VGG-19's weights; None to find them (``load_vgg``).
        seed: the seed of the noise, which is the same for all.
        on_progress: progress callback, called with the total number of iterations so far and a
            line of text.
    """
    for number, (name, aim) in enumerate(objectives(what).items()):
        loss = PerceptualLoss(load_vgg(aim, vgg).to(photo.device), photo, aim)
        start = white_noise(photo, seed)
        for step in optimise(loss, loss.content_of(photo), start, iterations=iterations):
            done = number * iterations + step.iteration
            total = step.losses["total"]
            on_progress(done, f"{name}  iteration {step.iteration}  loss {total:.4g}")
        yield name, step


def _conv(layer: str) -> str:
    """Return the layer's name in the paper; the features are those of the ReLU after it."""
    return layer.replace("relu", "conv")
