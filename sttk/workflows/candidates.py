"""What ``sttk parity`` judges: as named, else every artifact, else the shipped style, exported."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from sttk.exporters import exporter
from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import Request
from sttk.toolkit import styles
from sttk.toolkit.artifact.manifest import find_artifacts
from sttk.toolkit.core.errors import NotRunError, UsageError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.opened.verify import artifacts_at
from sttk.toolkit.parity.outcome import Unjudged
from sttk.toolkit.parity.session import is_model

_ROOT = Path("artifacts")
# The shipped style to the two formats that most people need. ONNX has to work.
_DEFAULT = {"onnx": Shapes.any(), "coreml": Shapes.fixed(256, 256)}
_NEEDED = "onnx"


@dataclass(frozen=True)
class Candidate:
    """A model file or an artifact's folder, and what reports call it."""

    path: Path
    name: str


Candidates = list[Candidate | Unjudged]


@contextmanager
def candidates(models: tuple[Path, ...]) -> Iterator[Candidates]:
    """Model files and artifact folders, and what of the shipped style could not be exported.

    Raises:
        UsageError: a path leads to nothing that can be judged.
        SttkError: the shipped style cannot be exported.
    """
    if models:
        found = [found for model in models for found in _expand(model)]
        yield [Candidate(path, str(path)) for path in found]
    elif artifacts := find_artifacts(_ROOT):
        yield [Candidate(path, str(path)) for path in artifacts]
    else:
        click.echo(f"no artifacts below {_ROOT}/: exporting the style {styles.DEFAULT}", err=True)
        with tempfile.TemporaryDirectory(prefix="sttk-") as root:
            yield [_exported(target, Path(root)) for target in _DEFAULT]


def _expand(model: Path) -> list[Path]:
    if not model.exists():
        raise UsageError(f"{model}: no such file or folder")
    if is_model(model):
        return [model]
    return artifacts_at([model])


def _exported(target: str, root: Path) -> Candidate | Unjudged:
    net, precision = styles.find(styles.DEFAULT), exporter(target).PRECISIONS[0]
    try:
        made = make_artifact(target, Request(net, precision, _DEFAULT[target]), root)
    except NotRunError as error:
        if target == _NEEDED:
            raise
        return Unjudged(f"{styles.DEFAULT} to {target}", error, target, needed=False)
    return Candidate(made, str(made.relative_to(root)))
