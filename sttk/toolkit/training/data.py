"""Training photographs: random crops that depend only on (seed, step, index in the batch).

A batch is a function of its step, so a resumed run sees the same data as an uninterrupted one, and
several processes together see the same data as one.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sttk.toolkit.core.errors import ImageError, TrainingError
from sttk.toolkit.training.photos import Photos, is_flat, usable

# Range of a photograph's shorter side in units of the crop size, log-uniform: a net trained only on
# whole, downscaled photographs stains the brightest parts of larger, smoother ones white.
_SCALES = (1.0, 2.6)
_PREFETCHED = 4
_MAX_DRAWS = 100


@dataclass(frozen=True)
class Crops:
    """Batches of random square crops, (len(part), 3, size, size) in 0..255 RGB float32.

    Args:
        photos: the photographs to crop.
        part: the indices of the pictures of each batch; each of several processes has its own.
        size: the side of the crops in pixels.
        seed: the random seed.
        broken: collects the pictures that turned out to be unusable, with the reason.
    """

    photos: Photos
    part: range
    size: int
    seed: int
    broken: dict[Path, str] = field(default_factory=dict)

    def __getitem__(self, step: int) -> Tensor:
        """Return the batch of one step."""
        crops = [crop for _, crop in self._drawn(step)]
        return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float()

    def files_of(self, step: int) -> list[Path]:
        """Return the files of the crops of one step's batch; they are drawn anew."""
        return [file for file, _ in self._drawn(step)]

    def noise(self, step: int) -> Tensor:
        """Return standard normal noise in the shape of the batch, different for every step."""
        draws = [np.random.default_rng((self.seed, step, number, 1)) for number in self.part]
        shape = (3, self.size, self.size)
        return torch.from_numpy(np.stack([rng.standard_normal(shape, np.float32) for rng in draws]))

    def _drawn(self, step: int) -> list[tuple[Path, np.ndarray]]:
        draws = [np.random.default_rng((self.seed, step, number)) for number in self.part]
        return [self._readable_crop(rng) for rng in draws]

    def _readable_crop(self, rng: np.random.Generator) -> tuple[Path, np.ndarray]:
        """Return a crop of the first usable picture drawn, not flat; note the unusable ones."""
        for _ in range(_MAX_DRAWS):
            file = self.photos.files[rng.integers(len(self.photos.files))]
            try:
                crop = self._crop(usable(file, self.size), rng)
            except ImageError as error:
                last = self.broken[file] = str(error)
                continue
            if not is_flat(crop):
                return file, crop
            last = f"{file}: a crop of one colour"
        raise TrainingError(f"{_MAX_DRAWS} pictures in a row could not be used, the last: {last}")

    def _crop(self, photo: Image.Image, rng: np.random.Generator) -> np.ndarray:
        scale = self.size * math.exp(rng.uniform(*np.log(_SCALES))) / min(photo.size)
        width, height = (max(self.size, round(side * scale)) for side in photo.size)
        photo = photo.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
        left, top = (int(rng.integers(side - self.size + 1)) for side in (width, height))
        crop = np.asarray(photo.crop((left, top, left + self.size, top + self.size)))
        return crop[:, ::-1] if rng.random() < 0.5 else crop

    def since(self, step: int) -> Generator[Tensor]:
        """Yield batches from ``step`` on without end, prefetched by one background thread."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            queue: list[Future[Tensor]] = []
            try:
                while True:
                    while len(queue) < _PREFETCHED:
                        queue.append(pool.submit(self.__getitem__, step))
                        step += 1
                    yield queue.pop(0).result()
            finally:
                for future in queue:
                    future.cancel()
