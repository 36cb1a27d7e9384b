"""The machine and the software that figures were measured on."""

from __future__ import annotations

import dataclasses
import os
import platform
from typing import Any

from sttk.toolkit import targets
from sttk.toolkit.core.version import VERSION
from sttk.toolkit.host import machine, packages
from sttk.toolkit.host.machine import Cpu


def environment(threads: int) -> dict[str, Any]:
    """Return ``machine``, which comparisons require to be equal, and ``software``."""
    cpu = machine.cpu()
    libraries = ("torch", "numpy", *targets.distributions())  # may change a figure
    installed = {name: packages.version_of(name) for name in libraries}
    return {
        "machine": {
            "cpu": cpu.name,
            "features": list(cpu.features),
            "cores": cpu.cores,
            "threads of the cpu": cpu.threads,
            "threads used": threads,
            "gpus": [dataclasses.asdict(gpu) for gpu in machine.gpus()],
            "system": platform.system(),
        },
        "software": {
            "sttk": VERSION,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            **{name: version for name, version in installed.items() if version},
        },
    }


def threads_here() -> int:
    """Return the physical cores that this process may use: a second thread on one only slows it."""
    cpu: Cpu = machine.cpu()
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        allowed = cpu.threads
    return max(1, min(cpu.cores or cpu.threads, allowed))


def place(values: dict[str, Any]) -> str:
    """Return one line: processor, cores and threads, GPU."""
    here = values["machine"]
    gpus = "".join(f"; {gpu['name']}" for gpu in here["gpus"])
    cores = f"{here['cores']} cores, " if here["cores"] else ""
    threads = f"{here['threads used']} thread{'s' if here['threads used'] > 1 else ''}"
    extras = ", ".join(name for name in here["features"] if name != "AVX2")
    return f"{here['cpu']}, {cores}{threads} ({extras}){gpus}"
