"""One training run from files to a file: checks first, then the loop, then the net and its card."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from toolkit.checkpoints.native import save_net
from toolkit.contract import Contract
from toolkit.errors import ImageError, TrainingError, UsageError
from toolkit.files import sha256
from toolkit.images import Picture, from_batch, read_image, to_batch, write_image
from toolkit.losses.perceptual import PerceptualLoss
from toolkit.losses.vgg_weights import load_vgg
from toolkit.nets.johnson import JohnsonNet
from toolkit.nets.vgg import Vgg
from toolkit.regimes import shipped_photos
from toolkit.style_net import StyleNet
from toolkit.stylize import scale_down
from toolkit.training.data import Crops, Photos
from toolkit.training.layout import channels_last
from toolkit.training.loop import NET, PREVIEW, STATE, Progress, Trainer
from toolkit.training.recipe import Recipe

_PREVIEW_SIDE = 256
_PREVIEW_EVERY = 200
# relu4_3 is at an eighth of the size.
_LEAST_SIDE = 32


def device_for(wanted: str) -> str:
    """``auto`` is CUDA where there is one."""
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind = wanted.split(":", maxsplit=1)[0]
    if kind not in ("cpu", "cuda"):
        raise UsageError(f"--device {wanted}: cpu, cuda or cuda:N")
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"--device {wanted}: no CUDA device", fix="--device cpu")
    return wanted


def precision_for(wanted: str, device: str) -> str:
    """``auto`` is bf16 where the device multiplies it faster than fp32."""
    if wanted != "auto":
        return wanted
    if device_for(device).startswith("cuda"):
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    # torch has no public question for it.
    native = torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001
    return "bf16" if native else "fp32"


@dataclass(frozen=True)
class Session:
    """A prepared run."""

    trainer: Trainer
    photos: Photos
    painting: Path
    start: StyleNet | None

    @classmethod
    def prepare(
        cls,
        *,
        painting: Path,
        content: list[Path],
        folder: Path,
        vgg: Path | None,
        device: str,
        recipe: Recipe,
        start: StyleNet | None,
        resume: bool,
        force: bool,
    ) -> Session:
        """Check all inputs, load the loss network, and resume if asked to.

        Raises:
            TrainingError: no readable photograph, or the folder holds a run and neither
                ``resume`` nor ``force`` is set (or the other way round).
        """
        device = device_for(device)
        _check_folder(folder, resume=resume, force=force)
        photos = Photos.scan(content)
        style = painting_batch(painting, recipe.style_size).to(device)
        net = load_vgg(recipe.objective, vgg).to(device)
        loss = PerceptualLoss(channels_last(net), style, recipe.objective)
        crops = Crops(photos, recipe.batch, recipe.size, recipe.seed)
        _make(folder)
        inputs = {
            "painting": sha256(painting),
            "content": _digest_of_names(photos),
            "vgg": vgg_digest(net),
            "init": start.origin.sha256 if start else "",
        }
        trainer = Trainer(recipe, loss, crops, folder, device, inputs)
        if resume:
            trainer.resume()
        elif start:
            trainer.start_from(start.net)
        return cls(trainer, photos, painting, start)

    def summary(self) -> str:
        """One line on what is about to run."""
        recipe, trainer = self.trainer.recipe, self.trainer
        length = f"{recipe.steps} steps" if recipe.steps else f"{recipe.minutes:g} minutes"
        return (
            f"{length} of {recipe.batch} crops of {recipe.size} px from {len(self.photos.files)} "
            f"photographs, {recipe.precision} on {trainer.device}, from step "
            f"{trainer.progress.step}, into {trainer.folder}"
        )

    def run(self, report: Callable[[Progress], None], *, name: str, licence: str = "") -> Path:
        """Train to the end and write the net with its card. Returns the file."""

        def each(now: Progress) -> None:
            report(now)
            if now.step % _PREVIEW_EVERY == 0:
                self._preview()

        self.trainer.run(each)
        self._preview()
        path = self.trainer.folder / NET
        card = self._card(name, licence)
        save_net(path, self.trainer.trained(), Contract(), card, half=True)
        return path

    def _preview(self) -> None:
        tiles = preview(self.trainer.trained(), shipped_photos())
        write_image(self.trainer.folder / PREVIEW, tiles)

    def _card(self, name: str, licence: str) -> dict[str, Any]:
        now = self.trainer.progress
        return {
            "name": name,
            "painting": self.painting.name,
            "painting_sha256": self.trainer.inputs["painting"],
            "licence": licence,
            "photographs": len(self.photos.files),
            "recipe": self.trainer.recipe.to_dict(),
            "loss_network": self.trainer.loss.vgg.variant,
            "steps": now.step,
            "minutes": round(now.seconds / 60, 1),
            "losses": now.losses,
            **({"start": _start_card(self.start)} if self.start else {}),
        }


def _digest_of_names(photos: Photos) -> str:
    return hashlib.sha256("\0".join(map(str, photos.files)).encode()).hexdigest()


def vgg_digest(vgg: Vgg) -> str:
    """Of the weights in use, wherever they came from."""
    digest = hashlib.sha256()
    for key, value in vgg.state_dict().items():
        digest.update(key.encode() + value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _start_card(net: StyleNet) -> dict[str, Any]:
    """What a fine-tuned net began as."""
    return {"sha256": net.origin.sha256, "layout": net.origin.layout, **net.origin.card}


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}") from error


def _check_folder(folder: Path, *, resume: bool, force: bool) -> None:
    there = (folder / STATE).exists()
    if resume and not there:
        raise TrainingError(f"{folder} holds no run to resume", fix="leave --resume out")
    if there and not (resume or force):
        raise TrainingError(
            f"{folder} holds a run", fix="--resume goes on with it, --force begins anew"
        )


def painting_batch(path: Path, longer_side: int) -> Tensor:
    """The painting as (1, 3, H, W) float32 in 0..255, its longer side as given or less.

    Raises:
        ImageError: it cannot be read, or is a strip too narrow to take statistics of.
    """
    painting = scale_down(read_image(path), longer_side)
    height, width = painting.rgb.shape[:2]
    if min(height, width) < _LEAST_SIDE:
        raise ImageError(f"{path}: {width}x{height} is too small for a painting")
    return torch.from_numpy(to_batch(painting.rgb))


def preview(net: JohnsonNet, files: list[Path]) -> Picture:
    """Photographs above, their stylised forms below, in one picture."""
    columns = []
    for file in files:
        rgb = read_image(file).rgb
        square = min(rgb.shape[:2])
        photo = Image.fromarray(rgb[:square, :square]).resize((_PREVIEW_SIDE, _PREVIEW_SIDE))
        batch = to_batch(np.array(photo))
        with torch.inference_mode():
            styled = from_batch(net(torch.from_numpy(batch)).clamp(0, 255).numpy())
        columns.append(np.vstack([np.array(photo), styled]))
    return Picture(np.hstack(columns))
