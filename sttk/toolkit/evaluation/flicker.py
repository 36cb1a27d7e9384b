"""How much a style flickers in video: what moves in the pictures where nothing moved before."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from sttk.toolkit.imaging.images import Bytes

# Grey levels between two frames: within it a pixel stands still, but for the camera's noise.
_STILL = 6


def flicker(photographs: Sequence[Bytes], styled: Sequence[Bytes]) -> float | None:
    """Mean change between successive stylised frames where the photographs stand still.

    No optical flow is needed for it, and so no error of one is in it; what moves is left out.

    Args:
        photographs: (H, W, 3) in 0..255, in order, two or more.
        styled: as many, of the same size.

    Returns:
        Grey levels, the mean over all still pixels and channels; None if nothing stands still.
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
