"""The Vulkan driver that a GPU device uses: a real GPU's, or one that computes in software."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sttk.toolkit.host import machine

# What the Vulkan loader reads; the second is the older name.
VARIABLES = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")
_LLVMPIPE = Path("/usr/share/vulkan/icd.d")
# Chromium's own copy of SwiftShader, by distribution.
_SWIFTSHADER = (Path("/usr/lib/chromium"), Path("/usr/lib/chromium-browser"),
                Path("/opt/google/chrome"))  # fmt: skip


@dataclass(frozen=True)
class Driver:
    """A Vulkan driver.

    Attributes:
        environment: the variables by which the loader finds it.
        software: whether it computes on the CPU.
    """

    environment: dict[str, str]
    software: bool


def llvmpipe() -> Path | None:
    """Return the file that describes Mesa's software driver, or None."""
    return next(iter(sorted(_LLVMPIPE.glob("lvp_icd*.json"))), None)


def swiftshader() -> Path | None:
    """Return the file that describes Chromium's software driver, or None."""
    files = (folder / "vk_swiftshader_icd.json" for folder in _SWIFTSHADER)
    return next((file for file in files if file.is_file()), None)


def driver(software: Sequence[Path | None]) -> Driver | None:
    """Return the driver to use: the user's, else a real GPU's, else the first in software.

    Args:
        software: the drivers that compute in software, in order of preference; None for absent
            ones.
    """
    for name in VARIABLES:
        if named := os.environ.get(name):
            known = [str(path) for path in (llvmpipe(), swiftshader()) if path]
            return Driver({name: named}, named in known)
    if machine.has_gpu():
        return Driver({}, software=False)
    found = next((path for path in software if path), None)
    return Driver({VARIABLES[0]: str(found)}, software=True) if found else None
