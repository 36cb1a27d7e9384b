"""PyAV and OpenCV, which may not be installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sttk.toolkit.host.optional import Lazy

if TYPE_CHECKING:
    import av
    import cv2
else:
    av = Lazy("av", "video")
    cv2 = Lazy("cv2", "video")

__all__ = ["av", "cv2"]
