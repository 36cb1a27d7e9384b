"""An artifact's ``manifest.json``: what was exported, from what, with what, and what was proven."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from sttk.toolkit.core.contract import PRECISIONS, Contract
from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.io.files import MOST_BYTES, sha256, write_atomic
from sttk.toolkit.io.json_text import dumps, read_json

FILE_NAME = "manifest.json"
# Text about the model; all other files of an artifact are the model or what it was made of.
README = "README.md"
SCHEMA = 2
# Ours take 2 to 40 kB; of int8, by far the longest.
MOST_MANIFEST = 1 << 22


@dataclass(frozen=True)
class Checkpoint:
    """The reference: ``source`` is ``style:NAME`` or a path, ``sha256`` of its bytes."""

    source: str
    sha256: str
    layout: str


@dataclass(frozen=True)
class Target:
    """What was exported to, and how.

    Attributes:
        name: of the exporter, such as ``onnx``.
        precision: one of ``sttk.toolkit.core.contract.PRECISIONS``.
        shapes: the inputs that it takes.
        options: what else the exporter was told: opset, simplified, ...
    """

    name: str
    precision: str
    shapes: Shapes
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """Binds a model file to its checkpoint, contract, tools and proofs.

    Attributes:
        style: short name of the style.
        model: file name of the model within the folder.
        files: sha256 of each file that belongs to the artifact, by name.
        rewrites: names of the exact rewrites that were applied.
        plan: precision by block; ``default`` is for the blocks not named.
        quantization: how an int8 net was quantised (sttk.toolkit.quantize.calibrate), or None.
        tools: versions of what made the artifact.
        graph: name of the ONNX file that the model was compiled from, where it is kept beside it.
        parity: the last parity record, or None if there was none.
        bench: the last bench record, or None.
    """

    style: str
    model: str
    files: dict[str, str]
    checkpoint: Checkpoint
    contract: Contract
    target: Target
    rewrites: tuple[str, ...] = ()
    plan: dict[str, str] = field(default_factory=dict)
    quantization: dict[str, Any] | None = None
    tools: dict[str, str] = field(default_factory=dict)
    graph: str | None = None
    parity: dict[str, Any] | None = None
    bench: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"schema": SCHEMA, **asdict(self), "contract": self.contract.to_dict()}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Manifest:
        """The inverse of :meth:`to_dict`. Raises KeyError, TypeError or ValueError."""
        fields = dict(fields)
        if fields.pop("schema") != SCHEMA:
            raise ValueError("written by another sttk")
        target = dict(fields["target"])
        target["shapes"] = Shapes.from_dict(target["shapes"])
        files = fields["files"]
        _require(isinstance(files, dict), "files are no dictionary")
        texts = (fields["style"], fields["model"], *fields["checkpoint"].values())
        for text in (*texts, *files.values()):
            _require(isinstance(text, str), f"{text!r} is no text")
        for name in (fields["model"], *files):
            _require(_is_unicode(name), f"{name!r} is no text")
        graph = fields["graph"]
        _require(graph is None or graph in fields["files"], f"graph {graph!r} is not in files")
        _require(target["precision"] in PRECISIONS, f"precision {target['precision']!r}")
        if plan := fields["plan"]:
            default = Plan.from_dict(plan).default
            _require(default == target["precision"], f"a plan of {default}")
        return cls(
            **{
                **fields,
                "checkpoint": Checkpoint(**fields["checkpoint"]),
                "contract": Contract.from_dict(fields["contract"]),
                "target": Target(**target),
                "rewrites": tuple(fields["rewrites"]),
            }
        )

    def write(self, folder: Path) -> None:
        """Write ``manifest.json`` into ``folder``, atomically."""
        write_atomic(folder / FILE_NAME, f"{dumps(self.to_dict())}\n".encode())


def _is_unicode(text: str) -> bool:
    """JSON can say halves of characters, which no digest can be taken of."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)


def model_sha256(manifest: Manifest) -> str:
    """What a proof binds itself to: one digest of all that the model consists of.

    Of a model that is one file, that file's own sha256. Of a package, of a model with its weights
    beside it, or of one with the graph that it was compiled from: of the names and hashes of all
    of these files, sorted, as ``sttk.toolkit.io.files.sha256`` digests a folder.
    """
    files = {name: digest for name, digest in manifest.files.items() if name != README}
    if list(files) == [manifest.model]:
        return files[manifest.model]
    whole = hashlib.sha256()
    for name in sorted(files, key=PurePosixPath):
        whole.update(f"{name}\0{files[name]}\0".encode())
    return whole.hexdigest()


def parse_manifest(folder: Path) -> Manifest:
    """The manifest of an artifact as it is written; its files are not looked at.

    Raises:
        ArtifactError: no manifest, or not a manifest.
    """
    path = folder / FILE_NAME
    try:
        return Manifest.from_dict(read_json(path, MOST_MANIFEST))
    except FileNotFoundError as error:
        raise ArtifactError(
            f"{folder}: no {FILE_NAME} here", fix="make an artifact with 'sttk export'"
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise ArtifactError(
            f"{path}: not a manifest ({_reason(error)})", fix="export it again"
        ) from error


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of an artifact: every file is there, with the bytes it names.

    Raises:
        ArtifactError: no manifest, not a manifest, or a file that is missing or has changed.
    """
    manifest = parse_manifest(folder)
    for fault in file_faults(folder, manifest):
        raise fault
    return manifest


def file_faults(folder: Path, manifest: Manifest) -> Iterator[ArtifactError]:
    """What is wrong with the files that the manifest names, one by one."""
    if not any(_belongs(name, manifest.model) for name in manifest.files):
        yield ArtifactError(f"{folder}: the manifest does not list {manifest.model}")
    for name, digest in manifest.files.items():
        try:
            fault = _fault(folder, name, digest)
        # A name with NUL, a folder without rights; before Python 3.13, links in a circle.
        except (OSError, ValueError, RuntimeError) as error:
            fault = ArtifactError(f"{folder}: {name[:200]!r} cannot be read: {_reason(error)}")
        if fault:
            yield fault


def file_of(folder: Path, name: str) -> Path | None:
    """The file of this name in an artifact; None if there is none, or it is elsewhere.

    ``.`` and ``..`` are elsewhere, too, so that each file has but one name.
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


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:160]


def _belongs(name: str, model: str) -> bool:
    """Whether a file is the model, or in it: some models are folders."""
    return name == model or name.startswith(f"{model}/")


def find_artifacts(root: Path) -> list[Path]:
    """Folders with a manifest of ours at or below ``root``, sorted.

    One that cannot be parsed counts, so that opening it says what is wrong; other programs'
    ``manifest.json`` do not.
    """
    found = []
    for name, folders, files in os.walk(root):  # passes over what another process removes just now
        if FILE_NAME in (*files, *folders) and _is_ours(Path(name, FILE_NAME)):
            found.append(Path(name))
        # Folders that an unfinished export left behind, or still fills, begin with a dot.
        folders[:] = (folder for folder in folders if not folder.startswith("."))
    return sorted(found)


def whole_artifacts(root: Path) -> list[Path]:
    """As :func:`find_artifacts`, without those that lie within another one of them."""
    found = find_artifacts(root)
    known = frozenset(found)
    return [each for each in found if known.isdisjoint(each.parents)]


def artifact_source(folder: Path) -> str | None:
    """The checkpoint that the artifact in ``folder`` names, or None if it is no artifact."""
    try:
        manifest = read_json(folder / FILE_NAME, MOST_MANIFEST)
        source = manifest["checkpoint"]["source"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(source)


def _is_ours(file: Path) -> bool:
    try:
        content = read_json(file, MOST_MANIFEST)
    except (OSError, ValueError):
        return True
    return not isinstance(content, dict) or "schema" in content
