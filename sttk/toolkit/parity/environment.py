"""The machine and the library versions with which a report's figures were made."""

from __future__ import annotations

import platform

from sttk.toolkit.core.version import VERSION
from sttk.toolkit.host import machine, packages


def environment() -> dict[str, str]:
    """Return facts about this machine by name.

    There is no date, nor anything else that differs between two runs on one installation.
    """
    cpu = machine.cpu()
    cores = f"{cpu.cores} cores, " if cpu.cores else ""
    facts = {
        "sttk": VERSION,
        "Python": platform.python_version(),
        "system": platform.platform(),
        "CPU": f"{cpu.name}, {cores}{cpu.threads} threads",
    }
    gpus = [f"{gpu.name}, driver {gpu.driver}" for gpu in machine.gpus()]
    if gpus:
        facts["GPU"] = "; ".join(gpus)
    versions = {
        library.name: library.version for library in packages.libraries() if library.version
    }
    return {**facts, **versions}
