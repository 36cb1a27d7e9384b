"""The report on this machine: libraries, devices, targets, and known problems."""

from __future__ import annotations

import dataclasses
import platform
from typing import Any

from packaging.utils import canonicalize_name

from sttk import exporters
from sttk.toolkit import targets
from sttk.toolkit.core.version import VERSION
from sttk.toolkit.host import known_bad, machine, memory, packages
from sttk.toolkit.host.packages import version_of
from sttk.toolkit.targets.abilities import abilities


def examine() -> dict[str, Any]:
    """Return the whole report as plain JSON values."""
    cpu, devices = machine.cpu(), machine.gpus()
    return {
        "sttk": VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": dataclasses.asdict(cpu),
        "memory": {"bytes": memory.total(), "available": memory.available()},
        "cuda": [dataclasses.asdict(device) for device in devices],
        "libraries": [
            {**library._asdict(), "good": library.good, "fix": library.fix}
            for library in [*packages.libraries(), *_unlisted()]
        ],
        "targets": [
            dataclasses.asdict(ability) for ability in abilities(devices, exporters.names())
        ],
        "known_bad": [pair._asdict() for pair in known_bad.found(version_of)],
        "broken": list(packages.broken()),
    }


def _unlisted() -> list[packages.Library]:
    """Return the targets' libraries that the metadata of an older installation does not name."""
    listed = {canonicalize_name(library.name) for library in packages.libraries()}
    found = {}
    for each in targets.every():
        for name in each.requires.libraries():
            if name not in listed:
                found[name] = packages.Library(name, version_of(name), "", each.name)
    return list(found.values())
