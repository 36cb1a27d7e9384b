"""ARM64's own kernels, natively on an ARM64 host, elsewhere under qemu's user-mode emulation.

The emulated Python is Debian's, with wheels for ARM64, in a folder of its own: no container, no
root file system and no binfmt is needed. It runs the very same runners, so a model computes there
with the kernels that its runtime chooses on such a CPU.

The emulated CPU is a Neoverse N1, which has float16 and dot products as phones since 2018 have. It
has no SVE: under qemu, ONNX Runtime and LiteRT take an hour for a picture with it.
"""

from __future__ import annotations

import hashlib
import os
from importlib import metadata
from pathlib import Path

from sttk.toolkit.devices import arm64_root
from sttk.toolkit.devices.base import EMULATED, REAL, Need, Say
from sttk.toolkit.devices.folder import folder
from sttk.toolkit.devices.remote import RemoteDevice, RemoteRunner
from sttk.toolkit.host import machine
from sttk.toolkit.runtimes.base import Runner, Settings
from sttk.toolkit.targets.base import Target

_CPU = "neoverse-n1"
_FEATURES = ("NEON", "NEON fp16", "NEON dot product")
# Passed on to the emulated Python; all others are this host's own business.
_PASSED = ("HOME", "TMPDIR", "LANG", "OMP_NUM_THREADS", "OMP_WAIT_POLICY")


_PACKAGE = Path(__file__).resolve().parents[2]  # sttk's own folder


def _is_native() -> bool:
    return machine.architecture() == "ARM64"


class Arm64(RemoteDevice):
    """See :class:`Device`."""

    @property
    def kind(self) -> str:
        """See :class:`Device`."""
        return REAL if _is_native() else EMULATED

    @property
    def machine(self) -> str:
        """See :class:`Device`."""
        return "ARM64"

    def features(self) -> tuple[str, ...]:
        """See :class:`Device`."""
        return machine.cpu().features if _is_native() else _FEATURES

    def lacking(self, target: Target | None = None) -> tuple[Need, ...]:
        """See :class:`Device`."""
        if _is_native():
            return ()
        fix = f"sttk devices --install {self.name}"
        root = _root()
        if root.qemu is None:
            return (Need("qemu for ARM64", fix),)
        if root.python is None:
            return (Need("an ARM64 Python", fix),)
        if target is None:
            return ()
        there = set(root.wheels())
        absent = [f"{name} for ARM64" for name in target.requires.runs if name not in there]
        absent += target.lacking_cross(root.folder, root.qemu) if not absent else ()
        return tuple(Need(what, fix) for what in absent)

    def load(self, target: Target, model: Path, settings: Settings | None) -> Runner:
        """See :class:`Device`."""
        if _is_native():
            return target.open_model(model, settings)
        root = _root()
        if target.has_cross:
            return target.open_cross(model, settings, root.folder, root.qemu)
        return RemoteRunner(root.command(_CPU), _environment(root), self.name, model, settings)

    def libraries(self, target: Target, runner: Runner) -> dict[str, str]:
        """See :class:`Device`."""
        if not target.has_cross or _is_native():
            return super().libraries(target, runner)
        there = _root().wheels()
        return {name: there[name] for name in target.requires.runs if name in there}

    def install(self, say: Say) -> None:
        """See :class:`Device`."""
        if _is_native():
            say("this host is ARM64: nothing to install")
            return
        arm64_root.install(_root(), _wheels(), _cross_packages(), say)
        self.check()


def _root() -> arm64_root.Root:
    return arm64_root.Root(folder() / "arm64")


def _wheels() -> list[str]:
    """Return the distributions that runners need, in the versions that this host has."""
    from sttk.toolkit import targets  # noqa: PLC0415 (a target imports nothing that is heavy)

    needed = ["numpy", "packaging", "pillow", "psutil"]
    for each in targets.every():
        if DEVICE.name in each.devices:
            needed += each.requires.runs
    return [_pinned(name) for name in dict.fromkeys(needed)]


def _cross_packages() -> list[str]:
    from sttk.toolkit import targets  # noqa: PLC0415 (see above)

    every = targets.every()
    return [name for each in every if DEVICE.name in each.devices for name in each.cross_packages]


def _pinned(name: str) -> str:
    try:
        return f"{name}=={metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return name


def _environment(root: arm64_root.Root) -> dict[str, str]:
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return {
        **passed,
        "PYTHONPATH": os.pathsep.join(map(str, (_link(root), root.site))),
        # Neither the package's folder nor the wheels' is written to by a run.
        "PYTHONPYCACHEPREFIX": str(root.folder / "pycache"),
    }


def _link(root: arm64_root.Root) -> Path:
    """Return a folder that holds this sttk alone, a link, and none of this host's libraries."""
    package = _PACKAGE
    name = hashlib.sha256(os.fsencode(package)).hexdigest()[:16]
    link = root.folder / "sttk" / name / package.name
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)  # one that leads nowhere
        link.symlink_to(package, target_is_directory=True)
    return link.parent


DEVICE = Arm64(
    "arm64", "ARM64's own kernels, float16 included; emulated by qemu where there is no ARM"
)
