"""The training loop: Adam on the perceptual losses, resumable, with a log."""

from __future__ import annotations

import contextlib
import io
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from toolkit.errors import TrainingError
from toolkit.files import write_atomic
from toolkit.losses.perceptual import PerceptualLoss
from toolkit.nets.johnson import JohnsonNet
from toolkit.pickles import read_pickle
from toolkit.training.data import Crops
from toolkit.training.layout import channels_last
from toolkit.training.log import LossLog
from toolkit.training.recipe import Recipe

# While it trains, the net sees x / 127.5 and answers with (y - 127.5) / 4, so that Adam's steps fit
# the first and last layers' weights; both maps are folded into those layers when it is saved. One
# step of 1e-3 moves all 2592 weights of an output channel, and with them its values by up to ten
# grey levels; at a scale of 150 it was hundreds, and colours swung from step to step.
# No tanh: where it saturates it passes no gradient, and white stains stay white.
INPUT_SCALE = 1.0 / 127.5
OUTPUT_SCALE, OUTPUT_SHIFT = 4.0, 127.5
# Of the last layer's random weights, so that the first pictures have some contrast: without it the
# small scale takes hundreds of steps to get there (style loss after 120: three times as high).
_HEAD_GAIN = 12.0
_LOG_EVERY = 20
STATE, LOG, NET, PREVIEW = "state.pt", "log.csv", "net.safetensors", "preview.png"


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
        inputs: digests of all else that decides the result; a resumed run's must be the same.
    """

    def __init__(
        self,
        recipe: Recipe,
        loss: PerceptualLoss,
        crops: Crops,
        folder: Path,
        device: str = "cpu",
        inputs: dict[str, str] | None = None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.loss = loss
        self.crops = crops
        self.folder = folder
        self.device = device
        self.inputs = inputs or {}
        self.net = channels_last(JohnsonNet(recipe.spec).to(device))
        with torch.no_grad():
            self.net.head.conv.weight.mul_(_HEAD_GAIN)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=recipe.learning_rate)
        self.progress = Progress()
        self._inner: list[Tensor] = []
        for norm in self.net.norms():
            norm.register_forward_hook(lambda _module, _args, out: self._inner.append(out))
        self.log = LossLog()
        self._saved = False

    def run(
        self,
        report: Callable[[Progress], None] = lambda _: None,
        *,
        save_seconds: float = 120.0,
    ) -> None:
        """Train to the end; ``report`` is called every few steps. State is saved as it goes, and
        when the user interrupts.

        Raises:
            TrainingError: the loss is not a number; ``state.pt`` keeps the last good state.
        """
        saved = time.monotonic()
        with contextlib.closing(self.crops.since(self.progress.step)) as batches:
            try:
                while self.progress.fraction < 1.0:
                    self._timed_step(batches)
                    if self.progress.step % _LOG_EVERY == 0:
                        self._log()
                        report(self.progress)
                    if time.monotonic() - saved > save_seconds:
                        self.save()
                        saved = time.monotonic()
            except KeyboardInterrupt:
                self.save()
                raise
        self._log()
        self.save()

    def _timed_step(self, batches: Iterator[Tensor]) -> None:
        started = time.monotonic()
        self._step(next(batches))
        self._advance(time.monotonic() - started)

    def _step(self, photo: Tensor) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate(self.progress.fraction)
        photo = photo.to(self.device).contiguous(memory_format=torch.channels_last)
        self._inner.clear()
        bf16 = self.recipe.precision == "bf16"
        with torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=bf16):
            output = self.net(photo * INPUT_SCALE).float() * OUTPUT_SCALE + OUTPUT_SHIFT
            losses = self.loss(output, self.loss.content_of(photo), self._inner)
        if not math.isfinite(float(losses.total.detach())):
            state = self.folder / STATE
            kept = f"; {state} is the last good state" if self._saved else ""
            raise TrainingError(
                f"the loss is {float(losses.total.detach())} at step {self.progress.step}",
                fix=f"lower --learning-rate{kept}",
            )
        self.optimizer.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        # The losses fall by two orders of magnitude in the first minutes. Unit norm keeps one
        # hard crop from undoing what Adam has averaged (seen: style loss x500 at step 170).
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.log.add(losses.floats())

    def _advance(self, seconds: float) -> None:
        now = self.progress
        now.step += 1
        now.seconds += seconds
        if self.recipe.minutes is not None:
            now.fraction = now.seconds / (60 * self.recipe.minutes)
        else:
            now.fraction = now.step / (self.recipe.steps or 1)

    def _log(self) -> None:
        self.log.close_row(self.progress.step, self.progress.seconds)
        self.progress.losses = self.log.latest

    def save(self) -> None:
        """Write ``state.pt`` (weights, optimiser, progress and log) and ``log.csv``, atomically.

        The first time, what an earlier run left in the folder is removed.
        """
        state: dict[str, Any] = {
            "run": self._run_identity(),
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.progress.step,
            "seconds": self.progress.seconds,
            "fraction": self.progress.fraction,
            "log": self.log.rows,
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomic(self.folder / STATE, buffer.getvalue())
        if not self._saved:
            for name in (NET, PREVIEW):
                (self.folder / name).unlink(missing_ok=True)
        self._saved = True
        self.log.write(self.folder / LOG)

    def _run_identity(self) -> str:
        return json.dumps({"recipe": self.recipe.to_dict(), **self.inputs}, sort_keys=True)

    def resume(self) -> None:
        """Go on from ``state.pt``.

        Raises:
            TrainingError: it is of another recipe or other inputs, or no state of a run.
        """
        state = read_pickle(self.folder / STATE)
        if state.get("run") != self._run_identity():
            raise TrainingError(
                f"{self.folder} was started with another recipe, painting, content or loss network",
                fix="repeat its options, or choose another folder with -o",
            )
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.progress.step = state["step"]
        self.progress.seconds = state["seconds"]
        self.progress.fraction = state["fraction"]
        self.log.rows = state["log"]
        self.progress.losses = self.log.latest
        self._saved = True

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
