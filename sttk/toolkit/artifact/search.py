"""The search for artifacts on a disk, which reads each manifest once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sttk.toolkit.artifact.contents import file_faults, reason
from sttk.toolkit.artifact.manifest import FILE_NAME, Manifest
from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.io.json_text import read_json

# The manifests that sttk writes take 2 to 40 kB; those of int8 models are by far the longest.
_LARGEST_FILE = 1 << 22


@dataclass(frozen=True)
class Entry:
    """An artifact that was found, with its parsed manifest.

    Attributes:
        folder: the artifact's folder.
        content: its manifest, or the error why it could not be parsed.
    """

    folder: Path
    content: Manifest | ArtifactError

    @property
    def manifest(self) -> Manifest:
        """The manifest as it is written; the files that it names have not been checked.

        Raises:
            ArtifactError: it could not be parsed.
        """
        if isinstance(self.content, ArtifactError):
            raise self.content
        return self.content

    def verified(self) -> Manifest:
        """Return the manifest after checking that all its files are there with the right bytes.

        Raises:
            ArtifactError: the manifest could not be parsed, or a file is missing or has changed.
        """
        for fault in file_faults(self.folder, self.manifest):
            raise fault
        return self.manifest


def search(root: Path) -> list[Entry]:
    """Return the artifacts at or below ``root``, sorted by folder.

    An artifact whose manifest cannot be parsed is included, so that opening it says what is wrong;
    other programs' ``manifest.json`` are not.
    """
    found = []
    for name, folders, files in os.walk(root):  # skips what another process removes just now
        entry = _own_entry(Path(name)) if FILE_NAME in (*files, *folders) else None
        if entry:
            found.append(entry)
        # The folders of unfinished exports begin with a dot.
        folders[:] = (folder for folder in folders if not folder.startswith("."))
    return sorted(found, key=lambda entry: entry.folder)


def outermost(entries: list[Entry]) -> list[Entry]:
    """Return the entries whose folder is not inside another one's."""
    known = frozenset(entry.folder for entry in entries)
    return [entry for entry in entries if known.isdisjoint(entry.folder.parents)]


def inner_artifacts(folder: Path) -> list[Path]:
    """Return the folders of the artifacts below ``folder``, excluding ``folder`` itself."""
    children = [child for child in folder.iterdir() if child.is_dir() and not child.is_symlink()]
    visible = sorted(child for child in children if not child.name.startswith("."))
    return [entry.folder for child in visible for entry in search(child)]


def find_artifacts(root: Path) -> list[Path]:
    """Return the folders of the artifacts at or below ``root``; see :func:`search`."""
    return [entry.folder for entry in search(root)]


def parse_manifest(folder: Path) -> Manifest:
    """Return the manifest of the artifact in ``folder``, without checking its files.

    Raises:
        ArtifactError: there is no manifest, or it cannot be parsed.
    """
    return read_entry(folder).manifest


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of the artifact in ``folder``, after checking its files.

    Raises:
        ArtifactError: there is no manifest, it cannot be parsed, or a file is missing or changed.
    """
    return read_entry(folder).verified()


def manifest_of_model(model: Path) -> Manifest | None:
    """Return the verified manifest of the artifact that a model file belongs to, or None.

    Raises:
        ArtifactError: the manifest next to the file cannot be parsed, or a file has changed.
    """
    if not (model.parent / FILE_NAME).is_file():
        return None
    manifest = read_manifest(model.parent)
    return manifest if manifest.model == model.name else None


def artifact_source(folder: Path) -> str | None:
    """Return the source of the artifact's checkpoint, or None if ``folder`` is no artifact."""
    try:
        source = read_json(folder / FILE_NAME, _LARGEST_FILE)["checkpoint"]["source"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(source)


def _own_entry(folder: Path) -> Entry | None:
    """Read the entry of a folder; None if the manifest is another program's."""
    try:
        content = read_json(folder / FILE_NAME, _LARGEST_FILE)
    except (OSError, ValueError) as error:
        return Entry(folder, _invalid(folder, error))
    if isinstance(content, dict) and "schema" not in content:
        return None
    return _entry(folder, content)


def read_entry(folder: Path) -> Entry:
    """Read the entry of a folder, even if its manifest is another program's."""
    try:
        return _entry(folder, read_json(folder / FILE_NAME, _LARGEST_FILE))
    except (OSError, ValueError) as error:
        return Entry(folder, _invalid(folder, error))


def _entry(folder: Path, content: Any) -> Entry:
    try:
        return Entry(folder, Manifest.from_dict(content))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Entry(folder, _invalid(folder, error))


def _invalid(folder: Path, error: Exception) -> ArtifactError:
    if isinstance(error, FileNotFoundError):
        return ArtifactError(
            f"{folder}: no {FILE_NAME} here", fix="make an artifact with 'sttk export'"
        )
    return ArtifactError(
        f"{folder / FILE_NAME}: not a manifest ({reason(error)})", fix="export it again"
    )
