"""The file of a program, and what can be asked of whatever runs it."""

from __future__ import annotations

from pathlib import Path

from sttk.toolkit.core.errors import ArtifactError, NotRunError
from sttk.toolkit.io.files import read_flatbuffer
from sttk.toolkit.runtimes.base import Settings

_IDENTIFIER = b"ET12"
_MOST_BYTES = 1 << 28  # ours take 0.3 to 7 MB


def read_program(model: Path) -> bytes:
    """Return a program's bytes.

    Raises:
        ArtifactError: it is not a program, cannot be read, or is too large.
    """
    try:
        return read_flatbuffer(model, _IDENTIFIER, _MOST_BYTES)
    except (OSError, ValueError) as error:
        raise not_loaded(model, error) from error


def not_loaded(model: Path, error: Exception) -> ArtifactError:
    """Return the error for a program that ExecuTorch cannot load."""
    reason = " ".join(str(error).split())[:200]
    return ArtifactError(f"{model}: ExecuTorch cannot load it: {reason}")


def check_settings(settings: Settings | None) -> None:
    """Raise NotRunError if an arithmetic other than the program's own is requested."""
    if settings and settings.inference_precision:
        raise NotRunError(
            "not run: ExecuTorch computes as its program says",
            fix="leave --inference-precision out",
        )
