"""Between a decoder's frames and 8-bit RGB: matrix, range, depth and transfer, as the file says.

swscale converts; what it must be told is what the file leaves unsaid, and that HDR is to end as
what 8 bits can show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sttk.toolkit.imaging.images import Bytes
from sttk.toolkit.video.library import av

if TYPE_CHECKING:
    from av import VideoFrame

# ITU-T H.273: matrix coefficients, transfer characteristics, colour primaries.
_BT709, _UNSAID, _SRGB = 1, 2, 13
_BT601 = 5
_HDR = {16: "PQ", 18: "HLG"}  # SMPTE ST 2084, ARIB STD-B67
_WIDE = 9  # primaries of BT.2020
_LIMITED = 1  # luma of 16 to 235
# What players take an unsaid matrix for: BT.709 from 720 lines on, BT.601 below.
_HD = 720


def to_rgb(frame: VideoFrame, width: int, height: int) -> Bytes:
    """(height, width, 3) uint8, as a player would show it.

    Args:
        frame: of any pixel format, depth, matrix and range; PQ and HLG become sRGB.
        width: of the stream: a frame that differs from it is scaled.
        height: likewise.
    """
    if frame.colorspace == _UNSAID:
        frame.colorspace = _BT709 if min(frame.width, frame.height) >= _HD else _BT601
    options: dict[str, Any] = {}
    if hdr_of(frame.color_trc) or frame.color_primaries == _WIDE:
        options = {"dst_color_trc": _SRGB, "dst_color_primaries": _BT709}
    converted = frame.reformat(width=width, height=height, format="rgb24", **options)
    return np.ascontiguousarray(converted.to_ndarray())


def from_rgb(rgb: Bytes) -> VideoFrame:
    """A frame of 4:2:0 in BT.709 of limited range, which every player shows alike, and tagged so.

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
    """State BT.709 and limited range on a frame or an encoder."""
    thing.colorspace = thing.color_primaries = thing.color_trc = _BT709
    thing.color_range = _LIMITED


def hdr_of(transfer: int) -> str:
    """``PQ`` or ``HLG``; empty for a picture of ordinary range."""
    return _HDR.get(transfer, "")
