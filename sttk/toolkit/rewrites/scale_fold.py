"""Scale a convolution down before the instance norm that cancels the scale.

    norm(y) = (y - mean(y)) / sqrt(var(y) + eps), so for a > 0
    norm'(a y) = a (y - mean(y)) / sqrt(a^2 var(y) + a^2 eps) = norm(y) with eps' = a^2 eps,
    and a conv(x; W, b) = conv(x; a W, a b).

Why: a device that computes the variance in float16 squares deviations of up to 5,600 (in nets that
take 0..255), and float16 overflows at 65,504: the norm returns 0 or NaN and the picture is ruined
(apple/coremltools#1380, onnxruntime#10079, NVIDIA/TensorRT#2691). ``a`` is a power of two, so the
weights keep all their bits.

Known limits: the deviations are measured, on the package's photographs and on saturated noise, the
picture of the highest contrast; each ``a`` leaves a margin of two in amplitude.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from sttk.toolkit.core.errors import ExportError
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.imaging.regimes import photographs, shipped_photos
from sttk.toolkit.rewrites.same import check_same

NAME = "scale-fold"
# Its square is a quarter of float16's largest number.
LARGEST_DEVIATION = 128.0
_SIZE = (256, 256)

_Convolution = (nn.Conv2d, nn.ConvTranspose2d)


def scale_fold(net: StyleNet) -> tuple[StyleNet, int]:
    """Scale convolutions so that deviations before each instance norm stay under 128.

    Returns:
        A new net (or ``net`` itself if there is nothing to do), and the number of scaled norms.

    Raises:
        ExportError: a norm that needs scaling does not directly follow a convolution, or the scaled
            net computes another function because its convolution has other readers.
    """
    folded = copy.deepcopy(net)
    exponents = _exponents(folded)
    for norm, (convolution, exponent) in exponents.items():
        if convolution is None:
            raise ExportError(
                "float16 would overflow in an instance norm that follows no convolution"
            )
        _scale(convolution, norm, 2.0**-exponent)
    if not exponents:
        return net, 0
    check_same(NAME, net, folded)
    return folded, len(exponents)


def _scale(convolution: nn.Module, norm: nn.InstanceNorm2d, factor: float) -> None:
    with torch.no_grad():
        for parameter in convolution.parameters():
            parameter.mul_(factor)
    norm.eps *= factor**2


def _exponents(net: StyleNet) -> dict[nn.InstanceNorm2d, tuple[nn.Module | None, int]]:
    """Map each norm that needs scaling to the convolution before it and -log2 of its factor."""
    deviations: dict[nn.InstanceNorm2d, float] = {}
    before: dict[nn.InstanceNorm2d, nn.Module | None] = {}
    with torch.inference_mode():
        for batch in _high_contrast_pictures():
            with _observed(net, deviations, before):
                net(batch)
    return {
        norm: (before[norm], math.ceil(math.log2(deviation / LARGEST_DEVIATION)))
        for norm, deviation in deviations.items()
        if deviation > LARGEST_DEVIATION
    }


def _high_contrast_pictures() -> Iterator[Tensor]:
    for photo in photographs(shipped_photos(), _SIZE):
        yield torch.from_numpy(photo)
    seeded = torch.Generator().manual_seed(0)
    yield torch.randint(0, 2, (1, 3, *_SIZE), generator=seeded).float() * 255


@contextmanager
def _observed(
    net: nn.Module,
    deviations: dict[nn.InstanceNorm2d, float],
    before: dict[nn.InstanceNorm2d, nn.Module | None],
) -> Iterator[None]:
    """Record each norm's largest deviation and the convolution that it reads.

    A norm reads a convolution's output, or a view of it, if both share one storage.
    """
    # The tensors are kept, so that no storage is freed and its address reused.
    made: dict[int, tuple[nn.Module, Tensor]] = {}

    def convolved(module: nn.Module, _: object, output: Tensor) -> None:
        made[output.untyped_storage().data_ptr()] = (module, output)

    def normed(module: nn.InstanceNorm2d, inputs: tuple[Tensor, ...]) -> None:
        y = inputs[0]
        deviation = (y - y.mean((2, 3), keepdim=True)).abs().max().item()
        deviations[module] = max(deviation, deviations.get(module, 0.0))
        before[module] = made.get(y.untyped_storage().data_ptr(), (None,))[0]

    hooks = [
        module.register_forward_hook(convolved)
        if isinstance(module, _Convolution)
        else module.register_forward_pre_hook(normed)
        for module in net.modules()
        if isinstance(module, (*_Convolution, nn.InstanceNorm2d))
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
