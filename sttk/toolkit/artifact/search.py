"""Artifacts on a disk: found, and their manifests read once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sttk.toolkit.artifact.contents import file_faults, reason
from sttk.toolkit.artifact.manifest import FILE_NAME, Manifest
from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.io.json_text import read_json

# Ours take 2 to 40 kB; those of int8 models are by far the longest.
_MOST_BYTES = 1 << 22


@dataclass(frozen=True)
class Entry:
    """A folder with a manifest of ours, which has been read.

    Attributes:
        folder: the artifact's folder.
        content: its manifest, or why that is none.
    """

    folder: Path
    content: Manifest | ArtifactError

    @property
    def manifest(self) -> Manifest:
        """The manifest as it is written; nobody has looked at the files that it names.

        Raises:
            ArtifactError: it is no manifest.
        """
        if isinstance(self.content, ArtifactError):
            raise self.content
        return self.content

    def verified(self) -> Manifest:
        """Return the manifest, all of whose files are there with the bytes that it names.

        Raises:
            ArtifactError: it is no manifest, or a file is missing or has changed.
        """
        for fault in file_faults(self.folder, self.manifest):
            raise fault
        return self.manifest


def search(root: Path) -> list[Entry]:
    """Return the artifacts at or below ``root``, sorted by folder.

    One whose manifest cannot be parsed counts, so that opening it says what is wrong; other
    programs' ``manifest.json`` do not.
    """
    found = []
    for name, folders, files in os.walk(root):  # passes over what another process removes just now
        entry = _look(Path(name)) if FILE_NAME in (*files, *folders) else None
        if entry:
            found.append(entry)
        # Folders that an unfinished export left behind, or still fills, begin with a dot.
        folders[:] = (folder for folder in folders if not folder.startswith("."))
    return sorted(found, key=lambda entry: entry.folder)


def outermost(entries: list[Entry]) -> list[Entry]:
    """Return the entries without those whose folder lies within another one's."""
    known = frozenset(entry.folder for entry in entries)
    return [entry for entry in entries if known.isdisjoint(entry.folder.parents)]


def inner_artifacts(folder: Path) -> list[Path]:
    """Return the folders of the artifacts below ``folder``, but for ``folder`` itself."""
    children = [child for child in folder.iterdir() if child.is_dir() and not child.is_symlink()]
    visible = sorted(child for child in children if not child.name.startswith("."))
    return [entry.folder for child in visible for entry in search(child)]


def find_artifacts(root: Path) -> list[Path]:
    """Return the folders of :func:`search`."""
    return [entry.folder for entry in search(root)]


def parse_manifest(folder: Path) -> Manifest:
    """Return the manifest of the artifact in ``folder``; its files are not looked at.

    Raises:
        ArtifactError: there is no manifest, or it is not one.
    """
    return read_entry(folder).manifest


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of the artifact in ``folder``, its files verified.

    Raises:
        ArtifactError: there is no manifest, it is not one, or a file is missing or has changed.
    """
    return read_entry(folder).verified()


def manifest_of_model(model: Path) -> Manifest | None:
    """Return the verified manifest of the artifact that a model file is part of, if it is of one.

    Raises:
        ArtifactError: there is a manifest next to it that is not one, or a file has changed.
    """
    if not (model.parent / FILE_NAME).is_file():
        return None
    manifest = read_manifest(model.parent)
    return manifest if manifest.model == model.name else None


def artifact_source(folder: Path) -> str | None:
    """Return the checkpoint that the artifact in ``folder`` names, or None if it is no artifact."""
    try:
        source = read_json(folder / FILE_NAME, _MOST_BYTES)["checkpoint"]["source"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(source)


def _look(folder: Path) -> Entry | None:
    """The entry of a folder, or None where the manifest is another program's."""
    try:
        content = read_json(folder / FILE_NAME, _MOST_BYTES)
    except (OSError, ValueError) as error:
        return Entry(folder, _refused(folder, error))
    if isinstance(content, dict) and "schema" not in content:
        return None
    return _entry(folder, content)


def read_entry(folder: Path) -> Entry:
    """Return the entry of a folder, whosever its manifest is."""
    try:
        return _entry(folder, read_json(folder / FILE_NAME, _MOST_BYTES))
    except (OSError, ValueError) as error:
        return Entry(folder, _refused(folder, error))


def _entry(folder: Path, content: Any) -> Entry:
    try:
        return Entry(folder, Manifest.from_dict(content))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Entry(folder, _refused(folder, error))


def _refused(folder: Path, error: Exception) -> ArtifactError:
    if isinstance(error, FileNotFoundError):
        return ArtifactError(
            f"{folder}: no {FILE_NAME} here", fix="make an artifact with 'sttk export'"
        )
    return ArtifactError(
        f"{folder / FILE_NAME}: not a manifest ({reason(error)})", fix="export it again"
    )
