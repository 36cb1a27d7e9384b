"""Where live frames come from: a camera, or a file that plays as if it were one."""

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

_PATIENCE = 10.0  # seconds without a frame, after which a camera is taken for dead


class FrameSource(Protocol):
    """Gives frames in time.

    Attributes:
        name: for people.
    """

    name: str

    def read(self) -> Bytes | None:
        """The next frame, (H, W, 3) uint8 RGB, once it is there; None after the last one."""


class Camera:
    """A camera of this machine, by OpenCV: V4L2, AVFoundation or Media Foundation.

    Args:
        number: 0 is the first.
        size: height and width to ask for; the camera gives what is nearest to it.

    Raises:
        VideoError: there is none, or it is in use.
    """

    def __init__(self, number: int, size: Size | None = None) -> None:
        cv2.utils.logging.setLogLevel(
            cv2.utils.logging.LOG_LEVEL_SILENT
        )  # it prints what it tries; the outcome is said below
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
        """See :class:`FrameSource`; a camera has no last one.

        Raises:
            VideoError: it gives none: it is unplugged, or another program has it.
        """
        there, frame = self._capture.read()
        if not there:
            raise VideoError(
                f"{self.name}: gives no picture", fix="see that it is plugged in and not in use"
            )
        return np.ascontiguousarray(frame[..., ::-1])

    def close(self) -> None:
        """Let others use it."""
        self._capture.release()


class Playing:
    """A file whose frames come at their times after the first, for demonstrations and tests."""

    def __init__(self, path: Path, reader: Any) -> None:
        self.name = str(path)
        self._frames = reader.frames()
        # When a frame of time 0 would be due. Known at the first one: a net may be made before it.
        self._zero: float | None = None

    def read(self) -> Bytes | None:
        """See :class:`FrameSource`."""
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
def open_source(named: str, size: Size | None = None) -> Iterator[FrameSource]:
    """A camera by its number, or a video file by its path.

    Raises:
        VideoError: it is not there or cannot be read.
        MissingExtraError: PyAV or OpenCV is not installed.
    """
    if not named.isdecimal():
        with open_video(Path(named)) as reader:
            yield Playing(Path(named), reader)
        return
    camera = Camera(int(named), size)
    try:
        yield camera
    finally:
        camera.close()


class Newest:
    """The newest frame of a source: those that nobody had time for are dropped.

    A net that is slower than the camera so lags by one frame, not by all that have piled up.
    """

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self._changed = threading.Condition()
        self._frame: Bytes | None = None
        self._ended, self._stop = False, False
        self._error: BaseException | None = None
        # A daemon: a camera that hangs must not keep the process.
        self._thread = threading.Thread(target=self._fill, daemon=True)
        self._thread.start()

    def _fill(self) -> None:
        try:
            while not self._stop and (frame := self._source.read()) is not None:
                with self._changed:
                    self._frame = frame
                    self._changed.notify()
        except BaseException as error:  # raised where frames are taken
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify()

    def frames(self) -> Iterator[Bytes]:
        """Each time the newest one, until the source ends.

        Raises:
            VideoError: no frame for ten seconds.
        """
        while True:
            with self._changed:
                ready = self._changed.wait_for(
                    lambda: self._frame is not None or self._ended, timeout=_PATIENCE
                )
                frame, self._frame = self._frame, None
            if not ready:
                raise VideoError(f"{self._source.name}: no frame for {_PATIENCE:.0f} seconds")
            if frame is None:
                break
            yield frame
        if self._error:
            raise self._error

    def close(self) -> None:
        """Stop reading, as soon as the frame in work is there."""
        self._stop = True
        self._thread.join(timeout=1.0)
