"""Conversion between a decoder's frames and 8-bit RGB, by the file's matrix, range and transfer.

swscale converts; it must be given defaults for what the file leaves unspecified, and sRGB as the
output of HDR.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sttk.toolkit.imaging.images import Bytes
from sttk.toolkit.video.library import av

if TYPE_CHECKING:
    from av import VideoFrame

# ITU-T H.273: matrix coefficients, transfer characteristics, colour primaries.
_BT709, _UNSPECIFIED, _SRGB = 1, 2, 13
_BT601 = 5
_HDR = {16: "PQ", 18: "HLG"}  # SMPTE ST 2084, ARIB STD-B67
_WIDE = 9  # primaries of BT.2020
_LIMITED = 1  # luma of 16 to 235
# Players' defaults for an unspecified matrix: BT.709 from 720 lines on, BT.601 below.
_HD = 720


def to_rgb(frame: VideoFrame, width: int, height: int) -> Bytes:
    """Convert a frame to (height, width, 3) uint8, as a player would show it.

    Args:
        frame: a frame of any pixel format, depth, matrix and range; PQ and HLG become sRGB.
        width: the width of the stream; frames of another size are scaled.
        height: the height of the stream.
    """
    if frame.colorspace == _UNSPECIFIED:
        frame.colorspace = _BT709 if min(frame.width, frame.height) >= _HD else _BT601
    options: dict[str, Any] = {}
    if hdr_of(frame.color_trc) or frame.color_primaries == _WIDE:
        options = {"dst_color_trc": _SRGB, "dst_color_primaries": _BT709}
    converted = frame.reformat(width=width, height=height, format="rgb24", **options)
    return np.ascontiguousarray(converted.to_ndarray())


def from_rgb(rgb: Bytes) -> VideoFrame:
    """Convert to a tagged 4:2:0 frame in limited-range BT.709, which all players show alike.

    Args:
        rgb: (H, W, 3) uint8, both sides even.
    """
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    converted = frame.reformat(
        format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED, interpolation="BICUBIC"
    )
    tag(converted)
    return converted


def tag(thing: Any) -> None:
    """Tag a frame or an encoder as BT.709 with limited range."""
    thing.colorspace = thing.color_primaries = thing.color_trc = _BT709
    thing.color_range = _LIMITED


def hdr_of(transfer: int) -> str:
    """Return ``PQ`` or ``HLG``, or an empty string for standard dynamic range."""
    return _HDR.get(transfer, "")
