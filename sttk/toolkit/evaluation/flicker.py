"""Flicker of a style in video: changes of the output where the input stands still."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from sttk.toolkit.imaging.images import Bytes

# Grey levels: pixels that change by no more than this between two frames are still, up to noise.
_STILL = 6


def flicker(photographs: Sequence[Bytes], styled: Sequence[Bytes]) -> float | None:
    """Return the mean change between successive stylised frames where the photographs are still.

    The measure needs no optical flow and so has none of its errors; moving pixels are left out.

    Args:
        photographs: two or more frames, (H, W, 3) in 0..255, in order.
        styled: the stylised frames, one for each photograph, of the same size.

    Returns:
        The mean over all still pixels and channels in grey levels; None if no pixel is still.
    """
    changes: list[np.ndarray] = []
    for (was, now), (styled_was, styled_now) in zip(
        pairwise(photographs), pairwise(styled), strict=True
    ):
        still = _change(was, now).max(axis=2) <= _STILL
        changes.append(_change(styled_was, styled_now)[still])
    found = np.concatenate(changes)
    return float(found.mean()) if found.size else None


def _change(was: Bytes, now: Bytes) -> np.ndarray:
    return np.abs(was.astype(np.int16) - now.astype(np.int16))
