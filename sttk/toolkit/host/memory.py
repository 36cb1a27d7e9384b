"""A check that a picture fits into memory, made before the net runs."""

from __future__ import annotations

from pathlib import Path

from sttk.toolkit.core.errors import ImageError

# Measured for the Johnson net at 1024 and 2048 px: 0.97 to 0.99 kB a pixel in torch, 1.1 to 1.3 kB
# in ONNX Runtime. Its largest tensors have 32 float32 channels at full size, and several are alive
# at once.
BYTES_PER_PIXEL = 1400
_MEMINFO = Path("/proc/meminfo")
_STATUS = Path("/proc/self/status")


def check_fits(
    height: int,
    width: int,
    bytes_per_pixel: int = BYTES_PER_PIXEL,
    fix: str = "a smaller size takes less",
) -> None:
    """Raise if work on a picture of this size would need more memory than is available.

    Nothing is checked where the available memory is unknown (on systems other than Linux).

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
    """Return the bytes that can be used without swapping, or None if unknown."""
    return _kilobytes(_MEMINFO, "MemAvailable:")


def peak() -> int | None:
    """Return this process's peak memory in bytes, or None if unknown.

    ``getrusage`` is not used: on Linux a new process starts with the peak of its parent.
    """
    return _kilobytes(_STATUS, "VmHWM:")


def _kilobytes(file: Path, name: str) -> int | None:
    """Return an entry of one of /proc's tables, in bytes."""
    try:
        lines = file.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return None
