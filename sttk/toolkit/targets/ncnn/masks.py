"""The feature masks of ncnn's layers: parameter 31, what ncnn must not do in a layer.

Source: ``get_masked_option`` in ncnn's net.cpp.
"""

from __future__ import annotations

from collections.abc import Iterable

MASK = "31"
NO_HALF_ARITHMETIC, NO_HALF_STORAGE, NO_GPU, NO_WINOGRAD = 1 << 0, 1 << 1, 1 << 4, 1 << 6
# A layer in float32 must be kept from the GPU, where ncnn does not convert between such a layer and
# those that store float16: the picture would be noise.
FLOAT32 = NO_HALF_ARITHMETIC | NO_HALF_STORAGE | NO_GPU


def mask_of(words: Iterable[str]) -> int:
    """Return the mask in the words of a layer's line, such as ``31=64``; 0 without one."""
    masks = [word.partition("=")[2] for word in words if word.startswith(f"{MASK}=")]
    return int(masks[-1]) if masks and masks[-1].isdigit() else 0
