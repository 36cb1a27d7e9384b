"""The fair speed-up: how long the optimisation takes to be as good as the net is in one pass.

"Hundreds of iterations" are what its authors run; the net does not reach what those reach. Both
are judged by the objective that the net was trained on, on the same photographs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sttk.benchmarks.config import OnProgress
from sttk.benchmarks.remote import Remote
from sttk.toolkit import styles
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.evaluation.held_out import STARTS
from sttk.toolkit.evaluation.own_loss import own_loss
from sttk.toolkit.gatys.equal import IterationLosses, equal_iterations, losses_of
from sttk.toolkit.gatys.optimise import optimise, white_noise
from sttk.toolkit.imaging.images import list_images
from sttk.toolkit.imaging.regimes import photographs, shipped_photos

MOST = 500
OPTION = "--style-vgg"  # of ``sttk bench``: its --vgg is for Gatys


@dataclass(frozen=True)
class EqualLossSpec:
    """A style, and the objective that another process is to judge it by.

    Attributes:
        style: a style that was trained by sttk, as ``sttk.toolkit.styles.find`` takes it.
        paintings: folders, one of which holds its painting.
        vgg: weights of its loss network; None for those at hand.
        threads: torch's CPU threads.
    """

    style: str
    paintings: tuple[Path, ...]
    vgg: Path | None
    threads: int

    def make(self) -> EqualLoss:
        """Load the net and its loss network."""
        return EqualLoss(self)


class EqualLoss:
    """Counts the iterations that one style is worth, in a process of its own.

    Args:
        spec: the style, and what it is judged by.

    Raises:
        UsageError, NotRunError: see ``sttk.toolkit.evaluation.own_loss``.
    """

    def __init__(self, spec: EqualLossSpec) -> None:
        torch.set_num_threads(spec.threads)
        self._net = styles.find(spec.style)
        self._loss = own_loss(self._net, list(spec.paintings), spec.vgg, option=OPTION)

    def measure(self, photo: Path, size: Size, start: str) -> dict[str, Any]:
        """Measure one photograph, from one start (``noise`` or ``content``).

        Returns:
            ``photo``, ``size``, ``start``; ``aim``, the net's loss; ``iterations`` and ``seconds``
            to reach it, None if ``MOST`` do not; ``curve``, rows of iteration, seconds and loss.
        """
        picture = torch.from_numpy(next(photographs([photo], size)))
        with torch.inference_mode():
            styled = self._net(picture)
        aim = losses_of(self._loss, picture, styled)["total"]
        content = self._loss.content_of(picture)
        begin = picture if start == STARTS[1] else white_noise(picture, seed=0)
        seconds: dict[int, float] = {}
        steps = optimise(self._loss, content, begin, iterations=MOST)
        found = equal_iterations(aim, _clocked(steps, seconds))
        reached = found.iterations
        return {
            "photo": photo.stem,
            "size": list(size),
            "start": start,
            "aim": aim,
            "iterations": reached,
            "seconds": None if reached is None else seconds[reached],
            "curve": [[n, seconds[n], loss] for n, loss in found.curve.items()],
        }


def _clocked(
    steps: Iterable[IterationLosses], seconds: dict[int, float]
) -> Iterator[IterationLosses]:
    """Yield the steps; ``seconds`` gets how long it took to come to each."""
    began = time.perf_counter()
    for step in steps:
        if step.iteration == 0:
            began = time.perf_counter()  # the start is there before the optimisation begins
        seconds[step.iteration] = time.perf_counter() - began
        yield step


def photos_of(folder: Path | None) -> list[Path]:
    """Return the photographs to judge by; the package's own unless there is a folder.

    Raises:
        UsageError: there are none in it.
    """
    found = list_images(folder) if folder else shipped_photos()
    if not found:
        raise UsageError(f"{folder}: no pictures in it")
    return found


def measured(
    spec: EqualLossSpec, folder: Path | None, sizes: Iterable[Size], on_progress: OnProgress
) -> list[dict[str, Any]]:
    """Measure every photograph at every size, from each start.

    Args:
        spec: the style, and what it is judged by.
        folder: a folder of photographs; None for the package's own.
        sizes: the sizes, each (height, width) in pixels.
        on_progress: called with a share and what is being done.
    """
    found = []
    with Remote(spec, spec.threads) as judge:
        for size in sizes:
            for photo in photos_of(folder):
                for start in STARTS:
                    on_progress(0.0, f"equal loss: {photo.stem} from {start}")
                    found.append(judge.call(EqualLoss.measure, photo, size, start))
    return found
