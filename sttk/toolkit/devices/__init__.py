"""The devices on which parity runs a model: a module for each, and the list of their names.

A device is an arithmetic and what computes it: this host, real ARM64 kernels (emulated where the
host is no ARM), a GPU by Vulkan or WebGPU (in software where there is none), or float16 as phones'
GPUs have it (emulated by sttk).
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING

from sttk.toolkit.core.errors import UsageError

if TYPE_CHECKING:
    from sttk.toolkit.devices.base import Device

# Each is the name of a module here, with underscores, that defines DEVICE; the first is the
# default.
NAMES = (
    "host",
    "arm64",
    "vulkan",
    "litert-gpu",
    "webgpu",
    "f16",
)
DEFAULT = NAMES[0]


@cache
def device(name: str) -> Device:
    """Return the device with this name.

    Raises:
        UsageError: there is no such device.
    """
    if name not in NAMES:
        raise UsageError(f"{name}: no such device; known: {', '.join(NAMES)}")
    found: Device = importlib.import_module(f"{__name__}.{name.replace('-', '_')}").DEVICE
    return found


def every() -> tuple[Device, ...]:
    """Return all devices, in the order of ``NAMES``."""
    return tuple(map(device, NAMES))
