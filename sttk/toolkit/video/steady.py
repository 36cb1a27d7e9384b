"""Flicker reduction for video: stylised frames are blended with the last one by optical flow.

Ruder et al. 2016 ("Artistic Style Transfer for Videos") optimise each frame to be close to the
warped frame before it; the output of a feed-forward net is fixed, so here the two are blended, with
the aim of Lai et al. 2018 ("Learning Blind Video Temporal Consistency"): where the photograph only
moves, the style should only move.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sttk.toolkit.imaging.images import Bytes, Floats
from sttk.toolkit.video.library import cv2

# Flow is computed on pictures of about this height: as good for blending, in a tenth of the time.
_FLOW_HEIGHT = 270
# The difference in grey levels between a photograph and the warped one before it at which the trust
# in the flow is e^-1: twice a camera's noise.
_TRUST = 12.0
# Sundaram et al. 2010, eq. 5: tolerances of the forward-backward check, relative and absolute.
_SHARE, _SLACK = 0.01, 0.5


class Flow:
    """The optical flow from each pixel of a photograph to its place in the one before."""

    def __init__(self, height: int, width: int) -> None:
        scale = min(1.0, _FLOW_HEIGHT / min(height, width))
        self._size = max(16, round(width * scale)), max(16, round(height * scale))
        self._full = width, height
        # Dense inverse search, Kroeger et al. 2016.
        self._find: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        across, down = np.meshgrid(np.arange(width), np.arange(height))
        self._grid = np.stack([across, down], axis=2).astype(np.float32)

    def small(self, rgb: Bytes) -> Bytes:
        """Convert (H, W, 3) to grey, in the size in which flow is computed."""
        resized = cv2.resize(rgb, self._size, interpolation=cv2.INTER_AREA)
        grey: Bytes = np.asarray(cv2.cvtColor(resized, cv2.COLOR_RGB2GRAY))
        return grey

    def between(self, now: Bytes, other: Bytes) -> Floats:
        """Return the flow from ``now`` to ``other``, both grey and small: (H, W, 2) in pixels."""
        flow = self._find.calc(now, other, None)
        scale = np.array(self._full, np.float32) / np.array(self._size, np.float32)
        full: Floats = cv2.resize(flow, self._full, interpolation=cv2.INTER_LINEAR) * scale
        return full

    def warp(self, picture: Any, flow: Floats) -> Any:
        """Sample ``picture``, of any depth, at the places that ``flow`` points to."""
        places: Any = self._grid + flow
        nothing: Any = None  # the second map: the places are in one array
        edges = cv2.BORDER_REPLICATE
        return cv2.remap(picture, places, nothing, cv2.INTER_CUBIC, borderMode=edges)


class Steady:
    """A filter that reduces flicker between successive frames.

    Args:
        strength: the weight of the last frame where the photograph only moved, 0..1. 0.8 still
            follows slow changes of light.
    """

    def __init__(self, strength: float) -> None:
        self._strength = strength
        self._flow: Flow | None = None
        self._last: tuple[Bytes, Bytes, Floats] | None = None

    def __call__(self, photograph: Bytes, styled: Bytes) -> Bytes:
        """Return the stylised frame, blended with the warped one before it.

        Args:
            photograph: (H, W, 3) uint8, the original frame.
            styled: (H, W, 3) uint8, the stylised frame.
        """
        flow = self._flow = self._flow or Flow(*photograph.shape[:2])
        small = flow.small(photograph)
        result = styled.astype(np.float32)
        if self._last is not None:
            before, before_small, carried = self._last
            moved = flow.between(small, before_small)
            trust = _trust(photograph, flow.warp(before, moved)) * self._strength
            result += trust[..., None] * (flow.warp(carried, moved) - result)
        self._last = photograph, small, result
        return np.clip(np.rint(result), 0, 255).astype(np.uint8)


class WarpError:
    """The warp error, a measure of flicker: change between frames that motion does not explain.

    It is the mean absolute difference, in grey levels, between a stylised frame and the one before,
    warped by the flow of the photographs, where forward and backward flow are consistent (Lai et
    al. 2018, sec. 4.2, with the mask of Ruder et al. 2016). For the photographs themselves it
    measures the error due to noise and flow.
    """

    def __init__(self) -> None:
        self._flow: Flow | None = None
        self._last: tuple[Bytes, tuple[Bytes, ...]] | None = None
        self._sums: list[NDArray[np.float64]] = []

    def add(self, photograph: Bytes, *others: Bytes) -> None:
        """Add a frame.

        Args:
            photograph: (H, W, 3) uint8, the frame from which the flow is computed.
            others: one or more stylised versions of it.
        """
        flow = self._flow = self._flow or Flow(*photograph.shape[:2])
        small = flow.small(photograph)
        pictures = (photograph, *others)
        if self._last is not None:
            before_small, before = self._last
            back = flow.between(small, before_small)
            visible = _visible(back, flow.warp(flow.between(before_small, small), back))
            self._sums.append(
                np.array(
                    [
                        _change(now, flow.warp(was, back), visible)
                        for now, was in zip(pictures, before, strict=True)
                    ]
                )
            )
        self._last = small, pictures

    def means(self) -> tuple[float, ...]:
        """Return the errors of the photographs and of the others; empty before the second frame."""
        return tuple(np.mean(self._sums, axis=0).tolist()) if self._sums else ()


def _trust(now: Bytes, warped: Bytes) -> Floats:
    """Return the trust in the flow, (H, W) in 0..1, from the similarity of two photographs."""
    off = np.asarray(cv2.absdiff(now, warped)).max(axis=2).astype(np.float32)
    trust: Floats = np.exp(-np.square(off / _TRUST))
    return trust


def _visible(there: Floats, back: Floats) -> NDArray[np.bool_]:
    """Return an (H, W) mask that is True where two flows cancel, so that nothing is occluded."""
    off = np.square(there + back).sum(axis=2)
    lengths = np.square(there).sum(axis=2) + np.square(back).sum(axis=2)
    visible: NDArray[np.bool_] = off <= _SHARE * lengths + _SLACK
    return visible


def _change(now: Bytes, warped: Bytes, visible: NDArray[np.bool_]) -> float:
    found = np.asarray(cv2.absdiff(now, warped))[visible]
    return float(found.mean()) if found.size else 0.0
