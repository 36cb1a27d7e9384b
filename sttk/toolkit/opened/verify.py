"""The verification of artifacts: their files, their checkpoint, and their parity record."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sttk.toolkit import styles, targets
from sttk.toolkit.artifact.contents import file_faults
from sttk.toolkit.artifact.manifest import FILE_NAME, Manifest, model_sha256
from sttk.toolkit.artifact.search import Entry, inner_artifacts, search
from sttk.toolkit.core.errors import ArtifactError, MissingExtraError, UsageError
from sttk.toolkit.devices import DEFAULT as HOST
from sttk.toolkit.devices import device
from sttk.toolkit.io.choices import SUFFIX
from sttk.toolkit.io.files import MOST_BYTES, sha256, size_of


@dataclass(frozen=True)
class Finding:
    """The answer to one question.

    Attributes:
        question: ``manifest``, ``files``, ``checkpoint`` or ``parity``.
        passed: the answer, or None if there is none: the checkpoint is not here, or parity was not
            proven.
        detail: an explanation in one line.
    """

    question: str
    passed: bool | None
    detail: str


@dataclass(frozen=True)
class Verdict:
    """The findings on one artifact."""

    folder: Path
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether no question was answered with no; one without an answer does not count."""
        return all(finding.passed is not False for finding in self.findings)

    @property
    def readable(self) -> bool:
        """Whether the manifest could be read."""
        return not any(finding.question == "manifest" for finding in self.findings)

    def __str__(self) -> str:
        """Return one line, failures first."""
        order = sorted(self.findings, key=lambda finding: finding.passed is not False)
        details = "; ".join(finding.detail for finding in order)
        return f"{'pass' if self.passed else 'FAIL'}: {self.folder}: {details}"

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain JSON values."""
        findings = [dataclasses.asdict(finding) for finding in self.findings]
        return {"artifact": str(self.folder), "passed": self.passed, "findings": findings}


def artifacts_at(folders: Sequence[Path]) -> list[Entry]:
    """Return the artifacts at or below each folder.

    Raises:
        UsageError: a folder does not exist, or holds no artifact.
    """
    found: dict[Path, Entry] = {}
    for folder in folders:
        below = search(folder)
        if not below:
            raise UsageError(
                f"{folder}: no artifact at or below it", fix="make one with 'sttk export'"
            )
        found |= {entry.folder: entry for entry in below}
    return list(found.values())


def verify(
    entry: Entry,
    *,
    require_checkpoint: bool = False,
    require_parity: bool = False,
    require_devices: Collection[str] = (),
) -> Verdict:
    """Verify an artifact: its manifest, files, checkpoint and parity record.

    Args:
        entry: the artifact.
        require_checkpoint: fail if the checkpoint is not here and cannot be checked.
        require_parity: fail if the model itself has not been run and judged.
        require_devices: the names of devices on which it must have been run and judged.
    """
    folder = entry.folder
    try:
        manifest = entry.manifest
    except ArtifactError as error:
        return Verdict(folder, (Finding("manifest", False, _brief(error, folder)),))
    findings = (
        *_files(folder, manifest),
        _required(_checkpoint(manifest), require_checkpoint),
        _required(_parity(manifest, HOST), require_parity),
        *(
            _required(_parity(manifest, name), name in require_devices)
            for name in _devices(manifest, require_devices)
        ),
    )
    return Verdict(folder, findings)


def _required(finding: Finding, required: bool) -> Finding:
    if finding.passed is None and required:
        return dataclasses.replace(finding, passed=False)
    return finding


def _files(folder: Path, manifest: Manifest) -> list[Finding]:
    faults = [_brief(fault, folder) for fault in file_faults(folder, manifest)]
    named = {FILE_NAME, *manifest.files}
    unnamed = [name for name in _names(folder) if name not in named]
    faults += [f"{name} is not in the manifest (remove it, or export again)" for name in unnamed]
    if faults:
        return [Finding("files", False, fault) for fault in faults]
    count = len(manifest.files)
    return [Finding("files", True, f"{count} file{'s' * (count != 1)}")]


def _names(folder: Path) -> Iterator[str]:
    """Yield the names of everything but plain folders, including links to anywhere.

    The contents of an artifact within this one are left out: they belong to that one.
    """
    inner = inner_artifacts(folder)
    for path in sorted(folder.rglob("*")):
        if any(path.is_relative_to(found) for found in inner):
            continue
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(folder).as_posix()


def _checkpoint(manifest: Manifest) -> Finding:
    checkpoint = manifest.checkpoint
    try:
        path = styles.locate(checkpoint.source)
        if path and (why_not := _not_a_checkpoint(path)):
            return Finding("checkpoint", None, f"{checkpoint.source} not checked: {why_not}")
        same = _is_that(path, checkpoint.sha256) if path else None
    except MissingExtraError as error:
        return Finding("checkpoint", None, f"{checkpoint.source} not checked: {error}")
    except OSError as error:
        reason = error.strerror or error
        return Finding("checkpoint", None, f"{checkpoint.source} not checked: {reason}")
    if same is None:
        return Finding("checkpoint", None, f"{checkpoint.source} not checked: gone")
    if not same:
        return Finding("checkpoint", False, f"{checkpoint.source} has changed since the export")
    return Finding("checkpoint", True, checkpoint.source)


def _is_that(path: Path, digest: str) -> bool:
    """Return whether a checkpoint is the one of this digest; only ONNX's may be several files."""
    if sha256(path) == digest:
        return True
    if path.suffix.lower() != SUFFIX:
        return False
    # Imports torch, which the rest does not need.
    from sttk.toolkit.checkpoints.digest import checkpoint_sha256  # noqa: PLC0415

    return checkpoint_sha256(path) == digest


def _not_a_checkpoint(path: Path) -> str:
    """Return why a path must not be read, or "": a manifest can name a device, a pipe or a disk."""
    if not path.is_file() and not (path / FILE_NAME).is_file():
        return "no checkpoint"
    return f"more than {MOST_BYTES} bytes" if size_of(path) > MOST_BYTES else ""


def _devices(manifest: Manifest, required: Collection[str]) -> list[str]:
    """Return the devices with a record, and the required ones that can run the model."""
    made = manifest.target
    known = made.name in targets.NAMES
    able = [
        name
        for name in required
        if known and device(name).judges(targets.target(made.name), made.precision)
    ]
    return [name for name in dict.fromkeys((*manifest.parity, *able)) if name != HOST]


def _parity(manifest: Manifest, on: str) -> Finding:
    """Return what is known of parity on one device."""
    record: Any = manifest.parity.get(on)
    name = "parity" if on == HOST else f"parity on {on}"
    if record is None:
        return Finding(name, None, f"{name}: not proven" if on != HOST else "not proven")
    if not isinstance(record, dict):
        return Finding(name, False, f"its record of {name} cannot be read")
    if record.get("model_sha256") != model_sha256(manifest):
        return Finding(name, False, f"{name} proven for another model (run 'sttk parity' again)")
    if record.get("passed") is not True:
        return Finding(name, False, f"{name} failed")
    if record.get("not_run"):
        return Finding(name, None, f"only its graph is proven: {record['not_run']}")
    return Finding(name, True, f"{name} proven")


def _brief(error: ArtifactError, folder: Path) -> str:
    """Return the error's text without the folder, which the verdict names already."""
    return str(error).removeprefix(f"{folder}: ").removeprefix(f"{folder}/")
