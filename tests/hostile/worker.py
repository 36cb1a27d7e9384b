"""A process that runs commands one after the other, within bounds, and says what came of each."""

from __future__ import annotations

import contextlib
import faulthandler
import hashlib
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from sttk.cli import cli
from tests.hostile.checkpoints import CANARY

# Of address space, beyond what the libraries take: far more than any command may use.
ROOM = 6 << 30
_SHOWN = 4000


@dataclass(frozen=True)
class Job:
    """A command line, and the folders that it may and may not change."""

    arguments: tuple[str, ...]
    root: Path

    @property
    def output(self) -> Path:
        return self.root / "output"


@dataclass(frozen=True)
class Ran:
    """What a command did.

    Attributes:
        code: exit code; None if the process died or was stopped.
        signal: that ended the process, or None.
        hung: it was stopped because it took too long.
        grown: bytes by which the process grew at most while it ran.
        left: files in the folders for results and for temporary files.
        ran_code: the canary is there.
        changed: the input is not what it was.
    """

    code: int | None
    stdout: str = ""
    stderr: str = ""
    signal: int | None = None
    hung: bool = False
    grown: int = 0
    left: tuple[str, ...] = ()
    ran_code: bool = False
    changed: bool = False


class Workers:
    """One forked process at a time, made anew after each that died, hung or has run long enough.

    What commands import should be imported before: it is there in every fork.
    """

    def __init__(self, seconds: float, jobs: int = 400) -> None:
        self._seconds, self._jobs = seconds, jobs
        self._process: multiprocessing.Process | None = None
        self._done = 0

    def run(self, job: Job) -> Ran:
        if self._process is None or self._done >= self._jobs:
            self._start()
        self._done += 1
        try:
            self._pipe.send(job)
            if not self._pipe.poll(self._seconds):
                return self._ended(job, hung=True)
            ran: Ran = self._pipe.recv()
        except (EOFError, ConnectionError):
            return self._ended(job, hung=False)
        return ran

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
            self._process = None

    def _start(self) -> None:
        self.close()
        self._done = 0
        fork = multiprocessing.get_context("fork")
        self._pipe, theirs = fork.Pipe()
        process = fork.Process(target=_serve, args=(theirs, self._pipe), daemon=True)
        process.start()
        theirs.close()
        self._process = process

    def _ended(self, job: Job, *, hung: bool) -> Ran:
        process = self._process
        if process is None:
            raise RuntimeError("there is no worker")
        if not hung:
            process.join(10)
        number = -(process.exitcode or 0)
        self.close()
        return Ran(
            None,
            _text(job.root / "stdout"),
            _text(job.root / "stderr"),
            signal=None if hung else number,
            hung=hung,
            ran_code=_canary(job.root),
        )


def _serve(pipe: Connection, theirs: Connection) -> None:
    theirs.close()
    faulthandler.disable()  # pytest's would print what ours counts
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = _status("VmSize:") + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    # As in a process of its own, where each warning is the first of its place.
    warnings.simplefilter("always", UserWarning)
    warnings.simplefilter("always", RuntimeWarning)
    with contextlib.suppress(EOFError):
        while True:
            pipe.send(run(pipe.recv()))


def run(job: Job) -> Ran:
    """Here, in this process."""
    before = fingerprint(job.root / "input")
    _forget_peak()
    started = _status("VmRSS:")
    with _streams(job.root), _inside(job.root):
        code = _call(job.arguments)
    grown = max(0, _status("VmHWM:") - started)
    return Ran(
        code,
        _text(job.root / "stdout"),
        _text(job.root / "stderr"),
        grown=grown,
        left=tuple(sorted(_left(job.root))),
        ran_code=_canary(job.root),
        changed=fingerprint(job.root / "input") != before,
    )


def _call(arguments: tuple[str, ...]) -> int:
    try:
        cli.main(args=list(arguments), prog_name="sttk")
    except SystemExit as left:
        if left.code is None or isinstance(left.code, int):
            return left.code or 0
        print(left.code, file=sys.stderr)  # noqa: T201 (as the interpreter does)
        return 1
    return 0


@contextlib.contextmanager
def _streams(root: Path) -> Iterator[None]:
    """Both streams into files: those of the process, which libraries write to as they like."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept, kept_python = [os.dup(1), os.dup(2)], (sys.stdout, sys.stderr)
    for number, name in ((1, "stdout"), (2, "stderr")):
        with (root / name).open("wb") as stream:
            os.dup2(stream.fileno(), number)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    # As Python's own: what is no text is written as escapes.
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = kept_python
        for number, copy in enumerate(kept, 1):
            os.dup2(copy, number)
            os.close(copy)


@contextlib.contextmanager
def _inside(root: Path) -> Iterator[None]:
    """Working folder and folder for temporary files below ``root``."""
    before, temporary = Path.cwd(), (os.environ.get("TMPDIR"), tempfile.tempdir)
    os.environ["TMPDIR"], tempfile.tempdir = str(root / "temporary"), None
    os.chdir(root / "input")
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.pop("TMPDIR")
        variable, tempfile.tempdir = temporary
        if variable is not None:
            os.environ["TMPDIR"] = variable


def _left(root: Path) -> Iterator[str]:
    """All files, but for the one that ONNX Runtime itself makes once in a process."""
    for folder in ("output", "temporary"):
        for path in (root / folder).rglob("*"):
            if path.name != ".ses" and (not path.is_dir() or path.name.startswith(".")):
                yield f"{folder}/{path.relative_to(root / folder).as_posix()}"


def _canary(root: Path) -> bool:
    return any(
        (root / folder / CANARY).exists() for folder in ("input", "output", "temporary", ".")
    )


def fingerprint(folder: Path) -> str:
    """Of all names, links and bytes; of files of more than a megabyte, of their size."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found.update(os.fsencode(path) + b"\0")
        if path.is_symlink():
            found.update(os.fsencode(path.readlink()))
        elif path.is_file():
            size = path.stat().st_size
            found.update(str(size).encode() if size > 1 << 20 else path.read_bytes())
    return found.hexdigest()


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(_SHOWN).decode("utf-8", "backslashreplace")
    except OSError:
        return ""


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return 0


def _forget_peak() -> None:
    """Linux then begins a new one."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
