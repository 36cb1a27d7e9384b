"""Whether a picture fits into memory, asked before the net runs rather than found out."""

from __future__ import annotations

from pathlib import Path

from sttk.toolkit.core.errors import ImageError

# Measured for the Johnson net at 1024 and 2048 px: torch 0.97 to 0.99 kB a pixel, ONNX Runtime 1.1
# to 1.3 kB. Its widest tensors are 32 float32 channels at full size, of which several live at once.
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

    Nothing is checked where the system does not tell what is available (other than Linux).

    Args:
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        bytes_per_pixel: that the work takes; the default is of stylising.
        fix: what the user can do about it.

    Raises:
        ImageError: it does not fit.
    """
    needed, free = height * width * bytes_per_pixel, available()
    if free is not None and needed > free:
        raise ImageError(
            f"{height}x{width} pixels take about {needed / 1e9:.1f} GB of memory, "
            f"{free / 1e9:.1f} GB are available",
            fix=fix,
        )


def available() -> int | None:
    """Bytes that can be taken without swapping, or None where the system does not tell."""
    return _kilobytes(_MEMINFO, "MemAvailable:")


def peak() -> int | None:
    """Bytes of memory that this process has taken at most, or None where the system does not tell.

    Not by ``getrusage``: on Linux a new process begins with the peak of the one that started it.
    """
    return _kilobytes(_STATUS, "VmHWM:")


def _kilobytes(file: Path, name: str) -> int | None:
    """A line of one of /proc's tables, as bytes."""
    try:
        lines = file.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return None
