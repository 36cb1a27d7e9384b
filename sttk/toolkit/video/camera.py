"""Sources of live frames: a camera, or a file that is played as if it were one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sttk.toolkit.core.errors import VideoError
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.imaging.images import Bytes
from sttk.toolkit.video.library import cv2
from sttk.toolkit.video.reader import open_video

_TIMEOUT = 10.0  # seconds without a frame after which a camera is considered dead


class FrameSource(Protocol):
    """A source of frames in real time.

    Attributes:
        name: a name for messages.
    """

    name: str

    def read(self) -> Bytes | None:
        """Wait for the next frame, (H, W, 3) uint8 RGB; None after the last one."""


class Camera:
    """A camera of this machine, opened with OpenCV: V4L2, AVFoundation or Media Foundation.

    Args:
        number: the number of the camera, from 0.
        size: the height and width to request; the camera uses the nearest size that it has.

    Raises:
        VideoError: there is no such camera, or it is in use.
    """

    def __init__(self, number: int, size: Size | None = None) -> None:
        cv2.utils.logging.setLogLevel(
            cv2.utils.logging.LOG_LEVEL_SILENT
        )  # it prints its attempts; a failure is reported below
        self.name = f"camera {number}"
        self._capture: Any = cv2.VideoCapture(number)
        if not self._capture.isOpened():
            raise VideoError(
                f"{self.name}: cannot be opened", fix="see that it is plugged in and not in use"
            )
        if size:
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[0])
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[1])

    def read(self) -> Bytes:
        """Wait for the next frame, (H, W, 3) uint8 RGB; a camera has no last one.

        Raises:
            VideoError: the camera returns no frame: it is unplugged, or in use.
        """
        there, frame = self._capture.read()
        if not there:
            raise VideoError(
                f"{self.name}: gives no picture", fix="see that it is plugged in and not in use"
            )
        return np.ascontiguousarray(frame[..., ::-1])

    def close(self) -> None:
        """Release the camera."""
        self._capture.release()


class Playing:
    """A file that is played in real time from its first frame, for demonstrations and tests."""

    def __init__(self, path: Path, reader: Any) -> None:
        self.name = str(path)
        self._frames = reader.frames()
        # The clock at time 0 of the file; set at the first frame, which may be read much later.
        self._zero: float | None = None

    def read(self) -> Bytes | None:
        """Wait until the next frame is due and return it; None after the last one."""
        frame = next(self._frames, None)
        if frame is None:
            return None
        at = float(frame.time)
        if self._zero is None:
            self._zero = time.monotonic() - at
        time.sleep(max(0.0, self._zero + at - time.monotonic()))
        rgb: Bytes = frame.rgb
        return rgb


@contextmanager
def open_source(name: str, size: Size | None = None) -> Iterator[FrameSource]:
    """Open a camera by its number, or a video file by its path.

    Raises:
        VideoError: the source does not exist or cannot be read.
        MissingExtraError: PyAV or OpenCV is not installed.
    """
    if not name.isdecimal():
        with open_video(Path(name)) as reader:
            yield Playing(Path(name), reader)
        return
    camera = Camera(int(name), size)
    try:
        yield camera
    finally:
        camera.close()


class Newest:
    """The newest frame of a source; frames that were not taken in time are dropped.

    So a net that is slower than the camera lags by one frame, not by a growing queue.
    """

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self._changed = threading.Condition()
        self._frame: Bytes | None = None
        self._ended, self._stop = False, False
        self._error: BaseException | None = None
        # A daemon: a camera that hangs must not keep the process alive.
        self._thread = threading.Thread(target=self._fill, daemon=True)
        self._thread.start()

    def _fill(self) -> None:
        try:
            while not self._stop and (frame := self._source.read()) is not None:
                with self._changed:
                    self._frame = frame
                    self._changed.notify()
        except BaseException as error:  # raised in the consumer
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify()

    def frames(self) -> Iterator[Bytes]:
        """Yield the newest frame each time, until the source ends.

        Raises:
            VideoError: there was no frame for ten seconds.
        """
        while True:
            with self._changed:
                ready = self._changed.wait_for(
                    lambda: self._frame is not None or self._ended, timeout=_TIMEOUT
                )
                frame, self._frame = self._frame, None
            if not ready:
                raise VideoError(f"{self._source.name}: no frame for {_TIMEOUT:.0f} seconds")
            if frame is None:
                break
            yield frame
        if self._error:
            raise self._error

    def close(self) -> None:
        """Stop reading after the current frame."""
        self._stop = True
        self._thread.join(timeout=1.0)
