"""Convolutions and resizings of TFLite, in torch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from sttk.toolkit.targets.litert.schema import SAME
from sttk.toolkit.targets.litert.site import MOST_INDICES, Apply, Prepare, Site, require


def _first(x: Tensor) -> Tensor:
    """(B, H, W, C) -> (B, C, H, W)."""
    return x.permute(0, 3, 1, 2)


def _last(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H, W, C)."""
    return x.permute(0, 2, 3, 1)


def _biased(y: Tensor, bias: Tensor | None) -> Tensor:
    """Add the bias of (B, D, H, W) after the sum, as the kernels of GPUs do, and put it last."""
    return _last(y) if bias is None else _last(y) + bias


def _pads(size: int, stride: int, reach: int, padding: int) -> tuple[int, int]:
    """Return the zeros before and after an axis, by the schema's ``Padding``.

    Args:
        size: the size of the input.
        stride: the stride of the convolution.
        reach: the extent of its kernel, dilation included.
        padding: SAME for an output of size / stride, rounded up.
    """
    if padding != SAME:
        return 0, 0
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def _strides(site: Site) -> tuple[int, int]:
    strides = site.option("StrideH"), site.option("StrideW")
    require(min(strides) > 0, f"strides of {strides}")
    return strides


def _convolution(site: Site, depthwise: bool) -> Apply:
    strides, padding = _strides(site), site.option("Padding")
    dilations = site.option("DilationHFactor"), site.option("DilationWFactor")
    require(min(dilations) > 0, f"dilations of {dilations}")

    def apply(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        # (D, K, K, C / groups), or of a depthwise one (1, K, K, D).
        weight = weight.permute(3, 0, 1, 2) if depthwise else _first(weight)
        x = _first(x)
        (top, bottom), (left, right) = (
            _pads(size, stride, (taps - 1) * dilation + 1, padding)
            for size, stride, taps, dilation in zip(
                x.shape[2:], strides, weight.shape[2:], dilations, strict=True
            )
        )
        groups = max(x.shape[1] // weight.shape[1], 1)
        x = F.pad(x, (left, right, top, bottom))
        return _biased(F.conv2d(x, weight, None, strides, 0, dilations, groups), bias)

    return apply


def _conv_2d(site: Site) -> Apply:
    return _convolution(site, depthwise=False)


def _depthwise_conv_2d(site: Site) -> Apply:
    return _convolution(site, depthwise=True)


def _transpose_conv(site: Site) -> Apply:
    """Convolve in full, and cut to the shape that the first input says."""
    strides, padding, shape = _strides(site), site.option("Padding"), site.numbers(0)
    require(len(shape) == 4, f"an output of shape {shape}")

    def apply(_: None, weight: Tensor, x: Tensor, bias: Tensor | None = None) -> Tensor:
        y = F.conv_transpose2d(_first(x), weight.permute(3, 0, 1, 2), None, strides)
        cuts: list[int] = []
        for axis, wanted in ((3, shape[2]), (2, shape[1])):
            stride, taps = strides[axis - 2], weight.shape[axis - 1]
            before = _pads(wanted, stride, taps, padding)[0]
            cuts += [-before, wanted + before - y.shape[axis]]
        return _biased(F.pad(y, cuts), bias)

    return apply


def _sources(site: Site, size: int, wanted: int) -> Tensor:
    """Return where each of the ``wanted`` positions along an axis lies in the input, float64."""
    corners, centers = site.option("AlignCorners"), site.option("HalfPixelCenters")
    scale = (size - 1) / (wanted - 1) if corners and wanted > 1 else size / wanted
    at = torch.arange(wanted, dtype=torch.float64)
    return (at + 0.5) * scale if centers else at * scale


def _wanted(site: Site) -> list[int]:
    wanted = site.numbers(1)
    usual = len(wanted) == 2 and 0 < min(wanted) <= max(wanted) <= MOST_INDICES
    require(usual, f"a size of {wanted}")
    return wanted


def _resize_nearest(site: Site) -> Apply:
    wanted = _wanted(site)

    def apply(x: Tensor, *_: None) -> Tensor:
        for axis, count in enumerate(wanted, 1):
            at = _sources(site, x.shape[axis], count)
            index = (at + 0.5).floor() if site.option("AlignCorners") else at.floor()
            index = index.long().clamp(0, x.shape[axis] - 1)
            x = x.index_select(axis, index.to(x.device))
        return x

    return apply


def _resize_bilinear(site: Site) -> Apply:
    wanted = _wanted(site)

    def apply(x: Tensor, *_: None) -> Tensor:
        for axis, count in enumerate(wanted, 1):
            at = _sources(site, x.shape[axis], count)
            at = (at - 0.5 if site.option("HalfPixelCenters") else at).clamp(0, x.shape[axis] - 1)
            low = at.floor()
            high = (low + 1).clamp(max=x.shape[axis] - 1)
            shape = [-1 if each == axis else 1 for each in range(x.ndim)]
            part = (at - low).view(shape).to(x.device, x.dtype)
            below, above = (x.index_select(axis, i.long().to(x.device)) for i in (low, high))
            x = below + (above - below) * part
        return x

    return apply


OF_WINDOWS: dict[str, Prepare] = {
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "RESIZE_BILINEAR": _resize_bilinear,
    "RESIZE_NEAREST_NEIGHBOR": _resize_nearest,
    "TRANSPOSE_CONV": _transpose_conv,
}
