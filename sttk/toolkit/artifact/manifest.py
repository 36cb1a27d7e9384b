"""An artifact's ``manifest.json``: what was exported, from what, with what, and what was proven."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from sttk.toolkit.core.contract import PRECISIONS, Contract
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.rungs import RUNGS
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.io.files import write_atomic
from sttk.toolkit.io.json_text import dumps

FILE_NAME = "manifest.json"
# Text about the model; all other files of an artifact are the model or what it was made of.
README = "README.md"
SCHEMA = 3


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
        promise: the rung that the artifact promises against its reference (core/rungs.py).
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
    promise: str
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
        _require(fields["promise"] in RUNGS, f"promise {fields['promise']!r}")
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
