"""The training loop: Adam on the perceptual losses, resumable, with a log."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from sttk.toolkit.core.errors import TrainingError
from sttk.toolkit.host.signals import stop_requests
from sttk.toolkit.losses.perceptual import Losses, PerceptualLoss
from sttk.toolkit.nets.trainable import Net, describe
from sttk.toolkit.training import diagnosis, guard
from sttk.toolkit.training.data import Crops
from sttk.toolkit.training.folder import STATE, RunFolder
from sttk.toolkit.training.layout import channels_last
from sttk.toolkit.training.log import LossLog, Row
from sttk.toolkit.training.recipe import Recipe
from sttk.toolkit.training.scaled import Scaled
from sttk.toolkit.training.state import identity
from sttk.toolkit.training.step import step_losses
from sttk.toolkit.training.team import Team

_LOG_EVERY = 20


@dataclass
class Progress:
    """The progress of a run; ``losses`` are means since the last report."""

    step: int = 0
    seconds: float = 0.0
    fraction: float = 0.0
    losses: Row = field(default_factory=dict)

    @property
    def seconds_left(self) -> float:
        """The estimated time left, at the speed so far."""
        return self.seconds * (1 / self.fraction - 1) if self.fraction else float("inf")


class Trainer:
    """One run in one folder: ``state.pt`` to resume from, ``log.csv``, and the net.

    Args:
        recipe: the training recipe.
        loss: the perceptual loss for the painting.
        crops: this process's part of the training batches, by step.
        folder: the folder of the run.
        team: the processes that train together, and this one's device.
        inputs: digests of everything else that determines the result; they must match to resume.
        teacher: a finished net whose output is imitated with weight ``recipe.teacher_weight``.
    """

    def __init__(
        self,
        recipe: Recipe,
        loss: PerceptualLoss,
        crops: Crops,
        folder: Path,
        team: Team | None = None,
        inputs: dict[str, str] | None = None,
        teacher: nn.Module | None = None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.loss = loss
        self.crops = crops
        self.folder = folder
        self.team = team or Team()
        self.teacher = teacher
        self.scaled = channels_last(Scaled(recipe.spec).to(self.team.device))
        self.optimizer = torch.optim.Adam(self.scaled.parameters(), lr=recipe.learning_rate)
        # The losses are large (1e5 to 1e8), and float16 ends at 65504: with torch's initial scale
        # of 65536, thirty steps would be skipped before the scale fits.
        self.scaler = torch.amp.GradScaler(
            self.team.kind, init_scale=2.0**-10, enabled=recipe.precision == "fp16"
        )
        self.progress = Progress()
        self.log = LossLog()
        self.files = RunFolder(folder, identity(recipe, inputs or {}))
        self._shared: nn.Module | None = None
        # The steps that changed nothing, since their gradients were not finite.
        self.overflows: list[int] = []

    def run(
        self,
        report: Callable[[Progress], None] = lambda _: None,
        *,
        save_seconds: float = 120.0,
        after_step: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Train to the end and save the state at intervals.

        The first Ctrl-C or SIGTERM saves the state at the end of the current step and ends the run.
        A second one ends it at once, anywhere in a step; then the last saved state remains.

        Args:
            report: progress callback, called every few steps.
            save_seconds: the interval between two saved states.
            after_step: called with the number of steps after each of them.

        Raises:
            TrainingError: the loss is not finite or has diverged; ``state.pt`` keeps the last good
                state.
        """
        saved = time.monotonic()
        with (
            contextlib.closing(self.crops.since(self.progress.step)) as batches,
            stop_requests() as stop,
        ):
            while self.progress.fraction < 1.0:
                if stop.is_set():
                    self.save()
                    stop.reraise()
                self._timed_step(batches)
                pause = self.progress.step % _LOG_EVERY == 0
                if pause:
                    self._log()
                    report(self.progress)
                after_step(self.progress.step)
                if pause and time.monotonic() - saved >= save_seconds:
                    self.save()
                    saved = time.monotonic()
        self._log()
        if not guard.is_sound(self.log.rows):
            raise self._failure("the loss ended far above its best")
        self.save()

    def _timed_step(self, batches: Iterator[Tensor]) -> None:
        started = time.monotonic()
        self.log.add(self._step(next(batches)))
        (seconds,) = self.team.means([time.monotonic() - started])
        self._advance(seconds)

    def _step(self, photo: Tensor) -> Row:
        """Run one optimiser step and return the loss terms of the whole batch."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate(self.progress.fraction)
        self.optimizer.zero_grad(set_to_none=True)
        losses = self.losses(photo)
        self.scaler.scale(losses.total).backward()  # type: ignore[no-untyped-call]
        mine = losses.floats()
        row = dict(zip(mine, self.team.means(list(mine.values())), strict=True))
        if not guard.is_number(row):
            raise self._failure(f"the loss is {row['total']} at step {self.progress.step}", photo)
        self._update(photo)
        return row

    def _update(self, photo: Tensor) -> None:
        """Take an optimiser step; a batch whose gradient is not finite is passed over."""
        self.scaler.unscale_(self.optimizer)
        # The losses fall by two orders of magnitude in the first minutes. Clipping to unit norm
        # keeps one hard crop from undoing Adam's averages (seen: style loss x500 at step 170).
        norm = torch.nn.utils.clip_grad_norm_(self.scaled.parameters(), 1.0)
        # In float16 the scaler passes over such steps itself, until its scale fits.
        if self.scaler.is_enabled() or norm.isfinite():
            self.scaler.step(self.optimizer)
        else:
            self.overflows.append(self.progress.step)
            if guard.is_stuck(self.overflows):
                name = diagnosis.broken_gradient(self.scaled) or "all weights"
                what = f"the gradient of {name} is {norm} at step {self.progress.step}"
                raise self._failure(what, photo)
        self.scaler.update()

    def losses(self, photo: Tensor) -> Losses:
        """Return the loss terms of (B, 3, H, W) crops in 0..255, in the recipe's precision."""
        if self._shared is None:
            # Late, so that the initial weights are shared after start_from or resume has set them.
            self._shared = self.team.share(self.scaled)
        return self._losses(self._shared, photo, slice(None))

    def _losses(self, net: nn.Module, photo: Tensor, part: slice) -> Losses:
        """Return the loss terms of a part of the batch, with ``net`` around the scaled net."""
        device, recipe = self.team.device, self.recipe
        photo = photo[part].to(device).contiguous(memory_format=torch.channels_last)
        steady = recipe.steady_weight > 0
        noise = self.crops.noise(self.progress.step)[part].to(device) if steady else None
        low = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(recipe.precision)
        with torch.autocast(self.team.kind, low, enabled=low is not None):
            return step_losses(net, self.scaled, photo, self.loss, recipe, noise, self.teacher)

    def _advance(self, seconds: float) -> None:
        now = self.progress
        now.step += 1
        now.seconds += seconds
        now.fraction = self._fraction()

    def _fraction(self) -> float:
        """Return how much of the run is done."""
        now = self.progress
        if self.recipe.minutes is not None:
            return now.seconds / (60 * self.recipe.minutes)
        return now.step / (self.recipe.steps or 1)

    def _log(self) -> None:
        self.log.close_row(self.progress.step, self.progress.seconds)
        self.progress.losses = self.log.latest
        if guard.has_diverged(self.log.rows):
            raise self._failure(f"the loss has run away by step {self.progress.step}")
        if self.team.leads and guard.is_sound(self.log.rows):
            self._hold()

    def _failure(self, what: str, photo: Tensor | None = None) -> TrainingError:
        """Write the last good state, and return the error, with its cause if a batch is given."""
        self._keep_good()
        if photo is not None:
            what = f"{what}: {self._cause(photo)}"
        fix = "lower --learning-rate"
        if self.recipe.precision == "fp16":
            fix = f"--precision bf16 or fp32, or {fix}"
        if self.files.saved is not None:
            state = self.folder / STATE
            fix = (
                f"{fix}; {state} is the last good state, of step {self.files.saved}: --resume goes "
                f"on from it, --init {self.folder} -o ANOTHER begins with its weights"
            )
        return TrainingError(what, fix=fix)

    def _cause(self, photo: Tensor) -> str:
        photo, step = photo.to(self.team.device), self.progress.step

        def alone(index: int) -> Losses:
            return self._losses(self.scaled, photo, slice(index, index + 1))

        return diagnosis.cause(self.scaled, photo, self.crops.files_of(step), alone)

    def _keep_good(self) -> None:
        """Write the last good state if it is newer than the file.

        Before the first row of the log it is the present one, if its weights are finite: all steps
        before this one had a finite loss.
        """
        if not self.team.leads:
            return
        early = not self.log.rows and self.progress.step > 0
        if early and not diagnosis.broken_weight(self.scaled):
            self._hold()
        self.files.write_newer()

    def save(self) -> None:
        """Write ``state.pt`` and ``log.csv``, atomically, if the run is sound.

        Only the leading process writes.
        """
        if self.team.leads and guard.is_sound(self.log.rows):
            self._hold()
            self.files.write()

    def _hold(self) -> None:
        now = self.progress
        state = {
            "about": json.dumps(describe(self.recipe.spec)),
            "net": self.scaled.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "progress": [now.step, now.seconds, now.fraction],
        }
        self.files.hold(now.step, state, self.log)

    def resume(self) -> None:
        """Resume from ``state.pt``; the run may have another length than before.

        Raises:
            TrainingError: the state is from another recipe or other inputs, or past the end.
            CheckpointError: the state cannot be read.
        """
        state, now, steps = self.files.read(), self.progress, self.recipe.steps
        now.step, now.seconds, _ = state["progress"]
        if steps is not None and now.step > steps:
            raise TrainingError(
                f"{self.folder} is at step {now.step}, past --steps {steps}",
                fix=f"--steps {now.step} or more, or --force to begin anew",
            )
        now.fraction = self._fraction()
        self.scaled.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.log.rows, self.log.open = state["log"]["rows"], state["log"]["open"]
        now.losses = self.log.latest

    def trained(self) -> Net:
        """Return a frozen copy of the net for 0..255 input, on the CPU, in evaluation mode."""
        return self.scaled.folded()
