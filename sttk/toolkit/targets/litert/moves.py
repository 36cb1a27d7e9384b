"""Operations of TFLite that move values and compute none, in torch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from sttk.toolkit.targets.litert.schema import REFLECT
from sttk.toolkit.targets.litert.site import MOST_INDICES, Apply, Prepare, Site, require


def _pad(site: Site) -> Apply:
    """Pad with zeros, or with the third input (PADV2)."""
    pairs = site.pairs(1)
    amounts = [amount for pair in reversed(pairs) for amount in pair]
    require(min(amounts, default=0) >= 0, f"pads of {pairs}")
    with_value = len(site.constants) > 2
    value = site.constants[2] if with_value else None
    require(not with_value or (value is not None and value.size == 1), "a value that is computed")
    fill = 0.0 if value is None else float(value.reshape(()))
    return lambda x, *_: F.pad(x, amounts, value=fill)


def _mirror_pad(site: Site) -> Apply:
    pairs, edge = site.pairs(1), int(site.option("Mode") == REFLECT)

    def apply(x: Tensor, *_: None) -> Tensor:
        for axis, (before, after) in enumerate(pairs):
            size = x.shape[axis]
            if not 0 <= min(before, after) <= max(before, after) <= size - edge:
                raise RuntimeError(f"pads of {before} and {after} by reflection of {size}")
            if size > MOST_INDICES:
                raise RuntimeError(f"an axis of {size}")
            if before or after:
                head = torch.arange(before - 1 + edge, edge - 1, -1)
                tail = torch.arange(size - 1 - edge, size - 1 - edge - after, -1)
                index = torch.cat([head, torch.arange(size), tail])
                x = x.index_select(axis, index.to(x.device))
        return x

    return apply


def _depth_to_space(site: Site) -> Apply:
    """(B, H, W, k k C), position first -> (B, H k, W k, C)."""
    block = site.option("BlockSize")
    require(block > 0, f"blocks of {block}")

    def apply(x: Tensor) -> Tensor:
        batch, rows, columns, channels = x.shape
        x = x.reshape(batch, rows, columns, block, block, channels // block**2)
        return x.permute(0, 1, 3, 2, 4, 5).reshape(batch, rows * block, columns * block, -1)

    return apply


def _space_to_depth(site: Site) -> Apply:
    """(B, H k, W k, C) -> (B, H, W, k k C), position first."""
    block = site.option("BlockSize")
    require(block > 0, f"blocks of {block}")

    def apply(x: Tensor) -> Tensor:
        batch, rows, columns, channels = x.shape
        x = x.reshape(batch, rows // block, block, columns // block, block, channels)
        return x.permute(0, 1, 3, 2, 4, 5).reshape(batch, rows // block, columns // block, -1)

    return apply


def _transpose(site: Site) -> Apply:
    axes = site.numbers(1)
    return lambda x, *_: x.permute(axes)


def _reshape(site: Site) -> Apply:
    shape = site.numbers(1)
    return lambda x, *_: x.reshape(shape)


def _concatenation(site: Site) -> Apply:
    axis = site.option("Axis")
    return lambda *tensors: torch.cat(tensors, axis)


def _slice(site: Site) -> Apply:
    begins, sizes = site.numbers(1), site.numbers(2)
    require(min(begins, default=0) >= 0, f"a slice from {begins}")
    bounds = [
        slice(begin, None if size == -1 else begin + size)
        for begin, size in zip(begins, sizes, strict=True)
    ]
    return lambda x, *_: x[tuple(bounds)]


def _strided_slice(site: Site) -> Apply:
    for name in ("EllipsisMask", "NewAxisMask", "ShrinkAxisMask", "Offset"):
        require(not site.option(name), f"a slice with {name}")
    begins, ends, steps = (site.numbers(position) for position in (1, 2, 3))
    require(min(steps, default=1) > 0, "a slice that goes backward")
    from_start, to_end = site.option("BeginMask"), site.option("EndMask")
    bounds = [
        slice(None if from_start >> i & 1 else begin, None if to_end >> i & 1 else end, step)
        for i, (begin, end, step) in enumerate(zip(begins, ends, steps, strict=True))
    ]
    return lambda x, *_: x[tuple(bounds)]


def _gather(site: Site) -> Apply:
    """Gather along one axis by constant indices."""
    axis, index = site.option("Axis"), torch.tensor(site.numbers(1))
    require(not site.option("BatchDims"), "a gather with batch axes")
    return lambda x, *_: x.index_select(axis, index.to(x.device))


def _same(_: Site) -> Apply:
    """Pass on: values are real ones, in the arithmetic's type, whatever the file stores."""
    return lambda x: x


OF_MOVES: dict[str, Prepare] = {
    "CAST": _same,
    "CONCATENATION": _concatenation,
    "DEPTH_TO_SPACE": _depth_to_space,
    "DEQUANTIZE": _same,
    "GATHER": _gather,
    "MIRROR_PAD": _mirror_pad,
    "PAD": _pad,
    "PADV2": _pad,
    "QUANTIZE": _same,
    "RESHAPE": _reshape,
    "SLICE": _slice,
    "SPACE_TO_DEPTH": _space_to_depth,
    "STRIDED_SLICE": _strided_slice,
    "TRANSPOSE": _transpose,
}
