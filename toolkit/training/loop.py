"""The training loop: Adam on the perceptual losses, resumable, with a log and previews."""

from __future__ import annotations

import csv
import io
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from toolkit.errors import TrainingError
from toolkit.files import write_atomic
from toolkit.nets.johnson import JohnsonNet
from toolkit.pickles import read_pickle
from toolkit.training.data import Crops
from toolkit.training.layout import channels_last
from toolkit.training.losses import PerceptualLoss
from toolkit.training.recipe import Recipe

# While it trains, the net sees x / 127.5 and answers with (y - 127.5) / 4, so that Adam's steps fit
# the first and last layers' weights; both maps are folded into those layers when it is saved. One
# step of 1e-3 moves all 2592 weights of an output channel, and with them its values by up to ten
# grey levels; at a scale of 150 it was hundreds, and colours swung from step to step.
# No tanh: where it saturates it passes no gradient, and white stains stay white.
INPUT_SCALE = 1.0 / 127.5
OUTPUT_SCALE, OUTPUT_SHIFT = 4.0, 127.5
_LOG_EVERY = 20


@dataclass
class Progress:
    """How far a run is; ``losses`` are means since the last report."""

    step: int = 0
    seconds: float = 0.0
    fraction: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)


class Trainer:
    """One run in one folder: ``state.pt`` to resume from, ``log.csv``, and the net.

    Args:
        recipe: what to compute.
        loss: the perceptual loss of the painting.
        crops: training batches by step.
        folder: where the run lives.
        device: torch device of the net and the losses.
    """

    def __init__(
        self, recipe: Recipe, loss: PerceptualLoss, crops: Crops, folder: Path, device: str
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.loss = loss
        self.crops = crops
        self.folder = folder
        self.device = device
        self.net = channels_last(JohnsonNet(recipe.spec).to(device))
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=recipe.learning_rate)
        self.progress = Progress()
        self._inner: list[Tensor] = []
        for norm in self.net.norms():
            norm.register_forward_hook(lambda _module, _args, out: self._inner.append(out))
        self._window: list[dict[str, float]] = []

    def run(
        self,
        report: Callable[[Progress], None] = lambda _: None,
        *,
        save_seconds: float = 120.0,
    ) -> None:
        """Train to the end; ``report`` is called every few steps. State is saved as it goes.

        Raises:
            TrainingError: the loss is not a number; ``state.pt`` keeps the last good state.
        """
        saved = time.monotonic()
        batches = self.crops.since(self.progress.step)
        while self.progress.fraction < 1.0:
            started = time.monotonic()
            self._step(next(batches))
            self._advance(time.monotonic() - started)
            if self.progress.step % _LOG_EVERY == 0:
                self._log()
                report(self.progress)
            if time.monotonic() - saved > save_seconds:
                self.save()
                saved = time.monotonic()
        batches.close()  # type: ignore[attr-defined]
        self.save()

    def _step(self, photo: Tensor) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate(self.progress.fraction)
        photo = photo.to(self.device).contiguous(memory_format=torch.channels_last)
        self._inner.clear()
        bf16 = self.recipe.precision == "bf16"
        with torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=bf16):
            output = self.net(photo * INPUT_SCALE).float() * OUTPUT_SCALE + OUTPUT_SHIFT
            losses = self.loss(output, photo, self._inner)
        if not math.isfinite(float(losses.total.detach())):
            raise TrainingError(
                f"the loss is {float(losses.total.detach())} at step {self.progress.step}",
                fix=f"lower --learning-rate; {self.folder / 'state.pt'} is the last good state",
            )
        self.optimizer.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        # The losses fall by two orders of magnitude in the first minutes. Unit norm keeps one
        # hard crop from undoing what Adam has averaged (seen: style loss x500 at step 170).
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self._window.append(losses.floats())

    def _advance(self, seconds: float) -> None:
        now = self.progress
        now.step += 1
        now.seconds += seconds
        if self.recipe.minutes is not None:
            now.fraction = now.seconds / (60 * self.recipe.minutes)
        else:
            now.fraction = now.step / (self.recipe.steps or 1)

    def _log(self) -> None:
        rows, self._window = self._window, []
        means = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
        self.progress.losses = means
        path = self.folder / "log.csv"
        text = io.StringIO()
        writer = csv.writer(text)
        if not path.exists():
            writer.writerow(["step", "seconds", *means])
        writer.writerow(
            [
                self.progress.step,
                f"{self.progress.seconds:.1f}",
                *(f"{v:.6g}" for v in means.values()),
            ]
        )
        with path.open("a", encoding="utf-8", newline="") as log:
            log.write(text.getvalue())

    def save(self) -> None:
        """Write ``state.pt``: weights, optimiser and progress, in one atomic file."""
        state: dict[str, Any] = {
            "recipe": json.dumps(self.recipe.to_dict(), sort_keys=True),
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.progress.step,
            "seconds": self.progress.seconds,
            "fraction": self.progress.fraction,
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomic(self.folder / "state.pt", buffer.getvalue())

    def resume(self) -> None:
        """Go on from ``state.pt``. Raises TrainingError if it is of another recipe."""
        state = read_pickle(self.folder / "state.pt")
        if state["recipe"] != json.dumps(self.recipe.to_dict(), sort_keys=True):
            raise TrainingError(
                f"{self.folder} was started with another recipe",
                fix="repeat its options, or choose another folder with -o",
            )
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.progress.step = state["step"]
        self.progress.seconds = state["seconds"]
        self.progress.fraction = state["fraction"]

    def start_from(self, net: nn.Module) -> None:
        """Take over the weights of a finished net: the inverse of :meth:`trained`.

        Raises:
            TrainingError: it is not a Johnson net of the recipe's spec.
        """
        if not isinstance(net, JohnsonNet) or net.spec != self.recipe.spec:
            raise TrainingError("the net to start from has another shape", fix="match its --width")
        self.net.load_state_dict(net.state_dict())
        with torch.no_grad():
            self.net.conv1.conv.weight.div_(INPUT_SCALE)
            self.net.head.conv.get_parameter("bias").sub_(OUTPUT_SHIFT)
            for parameter in self.net.head.conv.parameters():
                parameter.div_(OUTPUT_SCALE)

    def trained(self) -> JohnsonNet:
        """A copy for 0..255 input, on the CPU, in evaluation mode, frozen."""
        net = JohnsonNet(self.recipe.spec)
        net.load_state_dict({key: value.cpu() for key, value in self.net.state_dict().items()})
        with torch.no_grad():
            net.conv1.conv.weight.mul_(INPUT_SCALE)
            for parameter in net.head.conv.parameters():
                parameter.mul_(OUTPUT_SCALE)
            net.head.conv.get_parameter("bias").add_(OUTPUT_SHIFT)
        return net.requires_grad_(False).eval()
