"""An artifact's ``manifest.json``: its source, target, files, tools and parity record."""

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
# A text about the model; all other files of an artifact are the model or its sources.
README = "README.md"
SCHEMA = 4


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint that was exported.

    Attributes:
        source: ``style:NAME`` or a path.
        sha256: the digest of its bytes.
        layout: the name of the checkpoint layout.
    """

    source: str
    sha256: str
    layout: str


@dataclass(frozen=True)
class Target:
    """The target of an export, with its options.

    Attributes:
        name: the target's name, such as ``onnx``.
        precision: one of ``sttk.toolkit.core.contract.PRECISIONS``.
        shapes: the input shapes that the model takes.
        options: the other options of the export: opset, simplified, ...
    """

    name: str
    precision: str
    shapes: Shapes
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """The manifest, which binds a model file to its checkpoint, contract, tools and results.

    Attributes:
        style: the style's short name.
        model: the model's file name within the folder.
        files: the sha256 of each file that belongs to the artifact, by name.
        promise: the rung that the artifact promises against its reference (core/rungs.py).
        promise_in_half: the rung that it promises where it is computed in float16.
        rewrites: the names of the exact rewrites that were applied.
        plan: precision by block; ``default`` is for the blocks that are not named.
        quantization: the calibration of an int8 net (sttk.toolkit.quantize.calibrate), or None.
        tools: the versions of the tools that made the artifact.
        graph: the name of the ONNX file that the model was compiled from, if it is kept, or None.
        guesses: what was assumed of the checkpoint, because its file does not say it.
        parity: the last parity record of each device, by the device's name.
        bench: the last bench record, or None.
    """

    style: str
    model: str
    files: dict[str, str]
    checkpoint: Checkpoint
    contract: Contract
    target: Target
    promise: str
    promise_in_half: str
    rewrites: tuple[str, ...] = ()
    plan: dict[str, str] = field(default_factory=dict)
    quantization: dict[str, Any] | None = None
    tools: dict[str, str] = field(default_factory=dict)
    graph: str | None = None
    guesses: tuple[str, ...] = ()
    parity: dict[str, Any] = field(default_factory=dict)
    bench: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as plain JSON values."""
        return {"schema": SCHEMA, **asdict(self), "contract": self.contract.to_dict()}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Manifest:
        """Parse the values of :meth:`to_dict`. Raises KeyError, TypeError or ValueError."""
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
        for name in ("promise", "promise_in_half"):
            _require(fields[name] in RUNGS, f"{name} {fields[name]!r}")
        guesses = fields.get("guesses", [])
        _require(isinstance(guesses, list), "guesses are no list")
        for guess in guesses:
            _require(isinstance(guess, str) and _is_unicode(guess), f"{guess!r} is no text")
        _require(isinstance(fields["parity"], dict), "parity is no dictionary")
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
                "guesses": tuple(guesses),
            }
        )

    def write(self, folder: Path) -> None:
        """Write ``manifest.json`` into ``folder``, atomically."""
        write_atomic(folder / FILE_NAME, f"{dumps(self.to_dict())}\n".encode())


def _is_unicode(text: str) -> bool:
    """Return whether a text has no lone surrogates, which JSON allows but UTF-8 cannot encode."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)


def model_sha256(manifest: Manifest) -> str:
    """Return one digest of all the model's files, to which parity and bench records are bound.

    If the model is a single file, it is that file's sha256. For a package, or a model with separate
    weights or the graph that it was compiled from, it is the digest of the sorted names and hashes
    of all these files, computed like ``sttk.toolkit.io.files.sha256`` of a folder.
    """
    files = {name: digest for name, digest in manifest.files.items() if name != README}
    if list(files) == [manifest.model]:
        return files[manifest.model]
    whole = hashlib.sha256()
    for name in sorted(files, key=PurePosixPath):
        whole.update(f"{name}\0{files[name]}\0".encode())
    return whole.hexdigest()
