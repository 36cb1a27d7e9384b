"""What each convolution's input looks like on pictures, and the int8 range that suits it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.quantize import float8
from sttk.toolkit.quantize.affine import PICTURE, Affine, Values, fit
from sttk.toolkit.quantize.pictures import Coverage, pictures

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
        outputs: of each of them, what it gives, where that is rounded, too.
    """

    format: Format
    inputs: dict[str, Affine]
    coverage: dict[str, int]
    outputs: dict[str, Affine] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        fields = {"format": self.format, "inputs": _pairs(self.inputs), "coverage": self.coverage}
        return {**fields, "outputs": _pairs(self.outputs)} if self.outputs else fields

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Calibration:
        """The inverse of :meth:`to_dict`. Raises KeyError, TypeError or ValueError."""
        if fields["format"] not in get_args(Format):
            raise ValueError(f"format {fields['format']!r}")
        inputs, outputs = (_affines(fields.get(key, {})) for key in ("inputs", "outputs"))
        return cls(fields["format"], inputs, dict(fields["coverage"]), outputs)


def _pairs(affines: dict[str, Affine]) -> dict[str, list[float]]:
    return {name: [affine.scale, affine.zero_point] for name, affine in affines.items()}


def _affines(pairs: dict[Any, Any]) -> dict[str, Affine]:
    return {str(name): Affine(float(scale), zero) for name, (scale, zero) in pairs.items()}


def calibrate(
    net: StyleNet, files: Sequence[Path], to: Format = "int8", outputs: bool = False
) -> Calibration:
    """Fit the input of every ``nn.Conv2d`` on photographs, and dark, blurred and bright ones.

    With ``outputs``, what each of them gives is fitted, too, for runtimes whose convolutions give
    int8; then the first one stays float as well, for the same reason as those after it (the mobile
    net on a ramp: 20 dB with it rounded).

    Transposed convolutions stay float: no CPU runtime has them in int8. So do in int8 those between
    the first convolution and the first instance norm. What they read is as large as the picture's
    contrast: a smooth picture is left with few of the levels, and the norm enlarges their steps (a
    mobile net on a ramp: 20 dB, and 25 with its second convolution in float).
    """
    coverage = Coverage()
    watch = _observe(net, coverage.counted(pictures(files)), outputs)
    seen = watch.seen
    if to == "fp8":
        small = [name for name in seen if float8.has_kernel(net.get_submodule(name))]
        inputs = {name: float8.fit(np.concatenate(seen[name])) for name in small}
        return Calibration(to, inputs, coverage.to_dict())
    first = next(iter(seen), None)
    inputs = {
        name: PICTURE if name == first and _is_picture(values) else fit(np.concatenate(values))
        for name, values in seen.items()
        if name not in watch.unnormed or (name == first and not outputs)
    }
    given = {name: fit(np.concatenate(watch.given[name])) for name in inputs if outputs}
    return Calibration(to, inputs, coverage.to_dict(), given)


def _is_picture(values: list[Values]) -> bool:
    """Whether a convolution reads the picture itself: whole numbers of 0..255."""
    every = np.concatenate(values)
    return bool(every.min() >= 0 and every.max() <= 255 and np.array_equal(every, np.rint(every)))


class _Watch:
    """What convolutions read while a net runs.

    Attributes:
        seen: of each, in the order in which they run, a thinned-out copy of its inputs.
        given: of each, of what it gives.
        unnormed: names of those that run before the first instance norm; empty without one.
    """

    def __init__(self) -> None:
        self.seen: dict[str, list[Values]] = {}
        self.given: dict[str, list[Values]] = {}
        self.unnormed: frozenset[str] = frozenset()

    def hook(self, name: str, module: nn.Module) -> Any:
        """To be called before ``module`` runs, or None for a module that is of no interest."""
        if isinstance(module, nn.InstanceNorm2d):
            return self._norm
        return partial(self._conv, name) if isinstance(module, nn.Conv2d) else None

    def _conv(self, name: str, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.seen.setdefault(name, []).append(_thinned(inputs[0]))

    def gave(self, name: str, _: nn.Module, __: Any, output: Tensor) -> None:
        """To be called after the convolution of this name."""
        self.given.setdefault(name, []).append(_thinned(output))

    def _norm(self, *_: object) -> None:
        self.unnormed = self.unnormed or frozenset(self.seen)


def _thinned(tensor: Tensor) -> Values:
    values = tensor.flatten()
    return values[:: max(1, len(values) // _KEPT)].clone().numpy()


def _observe(net: StyleNet, batches: Iterable[Tensor], outputs: bool) -> _Watch:
    watch = _Watch()
    hooks = [
        module.register_forward_pre_hook(hook)
        for name, module in net.named_modules()
        if (hook := watch.hook(name, module))
    ]
    hooks += [
        module.register_forward_hook(partial(watch.gave, name))
        for name, module in net.named_modules()
        if outputs and isinstance(module, nn.Conv2d)
    ]
    try:
        with torch.inference_mode():
            for batch in batches:
                net(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return watch
