"""The ARM64 Python with wheels that emulation needs: where it is, and how it is made.

Debian's packages are downloaded by apt with folders of its own, so nothing of it needs root, and
unpacked; wheels are installed by pip for another platform. Only Debian, and systems whose sources
have ARM64 packages as Debian's have, can make one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.devices.base import Say

# What wheels link against, besides Python itself.
_PACKAGES = ("python3", "libgomp1", "libstdc++6")
_QEMU = ("qemu-aarch64-static", "qemu-aarch64")
_QEMU_PACKAGE = "qemu-user-static"
_COMPILER = "aarch64-linux-gnu-g++"
_CPUINFO = """\
processor\t: {number}
BogoMIPS\t: 50.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc \
dcpop asimddp ssbs
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1

"""
_OLDEST_GLIBC = 17  # 2.17, that of the oldest manylinux wheels for ARM64


@dataclass(frozen=True)
class Root:
    """A folder with an ARM64 Python.

    Attributes:
        folder: the folder; it need not exist.
    """

    folder: Path

    @property
    def system(self) -> Path:
        """The folder in which Debian's packages are unpacked."""
        return self.folder / "root"

    @property
    def site(self) -> Path:
        """The folder in which the wheels are installed."""
        return self.folder / "site"

    @property
    def qemu(self) -> Path | None:
        """The emulator, of this system or unpacked here, or None."""
        here = (self.folder / "qemu/usr/bin" / name for name in _QEMU)
        own = (Path(path) for name in _QEMU if (path := shutil.which(name)))
        return next((path for path in (*own, *here) if path.is_file()), None)

    @property
    def python(self) -> Path | None:
        """The ARM64 Python, or None."""
        found = sorted(self.system.glob("usr/bin/python3.*[0-9]"))
        return found[0] if found else None

    @property
    def glibc(self) -> int | None:
        """The minor version of glibc 2, or None where there is none."""
        names = " ".join(path.name for path in self.folder.glob("cache/archives/libc6_*.deb"))
        found = re.search(r"libc6_2\.(\d+)", names)
        return int(found[1]) if found else None

    def wheels(self) -> dict[str, str]:
        """Return the versions of the distributions that are installed, by name."""
        found = metadata.distributions(path=[str(self.site)]) if self.site.is_dir() else ()
        return {each.metadata["Name"].lower().replace("_", "-"): each.version for each in found}

    def command(self, cpu: str) -> list[str]:
        """Return the command that starts the Python on an emulated CPU of qemu's."""
        qemu, python = self.qemu, self.python
        if qemu is None or python is None:
            raise NotRunError(f"{self.folder}: no ARM64 Python in it")
        return [str(qemu), "-cpu", cpu, "-L", str(self.system), str(python)]


def install(root: Root, wheels: Sequence[str], cross: Sequence[str], say: Say) -> None:
    """Make what is missing of a root.

    Args:
        root: the root.
        wheels: the requirements of the wheels to install, such as ``numpy==2.4.6``.
        cross: Debian's packages of this host's that compile for ARM64.
        say: called with a line for each step.

    Raises:
        NotRunError: this system has no apt, its sources no ARM64 packages, or PyPI is not reached.
    """
    try:
        if root.qemu is None:
            say(f"qemu: {_QEMU_PACKAGE} into {root.folder}")
            _unpack(root, (), (_QEMU_PACKAGE,), root.folder / "qemu")
        if root.python is None:
            say(f"ARM64 Python: {', '.join(_PACKAGES)} into {root.folder}")
            _unpack(root, ("arm64",), _PACKAGES, root.system)
        compiler = root.folder / "cross"
        if cross and not compiler.is_dir() and shutil.which(_COMPILER) is None:
            say(f"compiler: {', '.join(cross)} into {root.folder}")
            _unpack(root, (), cross, compiler)
        _write_cpuinfo(root.system)
        _install_wheels(root, wheels, say)
    except OSError as error:
        raise NotRunError(f"{root.folder}: cannot be made: {error}") from error


def _unpack(root: Root, architecture: Sequence[str], names: Iterable[str], into: Path) -> None:
    """Download packages with all that they depend on, and unpack them into a folder."""
    debs = root.folder / "cache/archives"
    before = set(debs.glob("*.deb"))
    for name in ("state/lists/partial", "cache/archives/partial"):
        (root.folder / name).mkdir(parents=True, exist_ok=True)
    (root.folder / "status").write_bytes(b"")  # nothing counts as installed
    apt = ["apt-get", "-qq", *_own_folders(root), *_of(architecture)]
    _run([*apt, "update"], "apt's lists")
    flags = ["--yes", "--download-only", "--no-install-recommends"]
    _run([*apt, *flags, "install", *names], "these packages")
    work = into.with_name(f".{into.name}.{os.getpid()}")
    try:
        for deb in sorted(set(debs.glob("*.deb")) - before):
            _run(["dpkg-deb", "--extract", str(deb), str(work)], "a package")
        shutil.rmtree(into, ignore_errors=True)
        work.rename(into)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _own_folders(root: Root) -> list[str]:
    """Return apt's options to use folders of ours, as any user, and this system's sources."""
    options = {
        "Dir::State": root.folder / "state",
        "Dir::State::status": root.folder / "status",
        "Dir::Cache": root.folder / "cache",
        "Debug::NoLocking": "1",
        "APT::Sandbox::User": "",
    }
    return [part for key, value in options.items() for part in ("-o", f"{key}={value}")]


def _of(architecture: Sequence[str]) -> list[str]:
    keys = ("APT::Architecture", "APT::Architectures")
    return [part for name in architecture for key in keys for part in ("-o", f"{key}={name}")]


def _write_cpuinfo(system: Path) -> None:
    """Describe the emulated CPU where qemu looks first: libraries would read this host's."""
    file = system / "proc/cpuinfo"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(_CPUINFO.format(number=number) for number in range(os.cpu_count() or 1))
    file.write_text(text, encoding="ascii")


def _install_wheels(root: Root, wheels: Sequence[str], say: Say) -> None:
    there = root.wheels()
    for wheel in wheels:
        name, _, version = wheel.partition("==")
        if name in there and version in ("", there[name]):
            continue
        say(f"wheel for ARM64: {wheel}")
        if not _installed(root, wheel) and not (version and _installed(root, name)):
            say(f"{name}: no wheel for ARM64 and Python {_version(root)}: it cannot be run there")


def _installed(root: Root, wheel: str) -> bool:
    platforms = [f"manylinux_2_{n}_aarch64" for n in range(_OLDEST_GLIBC, (root.glibc or 31) + 1)]
    flags = [f"--platform={name}" for name in ("manylinux2014_aarch64", *platforms)]
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--only-binary=:all:", "--upgrade", f"--python-version={_version(root)}",
        "--implementation=cp", *flags, f"--target={root.site}", wheel,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603


def _version(root: Root) -> str:
    return root.python.name.removeprefix("python") if root.python else ""


def _run(command: list[str], what: str) -> None:
    """Run a program of Debian's.

    Raises:
        NotRunError: there is none, or it fails.
    """
    try:
        # The names are constants of this module, the folders this user's own.
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError as error:
        raise NotRunError(
            f"no {command[0]} here: an ARM64 Python is made on Debian",
            fix="run this on an ARM64 machine, where nothing is emulated",
        ) from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        raise NotRunError(
            f"{what} cannot be had for ARM64: {said}",
            fix="run this on an ARM64 machine, where nothing is emulated",
        )
