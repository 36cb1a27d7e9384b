"""A check that a picture fits into memory, made before the net runs."""

from __future__ import annotations

from pathlib import Path

import psutil

from sttk.toolkit.core.errors import ImageError

# Measured for the Johnson net at 1024 and 2048 px: 0.97 to 0.99 kB a pixel in torch, 1.1 to 1.3 kB
# in ONNX Runtime. Its largest tensors have 32 float32 channels at full size, and several are alive
# at once.
BYTES_PER_PIXEL = 1400
_STATUS = Path("/proc/self/status")


def check_fits(
    height: int,
    width: int,
    bytes_per_pixel: int = BYTES_PER_PIXEL,
    fix: str = "a smaller size takes less",
) -> None:
    """Raise if work on a picture of this size would need more memory than is available.

    Nothing is checked where the system does not tell what is available.

    Args:
        height: the picture's height in pixels.
        width: the picture's width in pixels.
        bytes_per_pixel: the memory that the work takes per pixel; the default is that of stylising.
        fix: what the user can do about it.

    Raises:
        ImageError: the picture does not fit.
    """
    needed, free = height * width * bytes_per_pixel, available()
    if free is not None and needed > free:
        raise ImageError(
            f"{height}x{width} pixels take about {needed / 1e9:.1f} GB of memory, "
            f"{free / 1e9:.1f} GB are available",
            fix=fix,
        )


def available() -> int | None:
    """Return the bytes that can be taken without swapping, or None where the system does not tell.

    A container's own limit is not looked at.
    """
    return _memory()[0]


def total() -> int | None:
    """Return the bytes that this machine has, or None where the system does not tell."""
    return _memory()[1]


def _memory() -> tuple[int, int] | tuple[None, None]:
    """Available and total."""
    try:
        found = psutil.virtual_memory()
    except (OSError, psutil.Error):  # Linux without /proc, as in a bare chroot
        return None, None
    return found.available, found.total


def peak() -> int | None:
    """Return the most bytes that this process has taken, or None where the system does not tell.

    On Linux by its status, which psutil does not read. Not by ``getrusage``: there a new process
    begins with the peak of the one that started it.
    """
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return _peak_on_windows()
    kilobytes = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(kilobytes[0]) * 1024 if kilobytes else None


def _peak_on_windows() -> int | None:
    try:
        return getattr(psutil.Process().memory_info(), "peak_wset", None)
    except (OSError, psutil.Error):
        return None
