"""Search the mobile net's shape: what a form takes to run, and what it can learn.

usage: python scripts/mobile_search.py CONTENT HELD_OUT --paintings DIR --vgg FILE -o REPORT.md

Every form imitates the same full net on the same crops, as often; then its pictures of photographs
that neither has seen are judged by the full net's objective, and its exports are timed in turns.
The figures say which forms lead, not how good a net becomes: the ones that are shipped learn for
longer, and from the losses too. Beside REPORT.md a chart of the same name.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sttk.benchmarks.specs import ModelSpec
from sttk.benchmarks.stopwatch import ROUNDS, median_milliseconds, time_interleaved
from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.toolkit import styles
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.core.style_net import Origin, StyleNet
from sttk.toolkit.evaluation.own_loss import own_loss
from sttk.toolkit.gatys.equal import losses_of
from sttk.toolkit.host.machine import cpu
from sttk.toolkit.imaging.charts import PALETTE, blank, write_png
from sttk.toolkit.imaging.images import list_images
from sttk.toolkit.imaging.regimes import photographs
from sttk.toolkit.io.files import write_atomic
from sttk.toolkit.losses.perceptual import PerceptualLoss
from sttk.toolkit.nets.mobile import MobileSpec
from sttk.toolkit.opened.artifact import open_artifact
from sttk.toolkit.parity.metrics import difference
from sttk.toolkit.runtimes.base import Settings
from sttk.toolkit.training.data import Crops
from sttk.toolkit.training.layout import channels_last
from sttk.toolkit.training.photos import Photos
from sttk.toolkit.training.recipe import Recipe
from sttk.toolkit.training.scaled import Scaled

TARGETS = ("onnx", "openvino")
SIZE = (512, 512)
HELD_OUT_SIZE = (256, 384)


class Form(NamedTuple):
    """One shape of the net."""

    name: str
    spec: MobileSpec

    def learner(self) -> Scaled:
        """With random weights, the same ones every time."""
        torch.manual_seed(0)
        return channels_last(Scaled(self.spec))

    def style_net(self, learner: Scaled) -> StyleNet:
        """What it has become."""
        origin = Origin(self.name, self.name, "0" * 64, "sttk")
        return StyleNet(learner.folded(), Contract(), origin)


FORMS = (
    Form("mobile-m", MobileSpec()),
    Form("trunk 32", MobileSpec(trunk=32)),
    Form("trunk 64", MobileSpec(trunk=64)),
    Form("3 blocks", MobileSpec(blocks=3)),
    Form("8 blocks", MobileSpec(blocks=8)),
    Form("trunk 64, 3 blocks", MobileSpec(trunk=64, blocks=3)),
    Form("head 32", MobileSpec(head=32)),
    Form("stem 32", MobileSpec(stem=32)),
    Form("mobile-s (inverted x2)", MobileSpec(expand=2)),
    Form("8 inverted x3", MobileSpec(blocks=8, expand=3)),
    Form("trunk 64, 6 inverted x2", MobileSpec(trunk=64, blocks=6, expand=2)),
)


@dataclass(frozen=True)
class Found:
    """What was measured of one form.

    Attributes:
        parameters: of the net.
        psnr: of its pictures against the full net's, dB, mean over the photographs.
        loss: its objective by that of the full net, the median over the photographs.
        milliseconds: median of one picture, by target.
    """

    form: Form
    parameters: int
    psnr: float
    loss: float
    milliseconds: dict[str, float]

    def at(self, target: str) -> tuple[float, float]:
        """Its place in the chart."""
        return self.milliseconds[target], self.loss


class Lesson(NamedTuple):
    """A batch of crops, and what the full net makes of it, both (B, 3, H, W) in 0..255."""

    photo: Tensor
    wanted: Tensor


def main() -> int:
    """Entry point."""
    options = _options()
    teacher = styles.find(options.style)
    nets = _learnt(teacher, options)
    exam = Exam(teacher, options)
    marks = [exam.marks(net) for net in nets]
    taken = {target: _timed(target, nets) for target in TARGETS}
    found = [
        Found(form, _count(net), *mark, {target: taken[target][number] for target in TARGETS})
        for number, (form, net, mark) in enumerate(zip(FORMS, nets, marks, strict=True))
    ]
    chart = options.output.with_suffix(".png")
    _draw(found, chart)
    write_atomic(options.output, _markdown(found, options, chart.name).encode())
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("content", type=Path, help="photographs to learn on")
    parser.add_argument("held_out", type=Path, help="photographs to be judged on")
    parser.add_argument("--paintings", type=Path, action="append", required=True)
    parser.add_argument("--vgg", type=Path, required=True)
    parser.add_argument("--style", default="great-wave")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--count", type=int, default=12, help="photographs held out")
    parser.add_argument("-o", "--output", type=Path, required=True)
    return parser.parse_args()


def _say(*words: object) -> None:
    print(*words, file=sys.stderr, flush=True)  # noqa: T201


def _learnt(teacher: StyleNet, options: argparse.Namespace) -> list[StyleNet]:
    recipe = Recipe(steps=options.steps, learning_rate=3e-3)
    lessons = list(_lessons(teacher, recipe, options.content))
    nets = []
    for form in FORMS:
        learner = form.learner()
        _say(form.name, f"{_learn(learner, lessons, recipe):.1f}")
        nets.append(form.style_net(learner))
    return nets


def _lessons(teacher: StyleNet, recipe: Recipe, content: Path) -> Iterator[Lesson]:
    """One a step; the full net answers each but once, for all forms."""
    crops = Crops(Photos.scan([content]), range(recipe.batch), recipe.size, recipe.seed)
    for step in range(recipe.steps or 0):
        photo = crops[step]
        with torch.inference_mode():
            wanted = teacher(photo)
        yield Lesson(photo.byte(), wanted.half())


def _learn(scaled: Scaled, lessons: Sequence[Lesson], recipe: Recipe) -> float:
    """Train in place. Returns the mean squared error over the last tenth."""
    optimizer = torch.optim.Adam(scaled.parameters())
    errors = []
    for step, (photo, wanted) in enumerate(lessons):
        optimizer.param_groups[0]["lr"] = recipe.rate(step / len(lessons))
        optimizer.zero_grad(set_to_none=True)
        batch = photo.float().contiguous(memory_format=torch.channels_last)
        error = F.mse_loss(scaled(batch), wanted.float())
        error.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(scaled.parameters(), 1.0)
        optimizer.step()
        errors.append(error.item())
    return statistics.fmean(errors[-max(1, len(errors) // 10) :])


class Exam:
    """Photographs that no net has seen, with the full net's pictures of them."""

    def __init__(self, teacher: StyleNet, options: argparse.Namespace) -> None:
        files = list_images(options.held_out)[: options.count]
        self._loss = own_loss(teacher, options.paintings, options.vgg)
        self._photos = [torch.from_numpy(each) for each in photographs(files, HELD_OUT_SIZE)]
        with torch.inference_mode():
            self._wanted = [teacher(photo) for photo in self._photos]
            self._totals = [
                _total(self._loss, *pair) for pair in zip(self._photos, self._wanted, strict=True)
            ]

    @torch.inference_mode()
    def marks(self, net: StyleNet) -> tuple[float, float]:
        """``Found.psnr`` and ``Found.loss``."""
        decibels, ratios = [], []
        for photo, wanted, total in zip(self._photos, self._wanted, self._totals, strict=True):
            picture = net(photo)
            decibels.append(difference(picture.numpy(), wanted.numpy()).psnr)
            ratios.append(_total(self._loss, photo, picture) / total)
        return statistics.fmean(decibels), statistics.median(ratios)


def _total(loss: PerceptualLoss, photo: Tensor, picture: Tensor) -> float:
    return losses_of(loss, photo, picture)["total"]


def _timed(target: str, nets: Sequence[StyleNet]) -> list[float]:
    """Median milliseconds of each, in interleaved rounds."""
    with tempfile.TemporaryDirectory(prefix="sttk-") as root:
        requests = [ExportRequest(net, shapes=Shapes.fixed(*SIZE)) for net in nets]
        folders = [
            make_artifact(target, request, Path(root, str(number)))
            for number, request in enumerate(requests)
        ]
        # Said, for left to themselves some runtimes take one of two.
        settings = Settings(threads=torch.get_num_threads())
        models = [ModelSpec(open_artifact(folder).model, settings) for folder in folders]
        return median_milliseconds(time_interleaved(models, SIZE, rounds=ROUNDS))


def _count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def _front(found: Sequence[Found], target: str) -> list[Found]:
    """Those than which none is both faster and better, from the fastest on."""
    by_time = sorted(found, key=lambda each: each.milliseconds[target])
    front: list[Found] = []
    for each in by_time:
        if not front or each.loss < front[-1].loss:
            front.append(each)
    return front


def _draw(found: Sequence[Found], path: Path) -> None:
    page = blank((10.0, 5.0))
    for axes, target in zip(page.subplots(1, len(TARGETS), sharey=True), TARGETS, strict=True):
        front = _front(found, target)
        axes.plot(*zip(*(each.at(target) for each in front), strict=True), color=PALETTE[1],
                  zorder=1, label="none is faster and better")  # fmt: skip
        axes.scatter(*zip(*(each.at(target) for each in found), strict=True), zorder=2)
        for number, each in enumerate(sorted(found, key=lambda each: each.loss)):
            below = number % 2 == 0  # neighbours' names would lie on each other
            axes.annotate(
                each.form.name, each.at(target), (4, -9 if below else 4),
                textcoords="offset points", fontsize=7,
            )  # fmt: skip
        axes.set_xlabel(f"ms at 512x512, {target}, float32")
        axes.grid(alpha=0.3)
        axes.margins(x=0.2)
        axes.legend(fontsize=8)
    page.axes[0].set_ylabel("held-out loss by the full net's")
    write_png(page, path)


def _markdown(found: Sequence[Found], options: argparse.Namespace, chart: str) -> str:
    times = [f"{target}, ms" for target in TARGETS]
    rows: list[list[Any]] = [
        ["form", "parameters", *times, "loss by the full net's", "dB of the full net's picture"]
    ]
    rows += [["---"] * len(rows[0])]
    for each in sorted(found, key=lambda each: each.loss):
        led = [target for target in TARGETS if each in _front(found, target)]
        taken = [
            f"**{each.milliseconds[target]:.1f}**" if target in led else
            f"{each.milliseconds[target]:.1f}" for target in TARGETS
        ]  # fmt: skip
        numbers = [f"{each.parameters:,}", *taken, f"{each.loss:.3f}", f"{each.psnr:.2f}"]
        rows.append([each.form.name, *numbers])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    here = cpu()
    features = ", ".join(here.features)
    intro = (
        f"Each form imitated {options.style} for {options.steps} steps on the same crops; loss is\n"
        f"the full net's own objective on {options.count} photographs that neither has seen, the\n"
        "median of the ratios to the full net's. In bold: on the front, none is both faster and\n"
        "better. Nets that have only begun to learn: the figures rank them, and promise nothing.\n"
        f"At 512x512 in float32, {ROUNDS} rounds in turns, on {here.name}\n"
        f"({features}), {torch.get_num_threads()} threads.\n\n"
        "mobile-m is stem 16, trunk 48, 5 residual blocks, head 16; the others say what differs."
    )
    parts = ["# The mobile net's shape", intro, f"![front]({chart})", table]
    return "\n\n".join([*parts, f"Made by: `python {' '.join(sys.argv)}`"]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
