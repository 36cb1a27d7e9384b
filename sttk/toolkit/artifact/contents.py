"""The check of an artifact's files against its manifest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from sttk.toolkit.artifact.manifest import Manifest
from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.io.files import MOST_BYTES, sha256


def file_faults(folder: Path, manifest: Manifest) -> Iterator[ArtifactError]:
    """Yield an error for each thing that is wrong with the files that the manifest names."""
    if not any(_belongs(name, manifest.model) for name in manifest.files):
        yield ArtifactError(f"{folder}: the manifest does not list {manifest.model}")
    for name, digest in manifest.files.items():
        try:
            fault = _fault(folder, name, digest)
        # A name with NUL, a folder without permission; before Python 3.13, links in a circle.
        except (OSError, ValueError, RuntimeError) as error:
            fault = ArtifactError(f"{folder}: {name[:200]!r} cannot be read: {reason(error)}")
        if fault:
            yield fault


def file_of(folder: Path, name: str) -> Path | None:
    """Return the path of a file in an artifact; None if it is missing or outside the folder.

    Names with ``.`` or ``..`` count as outside, so that each file has only one name.
    """
    try:
        inside = _is_inside(folder, name)
        return folder / name if inside and (folder / name).exists() else None
    except (OSError, ValueError, RuntimeError):
        return None


def _is_inside(folder: Path, name: str) -> bool:
    plain = PurePosixPath(name)
    if plain.is_absolute() or ".." in plain.parts or plain.as_posix() != name:
        return False
    return (folder / name).resolve().is_relative_to(folder.resolve())


def _fault(folder: Path, name: str, digest: str) -> ArtifactError | None:
    file = folder / name
    if not _is_inside(folder, name):
        return ArtifactError(f"{folder}: the manifest names a file outside its folder: {name}")
    if not file.exists():
        return ArtifactError(f"{file}: missing", fix="export it again")
    if not file.is_file():
        return ArtifactError(f"{file}: no regular file", fix="export it again")
    if file.stat().st_size > MOST_BYTES:
        return ArtifactError(f"{file}: more than {MOST_BYTES} bytes", fix="export it again")
    if sha256(file) != digest:
        return ArtifactError(
            f"{file}: its bytes are not those that were exported", fix="export it again"
        )
    return None


def reason(error: Exception) -> str:
    """Return an error's message on one line of at most 160 characters."""
    return " ".join(str(error).split())[:160]


def _belongs(name: str, model: str) -> bool:
    """Return whether a file is the model, or inside it: some models are folders."""
    return name == model or name.startswith(f"{model}/")
