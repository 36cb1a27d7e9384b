"""An artifact's ``manifest.json``: what was exported, from what, with what, and what was proven."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from toolkit.contract import PRECISIONS, Contract
from toolkit.errors import ArtifactError
from toolkit.files import sha256, write_atomic
from toolkit.jsontext import dumps
from toolkit.shapes import Shapes

FILE_NAME = "manifest.json"
SCHEMA = 2


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
        precision: one of ``toolkit.contract.PRECISIONS``.
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
        quantization: how an int8 net was quantised (toolkit.quantize.calibrate), or None.
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
        for text in (fields["style"], fields["model"], *fields["checkpoint"].values()):
            _require(isinstance(text, str), f"{text!r} is no text")
        _require(target["precision"] in PRECISIONS, f"precision {target['precision']!r}")
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


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of an artifact: every file is there, with the bytes it names.

    Raises:
        ArtifactError: no manifest, not a manifest, or a file that is missing or has changed.
    """
    path = folder / FILE_NAME
    try:
        manifest = Manifest.from_dict(json.loads(path.read_bytes()))
        _check_files(folder, manifest)
    except ArtifactError:
        raise
    except FileNotFoundError as error:
        raise ArtifactError(
            f"{folder}: no {FILE_NAME} here", fix="make an artifact with 'sttk export'"
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError, OSError, RecursionError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ArtifactError(f"{path}: not a manifest ({reason})", fix="export it again") from error
    return manifest


def _check_files(folder: Path, manifest: Manifest) -> None:
    if not any(_belongs(name, manifest.model) for name in manifest.files):
        raise ArtifactError(f"{folder}: the manifest does not list {manifest.model}")
    for name, digest in manifest.files.items():
        file = folder / name
        if Path(name).is_absolute() or not file.resolve().is_relative_to(folder.resolve()):
            raise ArtifactError(f"{folder}: the manifest names a file outside its folder: {name}")
        if not file.exists():
            raise ArtifactError(f"{file}: missing", fix="export it again")
        if sha256(file) != digest:
            raise ArtifactError(
                f"{file}: its bytes are not those that were exported", fix="export it again"
            )


def _belongs(name: str, model: str) -> bool:
    """Whether a file is the model, or in it: some models are folders."""
    return name == model or name.startswith(f"{model}/")


def find_artifacts(root: Path) -> list[Path]:
    """Folders with a manifest of ours at or below ``root``, sorted.

    One that cannot be parsed counts, so that opening it says what is wrong; other programs'
    ``manifest.json`` do not.
    """
    files = (file for file in root.rglob(FILE_NAME) if not _hidden(file, root))
    return sorted(file.parent for file in files if _is_ours(file))


def artifact_source(folder: Path) -> str | None:
    """The checkpoint that the artifact in ``folder`` names, or None if it is no artifact."""
    try:
        source = json.loads((folder / FILE_NAME).read_bytes())["checkpoint"]["source"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return str(source)


def _is_ours(file: Path) -> bool:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return True
    return not isinstance(content, dict) or "schema" in content


def _hidden(file: Path, root: Path) -> bool:
    """Folders that an unfinished export left behind begin with a dot."""
    return any(part.startswith(".") for part in file.relative_to(root).parts)
