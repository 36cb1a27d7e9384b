"""A training run from input files to a net: checks, the training loop, the net and its card."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sttk.toolkit.checkpoints.native import save_net
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import MissingExtraError, TrainingError, UsageError
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.imaging.charts import check_charts
from sttk.toolkit.imaging.images import write_image
from sttk.toolkit.imaging.regimes import shipped_photos
from sttk.toolkit.io.files import sha256
from sttk.toolkit.io.outputs import check_folder
from sttk.toolkit.losses.curve import draw_curve
from sttk.toolkit.losses.perceptual import PerceptualLoss
from sttk.toolkit.losses.vgg_weights import load_vgg
from sttk.toolkit.nets.vgg import Vgg
from sttk.toolkit.training.data import Crops
from sttk.toolkit.training.folder import CURVE, NET, PREVIEW, STATE
from sttk.toolkit.training.layout import channels_last
from sttk.toolkit.training.loop import Progress, Trainer
from sttk.toolkit.training.photos import Photos
from sttk.toolkit.training.pictures import painting_batch, preview
from sttk.toolkit.training.recipe import Recipe
from sttk.toolkit.training.team import Team

_PREVIEW_EVERY = 200


@dataclass(frozen=True)
class TrainingConfig:
    """The configuration of a training run.

    Attributes:
        painting: the picture file of the style.
        content: the folders of training photographs.
        folder: the folder of the run.
        recipe: the training recipe.
        vgg: a file with the loss network's weights; None to find them (``load_vgg``).
        start: a finished net to fine-tune, in place of random weights.
        teacher: a finished net to imitate with weight ``recipe.teacher_weight``.
        resume: continue the run in ``folder``.
        force: start over and replace the run in ``folder``.
        name: the name of the style, for the card and by default for artifacts; empty for the
            painting's.
        licence: the licence of the painting, for the card.
        save_seconds: the interval between two saved states.
        snapshot_steps: the steps between two snapshots; 0 for none.
    """

    painting: Path
    content: list[Path]
    folder: Path
    recipe: Recipe
    vgg: Path | None = None
    start: StyleNet | None = None
    teacher: StyleNet | None = None
    resume: bool = False
    force: bool = False
    name: str = ""
    licence: str = ""
    save_seconds: float = 120.0
    snapshot_steps: int = 0

    @property
    def style(self) -> str:
        """The name of the style."""
        return self.name or self.painting.stem


@dataclass(frozen=True)
class Session:
    """A prepared training run."""

    config: TrainingConfig
    trainer: Trainer
    photos: Photos

    @classmethod
    def prepare(cls, config: TrainingConfig, team: Team) -> Session:
        """Check all inputs, load the loss network, and resume if configured.

        Raises:
            TrainingError: there is no usable photograph, the folder holds a run and neither
                ``resume`` nor ``force`` is set, or there is no run to resume.
            UsageError: a file or an option is invalid, or does not suit the team.
        """
        recipe = config.recipe
        _check_team(recipe, team)
        _check_teacher(config)
        _check_run(config)
        photos = Photos.scan(config.content, recipe.size)
        style = painting_batch(config.painting, recipe.style_size).to(team.device)
        net = load_vgg(recipe.objective, config.vgg).to(team.device)
        loss = PerceptualLoss(channels_last(net), style, recipe.objective)
        crops = Crops(photos, team.part(recipe.batch), recipe.size, recipe.seed)
        check_folder(config.folder)
        teacher = config.teacher.to(team.device) if config.teacher else None
        inputs = _digests(config, photos, net)
        trainer = Trainer(recipe, loss, crops, config.folder, team, inputs, teacher)
        if config.resume:
            trainer.resume()
        elif config.start:
            if not config.start.convention.is_plain:
                raise TrainingError(
                    f"{config.start.origin.name} does not take and give RGB in 0..255",
                    fix="start from a net that does: training keeps no conversion",
                )
            trainer.scaled.start_from(config.start.net)
        return cls(config, trainer, photos)

    def summary(self) -> str:
        """Return a one-line description of the run."""
        recipe, trainer = self.config.recipe, self.trainer
        length = f"{recipe.steps} steps" if recipe.steps else f"{recipe.minutes:g} minutes"
        team = f", {trainer.team.size} processes" if trainer.team.size > 1 else ""
        out = f" ({len(self.photos.skipped)} left out)" if self.photos.skipped else ""
        count = len(self.photos.files)
        photographs = "1 photograph" if count == 1 else f"{count} photographs"
        return (
            f"{length} of {recipe.batch} crops of {recipe.size} px from {photographs}{out}, "
            f"{recipe.precision} on {trainer.team.device}{team}, from step "
            f"{trainer.progress.step}, into {trainer.folder}"
        )

    def run(self, report: Callable[[Progress], None]) -> Path:
        """Train to the end, write the net with its card, and return its file."""
        leads = self.trainer.team.leads

        def each(now: Progress) -> None:
            report(now)
            if leads and now.step % _PREVIEW_EVERY == 0:
                self._write_pictures()

        def snapshot(step: int) -> None:
            every = self.config.snapshot_steps
            if leads and every and step % every == 0:
                self.trainer.files.snapshots.add(self.config.style, step, self._write_net)

        self.trainer.run(each, save_seconds=self.config.save_seconds, after_step=snapshot)
        path = self.trainer.folder / NET
        if leads:
            self._write_pictures()
            self._write_net(path)
        return path

    def _write_net(self, path: Path, picture: Path | None = None) -> None:
        """Write the net with its card, and its preview if there is a path for it."""
        net = self.trainer.trained()
        save_net(path, net, Contract(), self._card(), half=True)
        if picture:
            write_image(picture, preview(net, shipped_photos()))

    def remarks(self) -> list[str]:
        """Return what the user should know of the run so far: a line for each thing left out."""
        trainer = self.trainer
        lines = [f"skipped: {reason}" for reason in trainer.crops.broken.values()]
        if steps := trainer.overflows:
            first = ", ".join(map(str, trainer.crops.files_of(steps[0])))
            lines.append(
                f"{len(steps)} steps changed nothing, since their gradients were not finite; the "
                f"first was step {steps[0]}, with crops of {first}"
            )
        return lines

    def _write_pictures(self) -> None:
        """Write the preview and, if matplotlib is installed, the chart of the losses."""
        folder = self.trainer.folder
        write_image(folder / PREVIEW, preview(self.trainer.trained(), shipped_photos()))
        self.trainer.files.written.add(PREVIEW)
        if not self.charts_missing():
            rows = self.trainer.log.rows
            draw_curve(rows, folder / CURVE, title=self.config.style, across="step")
            self.trainer.files.written.add(CURVE)

    @staticmethod
    def charts_missing() -> str:
        """Return the reason why the losses are not drawn; empty if they are."""
        try:
            check_charts()
        except MissingExtraError as error:
            return f"{CURVE} is not drawn: {error}"
        return ""

    def _card(self) -> dict[str, Any]:
        now, config = self.trainer.progress, self.config
        return {
            "name": config.style,
            "painting": config.painting.name,
            "painting_sha256": sha256(config.painting),
            "licence": config.licence,
            "photographs": len(self.photos.files),
            "recipe": config.recipe.to_dict(),
            "loss_network": self.trainer.loss.vgg.variant,
            "steps": now.step,
            "minutes": round(now.seconds / 60, 1),
            "losses": now.losses,
            **({"start": _brief(config.start)} if config.start else {}),
            **({"teacher": _brief(config.teacher)} if config.teacher else {}),
        }


def _digests(config: TrainingConfig, photos: Photos, vgg: Vgg) -> dict[str, str]:
    """Return the digests of everything but the recipe that determines the result."""
    names = "\0".join(map(str, photos.files))
    return {
        "painting": sha256(config.painting),
        "content": hashlib.sha256(names.encode()).hexdigest(),
        "vgg": vgg_digest(vgg),
        "init": config.start.origin.sha256 if config.start else "",
        "teacher": config.teacher.origin.sha256 if config.teacher else "",
    }


def vgg_digest(vgg: Vgg) -> str:
    """Return the SHA-256 digest of the loss network's weights, whatever their source."""
    digest = hashlib.sha256()
    for key, value in vgg.state_dict().items():
        digest.update(key.encode() + value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _brief(net: StyleNet) -> dict[str, Any]:
    """Return the description of a start or teacher for the card."""
    return {"sha256": net.origin.sha256, "layout": net.origin.layout, **net.origin.card}


def _check_team(recipe: Recipe, team: Team) -> None:
    if team.size > 1 and getattr(recipe.spec, "norm", "instance") == "batch":
        raise UsageError(
            "batch norm would take its statistics from a part of the batch in each process",
            fix="--norm instance, or one process",
        )


def _check_teacher(config: TrainingConfig) -> None:
    size = config.recipe.size
    if config.teacher and config.teacher.contract.output_size(size, size) != (size, size):
        raise UsageError(
            f"the teacher {config.teacher.origin.name} gives pictures of {size} px another size",
            fix="pass --size of its multiple",
        )


def _check_run(config: TrainingConfig) -> None:
    there = (config.folder / STATE).exists()
    if config.resume and not there:
        raise TrainingError(f"{config.folder} holds no run to resume", fix="leave --resume out")
    if there and not (config.resume or config.force):
        raise TrainingError(
            f"{config.folder} holds a run", fix="--resume goes on with it, --force begins anew"
        )
