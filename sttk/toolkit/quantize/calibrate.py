"""Calibration: observe each convolution's input on pictures, and fit its int8 or float8 range."""

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
# Values sampled from one convolution's input on one picture: enough for a histogram.
_SAMPLED = 20_000


@dataclass(frozen=True, eq=False)
class Calibration:
    """The quantisation of a net.

    Attributes:
        format: ``int8`` or ``fp8``.
        inputs: the affine of each quantised convolution's input, by its name in the style net.
        coverage: the number of calibration pictures of each kind.
        outputs: the affine of each convolution's output, if outputs are quantised too.
    """

    format: Format
    inputs: dict[str, Affine]
    coverage: dict[str, int]
    outputs: dict[str, Affine] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the calibration as plain JSON values."""
        fields = {"format": self.format, "inputs": _pairs(self.inputs), "coverage": self.coverage}
        return {**fields, "outputs": _pairs(self.outputs)} if self.outputs else fields

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Calibration:
        """Invert :meth:`to_dict`.

        Raises:
            KeyError, TypeError, ValueError: ``fields`` is not a calibration.
        """
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
    """Fit the input of every ``nn.Conv2d`` on photographs and on dark, blurred and bright variants.

    Transposed convolutions stay float, because no CPU runtime has them in int8. In int8, so do the
    convolutions between the first one and the first instance norm. Their input scales with the
    picture's contrast: a smooth picture uses few of the levels, and the norm amplifies the steps (a
    mobile net on a ramp: 20 dB, or 25 with its second convolution in float).

    Args:
        net: the style net.
        files: the photographs to calibrate on.
        to: the format to quantise to.
        outputs: whether to fit each convolution's output too, for runtimes whose convolutions
            output int8. The first convolution then stays float as well, for the same reason as
            those after it (the mobile net on a ramp: 20 dB with it quantised).
    """
    coverage = Coverage()
    observer = _observe(net, coverage.counted(pictures(files)), outputs)
    inputs_of = observer.inputs
    if to == "fp8":
        small = [name for name in inputs_of if float8.has_kernel(net.get_submodule(name))]
        inputs = {name: float8.fit(np.concatenate(inputs_of[name])) for name in small}
        return Calibration(to, inputs, coverage.to_dict())
    first = next(iter(inputs_of), None)
    inputs = {
        name: PICTURE if name == first and _is_picture(values) else fit(np.concatenate(values))
        for name, values in inputs_of.items()
        if name not in observer.before_norm or (name == first and not outputs)
    }
    fitted = {name: fit(np.concatenate(observer.outputs[name])) for name in inputs if outputs}
    return Calibration(to, inputs, coverage.to_dict(), fitted)


def _is_picture(values: list[Values]) -> bool:
    """Return whether a convolution reads the picture itself: whole numbers of 0..255."""
    every = np.concatenate(values)
    return bool(every.min() >= 0 and every.max() <= 255 and np.array_equal(every, np.rint(every)))


class _Observer:
    """An observer of the inputs and outputs of convolutions while a net runs.

    Attributes:
        inputs: samples of each convolution's inputs, in the order in which they run.
        outputs: samples of each convolution's outputs.
        before_norm: names of those that run before the first instance norm; empty without one.
    """

    def __init__(self) -> None:
        self.inputs: dict[str, list[Values]] = {}
        self.outputs: dict[str, list[Values]] = {}
        self.before_norm: frozenset[str] = frozenset()

    def pre_hook(self, name: str, module: nn.Module) -> Any:
        """Return the forward pre-hook for ``module``, or None if it is not observed."""
        if isinstance(module, nn.InstanceNorm2d):
            return self._norm
        return partial(self._conv, name) if isinstance(module, nn.Conv2d) else None

    def _conv(self, name: str, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.inputs.setdefault(name, []).append(_sampled(inputs[0]))

    def hook(self, name: str, _: nn.Module, __: Any, output: Tensor) -> None:
        """Record an output, as the forward hook of the convolution of this name."""
        self.outputs.setdefault(name, []).append(_sampled(output))

    def _norm(self, *_: object) -> None:
        self.before_norm = self.before_norm or frozenset(self.inputs)


def _sampled(tensor: Tensor) -> Values:
    values = tensor.flatten()
    return values[:: max(1, len(values) // _SAMPLED)].clone().numpy()


def _observe(net: StyleNet, batches: Iterable[Tensor], outputs: bool) -> _Observer:
    observer = _Observer()
    hooks = [
        module.register_forward_pre_hook(hook)
        for name, module in net.named_modules()
        if (hook := observer.pre_hook(name, module))
    ]
    hooks += [
        module.register_forward_hook(partial(observer.hook, name))
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
    return observer
