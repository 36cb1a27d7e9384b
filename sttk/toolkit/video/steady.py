"""Styles that hold still in video: what a frame shows is carried to the next by optical flow.

Ruder et al. 2016 ("Artistic Style Transfer for Videos") optimise each frame to be near the one
before, warped; a feed-forward net has made its frame already, so here the two are blended, to the
aim of Lai et al. 2018 ("Learning Blind Video Temporal Consistency"): where the photograph only
moved, the style should only move.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sttk.toolkit.imaging.images import Bytes, Floats
from sttk.toolkit.video.library import cv2

# Flow is found on pictures of about this height: as good for blending, and a tenth of the time.
_FLOW_HEIGHT = 270
# Grey levels of difference between a photograph and the one before it, warped, at which trust in
# the flow is e^-1: twice a camera's noise.
_TRUST = 12.0
# Sundaram et al. 2010, eq. 5: flow there and back must cancel, to within this share and this much.
_SHARE, _SLACK = 0.01, 0.5


class Flow:
    """Where each pixel of a photograph was in the one before."""

    def __init__(self, height: int, width: int) -> None:
        scale = min(1.0, _FLOW_HEIGHT / min(height, width))
        self._size = max(16, round(width * scale)), max(16, round(height * scale))
        self._full = width, height
        # Dense inverse search, Kroeger et al. 2016.
        self._find: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        across, down = np.meshgrid(np.arange(width), np.arange(height))
        self._grid = np.stack([across, down], axis=2).astype(np.float32)

    def small(self, rgb: Bytes) -> Bytes:
        """(H, W, 3) -> grey, of the size in which flow is found."""
        resized = cv2.resize(rgb, self._size, interpolation=cv2.INTER_AREA)
        grey: Bytes = np.asarray(cv2.cvtColor(resized, cv2.COLOR_RGB2GRAY))
        return grey

    def between(self, now: Bytes, other: Bytes) -> Floats:
        """(H, W, 2) pixels to add to a place in ``now`` to find it in ``other``; both small."""
        flow = self._find.calc(now, other, None)
        scale = np.array(self._full, np.float32) / np.array(self._size, np.float32)
        full: Floats = cv2.resize(flow, self._full, interpolation=cv2.INTER_LINEAR) * scale
        return full

    def warp(self, picture: Any, flow: Floats) -> Any:
        """What the pixels of ``picture`` show at the places that ``flow`` says, of any depth."""
        places: Any = self._grid + flow
        nothing: Any = None  # where places are one array, not two
        edges = cv2.BORDER_REPLICATE
        return cv2.remap(picture, places, nothing, cv2.INTER_CUBIC, borderMode=edges)


class Steady:
    """A filter for successive frames.

    Args:
        strength: share of the last frame, 0..1, where the photograph only moved. 0.8 still follows
            slow changes of light.
    """

    def __init__(self, strength: float) -> None:
        self._strength = strength
        self._flow: Flow | None = None
        self._last: tuple[Bytes, Bytes, Floats] | None = None

    def __call__(self, photograph: Bytes, styled: Bytes) -> Bytes:
        """The stylised frame, nearer to the one before it.

        Args:
            photograph: (H, W, 3) uint8, the frame that came in.
            styled: the same, stylised.
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
    """How much a style flickers: change between frames that motion does not explain.

    Mean absolute difference, in grey levels, between a stylised frame and the one before, warped by
    the flow of the photographs, where flow there and back cancel (Lai et al. 2018, sec. 4.2, with
    the mask of Ruder et al. 2016). Of the photographs themselves it is what noise and flow cost.
    """

    def __init__(self) -> None:
        self._flow: Flow | None = None
        self._last: tuple[Bytes, tuple[Bytes, ...]] | None = None
        self._sums: list[NDArray[np.float64]] = []

    def add(self, photograph: Bytes, *others: Bytes) -> None:
        """The next frame.

        Args:
            photograph: (H, W, 3) uint8, of which the flow is taken.
            others: what was made of it, one or more.
        """
        flow = self._flow = self._flow or Flow(*photograph.shape[:2])
        small = flow.small(photograph)
        pictures = (photograph, *others)
        if self._last is not None:
            before_small, before = self._last
            back = flow.between(small, before_small)
            seen = _seen(back, flow.warp(flow.between(before_small, small), back))
            self._sums.append(
                np.array(
                    [
                        _change(now, flow.warp(was, back), seen)
                        for now, was in zip(pictures, before, strict=True)
                    ]
                )
            )
        self._last = small, pictures

    def means(self) -> tuple[float, ...]:
        """Of the photographs, then of the others; empty before the second frame."""
        return tuple(np.mean(self._sums, axis=0).tolist()) if self._sums else ()


def _trust(now: Bytes, warped: Bytes) -> Floats:
    """(H, W) in 0..1, from how alike two photographs are."""
    off = np.asarray(cv2.absdiff(now, warped)).max(axis=2).astype(np.float32)
    trust: Floats = np.exp(-np.square(off / _TRUST))
    return trust


def _seen(there: Floats, back: Floats) -> NDArray[np.bool_]:
    """(H, W): where two flows cancel; elsewhere something hid something."""
    off = np.square(there + back).sum(axis=2)
    lengths = np.square(there).sum(axis=2) + np.square(back).sum(axis=2)
    seen: NDArray[np.bool_] = off <= _SHARE * lengths + _SLACK
    return seen


def _change(now: Bytes, warped: Bytes, seen: NDArray[np.bool_]) -> float:
    found = np.asarray(cv2.absdiff(now, warped))[seen]
    return float(found.mean()) if found.size else 0.0
