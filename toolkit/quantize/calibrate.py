"""What each convolution's input looks like on pictures, and the int8 range that suits it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from toolkit.quantize import float8
from toolkit.quantize.affine import PICTURE, Affine, Values, fit
from toolkit.quantize.pictures import Coverage, pictures
from toolkit.style_net import StyleNet

Format = Literal["int8", "fp8"]
# Values kept of one convolution's input on one picture: enough for a histogram.
_KEPT = 20_000


@dataclass(frozen=True, eq=False)
class Calibration:
    """How a net is quantised.

    Attributes:
        format: ``int8`` or ``fp8``.
        inputs: of each quantised convolution, by its name in the style net.
        coverage: what it was calibrated on.
    """

    format: Format
    inputs: dict[str, Affine]
    coverage: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        inputs = {name: [affine.scale, affine.zero_point] for name, affine in self.inputs.items()}
        return {"format": self.format, "inputs": inputs, "coverage": self.coverage}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Calibration:
        """The inverse of :meth:`to_dict`. Raises KeyError, TypeError or ValueError."""
        inputs = {
            str(name): Affine(float(scale), zero_point)
            for name, (scale, zero_point) in fields["inputs"].items()
        }
        if fields["format"] not in get_args(Format):
            raise ValueError(f"format {fields['format']!r}")
        return cls(fields["format"], inputs, dict(fields["coverage"]))


def calibrate(net: StyleNet, files: Sequence[Path], to: Format = "int8") -> Calibration:
    """Fit the input of every ``nn.Conv2d`` on photographs, and dark, blurred and bright ones.

    Transposed convolutions stay float: no CPU runtime has them in int8. So do in int8 those between
    the first convolution and the first instance norm. What they read is as large as the picture's
    contrast: a smooth picture is left with few of the levels, and the norm enlarges their steps (a
    mobile net on a ramp: 20 dB, and 25 with its second convolution in float).
    """
    coverage = Coverage()
    watch = _observe(net, coverage.counted(pictures(files)))
    seen = watch.seen
    if to == "fp8":
        small = [name for name in seen if float8.has_kernel(net.get_submodule(name))]
        inputs = {name: float8.fit(np.concatenate(seen[name])) for name in small}
        return Calibration(to, inputs, coverage.to_dict())
    first = next(iter(seen), None)
    inputs = {
        name: PICTURE if name == first and _is_picture(values) else fit(np.concatenate(values))
        for name, values in seen.items()
        if name == first or name not in watch.unnormed
    }
    return Calibration(to, inputs, coverage.to_dict())


def _is_picture(values: list[Values]) -> bool:
    """Whether a convolution reads the picture itself: whole numbers of 0..255."""
    every = np.concatenate(values)
    return bool(every.min() >= 0 and every.max() <= 255 and np.array_equal(every, np.rint(every)))


class _Watch:
    """What convolutions read while a net runs.

    Attributes:
        seen: of each, in the order in which they run, a thinned-out copy of its inputs.
        unnormed: names of those that run before the first instance norm; empty without one.
    """

    def __init__(self) -> None:
        self.seen: dict[str, list[Values]] = {}
        self.unnormed: frozenset[str] = frozenset()

    def hook(self, name: str, module: nn.Module) -> Any:
        """To be called before ``module`` runs, or None for a module that is of no interest."""
        if isinstance(module, nn.InstanceNorm2d):
            return self._norm
        return partial(self._conv, name) if isinstance(module, nn.Conv2d) else None

    def _conv(self, name: str, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        values = inputs[0].flatten()
        kept = values[:: max(1, len(values) // _KEPT)].clone().numpy()
        self.seen.setdefault(name, []).append(kept)

    def _norm(self, *_: object) -> None:
        self.unnormed = self.unnormed or frozenset(self.seen)


def _observe(net: StyleNet, batches: Iterable[Tensor]) -> _Watch:
    watch = _Watch()
    hooks = [
        module.register_forward_pre_hook(hook)
        for name, module in net.named_modules()
        if (hook := watch.hook(name, module))
    ]
    try:
        with torch.inference_mode():
            for batch in batches:
                net(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return watch
