"""Commands that run in forked children of this process, and are killed at a chosen moment.

This process has imported what the commands need, so a child begins its work at once. It runs
``sttk.cli.main`` with the arguments of the command, in a process group of its own, which is
killed as a whole.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sttk import cli
from sttk.toolkit.artifact import staging

# What changes the file system, as Python announces it to audit hooks.
_CALLS = {"open", "os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.chmod", "shutil.rmtree"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_POLL = 0.001  # seconds


@dataclass(frozen=True)
class Moment:
    """When to kill.

    Attributes:
        kind: ``time`` after the start, ``change`` of what lies in the folder as polling sees it,
            just before a ``call`` to the file system, or ``never``.
        seconds: after the start, or after the change.
        number: of the change or of the call, from 1.
    """

    kind: str = "never"
    seconds: float = 0.0
    number: int = 0


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        code: its exit code; None if it was killed.
        calls: to the file system that it had begun.
        changes: that polling had seen.
        seconds: that it ran.
        said: on standard output and standard error.
    """

    code: int | None
    calls: int
    changes: int
    seconds: float
    said: str


class Child:
    """A running command.

    Args:
        command: the arguments of ``sttk``.
        folder: to run in; its ``out`` is watched, its ``tmp`` is for temporary files.
        stand_in: called in the child first; replaces what is slow and is not under test.
        call: kill just before this call to the file system; 0: never.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, stand_in: Callable[[], None], call: int = 0
    ) -> None:
        self.folder, self.started = folder, time.monotonic()
        self._counter = mmap.mmap(-1, 8)
        self._log = Path(tempfile.mkdtemp(dir=folder / "tmp")) / "log"
        self.pid = os.fork()
        if self.pid == 0:
            _become(command, folder, stand_in, self._log, _hook(self._counter, folder, call))
        with contextlib.suppress(OSError):  # it was faster, or is gone
            os.setpgid(self.pid, self.pid)

    def end(self, moment: Moment) -> Ended:
        """Wait until the child ends or the moment comes, then kill it with its children."""
        changes, due, seen = 0, float("inf"), _names(self.folder / "out")
        if moment.kind == "time":
            due = self.started + moment.seconds
        while True:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if not done and time.monotonic() >= due:
                os.killpg(self.pid, signal.SIGKILL)
                _, status = os.waitpid(self.pid, 0)
                done = self.pid
            if done:
                return self._ended(status, changes)
            if moment.kind != "time":
                now = _names(self.folder / "out")
                changes += now != seen
                seen = now
            if moment.kind == "change" and changes >= moment.number:
                due = min(due, time.monotonic() + moment.seconds)
            time.sleep(_POLL)

    def _ended(self, status: int, changes: int) -> Ended:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # children, if it killed itself
        code = os.waitstatus_to_exitcode(status)
        calls = struct.unpack("q", self._counter[:])[0]
        seconds = time.monotonic() - self.started
        said = self._log.read_text(errors="replace") if self._log.exists() else ""
        return Ended(None if code == -signal.SIGKILL else code, calls, changes, seconds, said)


def run(
    command: Sequence[str],
    folder: Path,
    stand_in: Callable[[], None] = lambda: None,
    moment: Moment | None = None,
) -> Ended:
    """Run a command to its end or to the moment."""
    moment = moment or Moment()
    call = moment.number if moment.kind == "call" else 0
    return Child(command, folder, stand_in, call).end(moment)


def _names(folder: Path) -> list[tuple[str, int, int]]:
    """What polling compares: paths, sizes and times; what vanishes meanwhile is left out."""
    found = []
    for top, below, files in os.walk(folder):
        for name in (*below, *files):
            path = os.path.join(top, name)  # noqa: PTH118 (a thousand times a second)
            with contextlib.suppress(OSError):
                status = os.lstat(path)
                found.append((path, status.st_size, status.st_mtime_ns))
    return sorted(found)


def _hook(counter: mmap.mmap, folder: Path, call: int) -> Callable[[], None]:
    """Count the calls, also into the parent's memory, and kill before the one that is wanted."""
    exchange, out, active = staging.exchange, str(folder / "out"), False

    def step() -> None:
        count = struct.unpack("q", counter[:])[0] + 1
        if count == call:
            os.kill(os.getpid(), signal.SIGKILL)
        counter[:] = struct.pack("q", count)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if active and event in _CALLS and _within(out, event, arguments):
            step()

    def exchanged(one: Path, other: Path) -> bool:
        step()
        done = exchange(one, other)
        step()
        return done

    def begin() -> None:
        nonlocal active
        active = True
        staging.exchange = exchanged
        sys.addaudithook(hook)

    return begin


def _within(out: str, event: str, arguments: tuple[Any, ...]) -> bool:
    if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & _WRITES):
        return False
    paths = [_text(each) for each in arguments[:2]]
    # rmtree names files by the number of their folder.
    by_folder = event in ("os.remove", "os.rmdir") and not Path(paths[0]).is_absolute()
    return by_folder or any(str(Path(path).absolute()).startswith(out) for path in paths if path)


def _text(value: object) -> str:
    return os.fsdecode(value) if isinstance(value, str | bytes | os.PathLike) else ""


def _become(
    command: Sequence[str],
    folder: Path,
    stand_in: Callable[[], None],
    log: Path,
    begin: Callable[[], None],
) -> None:
    code = 99
    try:
        os.setpgid(0, 0)
        os.chdir(folder)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        tempfile.tempdir = str(folder / "tmp")
        sys.argv = ["sttk", *command]
        stand_in()
        begin()
        cli.main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
