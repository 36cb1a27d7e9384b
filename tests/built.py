"""Files that many tests need and none may change, built once for all workers and runs.

Each lies under ``.pytest_cache/built``, in a folder named after everything that it depends on: what
was asked for, the sources of the product, the installed libraries and the instruction sets that
they are allowed. A lock makes the second worker wait for the first; a digest of its bytes proves
that what is handed out is what was built. Tests are given copies, so none sees another's traces.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from filelock import FileLock

from sttk.toolkit.host.machine import cpu

ROOT = Path(__file__).parents[1]
_SOURCES = ("sttk/toolkit", "sttk/exporters", "tests/built.py", "tests/conftest.py")
_CAPS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")
_INDEX = "index.json"
_KEPT = 12 * 3600  # seconds


class Built:
    """A cache of folders.

    Args:
        root: where it lies; made if it is not there.
        state: what every folder depends on, as text. Another state's folders are deleted when
            nobody has used them for half a day: a run beside this one may be reading them.
    """

    def __init__(self, root: Path, state: str) -> None:
        self.root = root / hashlib.sha256(state.encode()).hexdigest()[:16]
        self.root.mkdir(parents=True, exist_ok=True)
        os.utime(self.root)
        for old in root.iterdir():
            with suppress(FileNotFoundError):  # another worker was faster
                if time.time() - old.stat().st_mtime > _KEPT:
                    shutil.rmtree(old, ignore_errors=True)

    def get(self, request: str, build: Callable[[Path], Path]) -> Path:
        """What ``build`` made: a file or folder within the folder that it was given.

        Args:
            request: what is asked for, as text.
            build: called with an empty folder where there is none yet, or a changed one.
        """
        name = hashlib.sha256(request.encode()).hexdigest()[:16]
        folder = self.root / name
        with FileLock(f"{folder}.lock"):
            made = _intact(folder)
            return made or _build(folder, build)


def _build(folder: Path, build: Callable[[Path], Path]) -> Path:
    """Built in its place, because what is made may hold paths; whole when the index is there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    made = build(folder)
    index = {"made": made.relative_to(folder).as_posix(), "files": _digests(folder)}
    (folder / _INDEX).write_text(json.dumps(index))
    return made


def _intact(folder: Path) -> Path | None:
    try:
        index = json.loads((folder / _INDEX).read_text())
    except (OSError, ValueError):
        return None
    return folder / index["made"] if index["files"] == _digests(folder) else None


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != _INDEX
    }


@lru_cache
def state() -> str:
    """What the product's output depends on, beside what is asked of it."""
    libraries = (each.name for path in sys.path for each in Path(path).glob("*.dist-info"))
    caps = (os.environ.get(name, "") for name in _CAPS)
    return json.dumps([dict(_sources()), sorted(libraries), cpu().features, *caps])


def _sources() -> Iterator[tuple[str, str]]:
    for name in _SOURCES:
        top = ROOT / name
        for path in sorted(top.rglob("*")) if top.is_dir() else (top,):
            if path.is_file() and path.suffix != ".pyc":
                yield (
                    path.relative_to(ROOT).as_posix(),
                    hashlib.sha256(path.read_bytes()).hexdigest(),
                )
