"""The parts that running a program on an emulated ARM64 CPU takes, and where they are."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from sttk.toolkit.io.files import read_bounded

# What has to be in a folder of parts. Wheels for ARM64, without what they require:
WHEELS = ("executorch",)
# Debian's packages for ARM64:
ROOT_PACKAGES = ("libc6", "libgcc-s1", "libstdc++6")
# Debian's package for this host, installed, or unpacked with all that it depends on:
COMPILER_PACKAGE = "g++-aarch64-linux-gnu"

_COMPILER = "aarch64-linux-gnu-g++"
_EMULATORS = ("qemu-aarch64-static", "qemu-aarch64")
# It has float16 arithmetic, as phones since 2018 have, and no SVE, which qemu is slow at.
CPU = "neoverse-n1"
_VERSION = re.compile(rb"^__version__ = [\"']([\w.+-]{1,40})[\"']$", re.MULTILINE)


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler for ARM64.

    Attributes:
        command: the program and the flags that it needs where it is.
        environment: its environment variables.
    """

    command: tuple[str, ...]
    environment: dict[str, str]


@dataclass(frozen=True)
class Parts:
    """A folder with ARM64 libraries in ``root`` and wheels in ``site``.

    A compiler may be unpacked in its ``cross``, and the runner that it compiles is kept in its
    ``executorch``.

    Attributes:
        folder: the folder; it need not exist.
        emulator: qemu's program; None takes the one on the user's path.
    """

    folder: Path
    emulator: Path | None = None

    @property
    def system(self) -> Path:
        """The folder in which Debian's packages are unpacked."""
        return self.folder.resolve() / "root"

    @property
    def package(self) -> Path:
        """The folder of ExecuTorch's package for ARM64."""
        return self.folder.resolve() / "site/executorch"

    @property
    def qemu(self) -> str | None:
        """The emulator's path, or None."""
        if self.emulator:
            return str(self.emulator) if self.emulator.is_file() else None
        return next((path for name in _EMULATORS if (path := shutil.which(name))), None)

    @property
    def version(self) -> str | None:
        """ExecuTorch's version, or None where it is not here."""
        try:
            found = _VERSION.search(read_bounded(self.package / "version.py", 1 << 16))
        except (OSError, ValueError):
            return None
        return found[1].decode() if found else None

    def compiler(self) -> Compiler | None:
        """Return the compiler on the user's path, else the one unpacked here, or None."""
        if own := shutil.which(_COMPILER):
            return Compiler((own,), dict(os.environ))
        cross = self.folder.resolve() / "cross"
        if not (cross / "usr/bin" / _COMPILER).is_file():
            return None
        # GCC finds its own parts next to itself; only the libraries of its programs are not.
        libraries = ":".join(map(str, sorted(cross.glob("usr/lib/*-linux-gnu"))))
        command = str(cross / "usr/bin" / _COMPILER), f"--sysroot={cross}"
        return Compiler(command, {**os.environ, "LD_LIBRARY_PATH": libraries})

    def lacking(self) -> tuple[str, ...]:
        """Return the names of the parts that are not here."""
        there = {
            "qemu for ARM64": self.qemu,
            "ARM64 libraries": next(self.system.glob("**/ld-linux-aarch64.so.1"), None),
            "executorch for ARM64": self.version,
            _COMPILER: self.compiler(),
        }
        return tuple(name for name, part in there.items() if part is None)

    def command(self, program: Path) -> list[str]:
        """Return the command that runs an ARM64 program on an emulated CPU."""
        return [self.qemu or _EMULATORS[0], "-cpu", CPU, "-L", str(self.system), str(program)]
