"""The process of ``runner.cpp``, and what is written to it and read from it.

All numbers are little-endian. It reads the program, int64 bytes and the bytes; then pictures, int32
shape[4] and float32 values. It writes the shape that the program takes, then for each picture one.
"""

from __future__ import annotations

import math
import struct
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import IO, TypeVar

import numpy as np

from sttk.toolkit.core.errors import RunError
from sttk.toolkit.imaging.images import Floats

_LENGTH, _SHAPE = struct.Struct("<q"), struct.Struct("<4i")
_MOST_VALUES = 1 << 28  # of a picture; runner.cpp has the same limit
_SIGN = "runner: "  # how runner.cpp's own errors begin
_MOST_SAID = 1 << 16  # bytes of what a process writes that are read
_Answer = TypeVar("_Answer", tuple[int, ...], Floats)


class NotStartedError(RunError):
    """The process did not get as far as the runner, for a reason of this machine's."""


class RunnerProcess:
    """A process that runs one program, until it is closed or this one ends.

    Args:
        command: the command that starts it.
        program: the bytes of the ``.pte`` file.
        seconds: the time that loading the program may take, and each picture.

    Attributes:
        takes: the shape of the tensor that the program takes.

    Raises:
        NotStartedError: there is no such command, or it fails before the runner begins.
        RunError: the runner refuses the program, crashes on it or takes too long.
    """

    def __init__(self, command: Sequence[str], program: bytes, seconds: float) -> None:
        self._seconds, self._late = seconds, threading.Event()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        try:
            # Nothing of this host's environment is meant for an emulated process.
            self._process = subprocess.Popen(  # noqa: S603 (the command is made of our own parts)
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, env={}
            )
        except OSError as error:
            self._said.close()
            raise NotStartedError(f"{command[0]}: {error.strerror or error}") from error
        self.close = weakref.finalize(self, _end, self._process, self._said)
        try:
            self.takes = self._asked([_LENGTH.pack(len(program)), program], self._shape)
        except RunError:
            self.close()
            raise

    def run(self, picture: Floats) -> Floats:
        """Return what the program makes of a picture, both (B, C, H, W).

        Raises:
            RunError: the runner refuses the picture, crashes on it, takes too long or was closed;
                it cannot be used again.
        """
        values = np.ascontiguousarray(picture, dtype="<f4")
        return self._asked([_SHAPE.pack(*values.shape), values.tobytes()], self._picture)

    def _asked(self, parts: Sequence[bytes], read: Callable[[], _Answer]) -> _Answer:
        """Send a message and return what ``read`` makes of the answer."""
        # It holds no reference to this object, which would otherwise end in its thread.
        watch = threading.Timer(self._seconds, _give_up, (self._process, self._late))
        watch.daemon = True
        watch.start()
        try:
            stream = _pipe(self._process.stdin)
            stream.writelines(parts)
            stream.flush()
            return read()
        except (OSError, ValueError) as error:  # a broken pipe, or one that is closed
            raise self._died() from error
        except BaseException:  # what it still sends would be taken for the next answer
            self.close()
            raise
        finally:
            watch.cancel()

    def _shape(self) -> tuple[int, ...]:
        return _SHAPE.unpack(self._exactly(_SHAPE.size))

    def _picture(self) -> Floats:
        shape = self._shape()
        if min(shape) < 1 or math.prod(shape) > _MOST_VALUES:
            raise RunError(f"its runner answers with a picture of {shape}")
        values = np.frombuffer(self._exactly(math.prod(shape) * 4), dtype="<f4")
        return values.reshape(shape).astype(np.float32)

    def _exactly(self, count: int) -> bytes:
        content = _pipe(self._process.stdout).read(count)
        if len(content) < count:
            raise OSError("it has ended")
        return content

    def _died(self) -> RunError:
        """Return the error for a process that has ended, by its own word if it left one."""
        if self._said.closed:
            return RunError("its runner was closed")
        self._process.kill()
        code = self._process.wait()
        self._said.seek(0)
        lines = self._said.read(_MOST_SAID).decode(errors="replace").splitlines()
        own = [line.removeprefix(_SIGN) for line in lines if line.startswith(_SIGN)]
        if self._late.is_set():
            return RunError(f"its runner takes over {self._seconds:g} s")
        if own:
            return RunError(own[-1][:200])
        if code < 0:
            return RunError(f"its runner crashed, by signal {-code}")
        said = f": {lines[-1][:200]}" if lines else ""
        return NotStartedError(f"its runner ended with {code}{said}")


def _give_up(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise OSError("no pipe")
    return stream


def _end(process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
    process.kill()
    for stream in (process.stdin, process.stdout, said):
        try:
            _pipe(stream).close()
        except OSError:  # what was not sent yet cannot be
            continue
    process.wait()
