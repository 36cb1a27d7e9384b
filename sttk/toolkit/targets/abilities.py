"""The abilities of this machine: what it can do with each target, and what it lacks for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence

from sttk.toolkit import targets
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.host import machine, packages
from sttk.toolkit.host.machine import Gpu
from sttk.toolkit.targets.requirements import Ability

CUDA = "cuda"
_NO_EXPORTER = "no: sttk has no exporter to it"


def abilities(devices: Sequence[Gpu], exported: Collection[str]) -> list[Ability]:
    """Return the ability of each target, in the order of ``targets.NAMES``.

    Args:
        devices: the CUDA devices of this machine.
        exported: the targets that sttk has an exporter to; the others can only be run.
    """
    found = [each.requires.ability(each.name, devices) for each in targets.every()]
    return [
        each
        if each.target in exported
        else dataclasses.replace(each, exports=False, export=_NO_EXPORTER)
        for each in found
    ]


def missing(names: Iterable[str], exported: Collection[str]) -> list[str]:
    """Return what is required and missing here, one line each.

    Args:
        names: the requirements: targets, which must be exportable; extras, whose libraries must be
            installed; or ``cuda``, which requires a device.
        exported: see :func:`abilities`.

    Raises:
        UsageError: a name is none of these.
    """
    extras = packages.extras()
    on_gpu = {each.name for each in targets.every() if each.requires.needs_gpu}
    devices = machine.gpus() if {CUDA, *on_gpu} & set(names) else ()
    able = {ability.target: ability for ability in abilities(devices, exported)}
    found = []
    for name in names:
        if name not in {CUDA, *able, *extras}:
            known = ", ".join(dict.fromkeys([*able, *extras, CUDA]))
            raise UsageError(f"--require {name}: no such target or extra; known: {known}")
        if name == CUDA and not devices:
            found.append("cuda: no device")
        if name in able and not able[name].exports:
            found.append(f"{name}: export {able[name].export}")
        elif name in extras:
            # Another library than the extra's may serve a target, but an outdated one does not.
            found += _lacking(name, absent=name not in able)
    return found


def _lacking(extra: str, *, absent: bool) -> list[str]:
    return [
        f"{extra}: {library.name}{library.wanted} wanted, {library.version or 'absent'} "
        f"({library.fix})"
        for library in packages.of_extra(extra)
        if not library.good and (absent or library.version)
    ]
