"""The models that ``sttk parity`` judges: those named, else all artifacts, else a shipped style."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from sttk.exporters import exportable, exporter
from sttk.exporters.artifact import make_entry
from sttk.exporters.base import ExportRequest
from sttk.toolkit import styles, targets
from sttk.toolkit.artifact.search import Entry, search
from sttk.toolkit.core.errors import NotRunError, UsageError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.io.choices import MODEL, parse_choices, split_choices
from sttk.toolkit.opened.verify import artifacts_at
from sttk.toolkit.parity.outcome import Unjudged
from sttk.workflows.session import Candidate

_ROOT = Path("artifacts")
Candidates = list[Candidate | Unjudged]


@contextmanager
def candidates(models: tuple[Path, ...]) -> Iterator[Candidates]:
    """Yield the models and artifacts to judge.

    Where nothing is named and there are no artifacts, the shipped style is exported to the targets
    on show; those that cannot be exported here are yielded as :class:`Unjudged`.

    Raises:
        UsageError: a path is neither a model nor an artifact.
        SttkError: the shipped style cannot be exported.
    """
    if models:
        yield [found for model in models for found in _expand(model)]
    elif entries := search(_ROOT):
        yield list(map(_of_entry, entries))
    else:
        click.echo(f"no artifacts below {_ROOT}/: exporting the style {styles.DEFAULT}", err=True)
        shown = [(each.name, each.shown) for each in exportable() if each.shown]
        with tempfile.TemporaryDirectory(prefix="sttk-") as root:
            yield [_exported(target, shapes, Path(root)) for target, shapes in shown]


def _expand(model: Path) -> list[Candidate]:
    file, said = split_choices(model)
    if said and not targets.is_model(file):
        raise UsageError(f"{model}: choices are for model files", fix="an artifact says its own")
    if said and file.exists():
        return [Candidate(file, str(model), parse_choices(said, MODEL))]
    if not model.exists():
        raise UsageError(f"{model}: no such file or folder")
    if targets.is_model(model):
        return [Candidate(model, str(model))]
    return list(map(_of_entry, artifacts_at([model])))


def _of_entry(entry: Entry) -> Candidate:
    return Candidate(entry, str(entry.folder))


def _exported(target: str, shapes: Shapes, root: Path) -> Candidate | Unjudged:
    """Export the shipped style to one target; only the default target is required to work."""
    net, precision = styles.find(styles.DEFAULT), exporter(target).precisions[0]
    try:
        entry = make_entry(target, ExportRequest(net, Plan(precision), shapes), root)
    except NotRunError as error:
        if target == targets.DEFAULT:
            raise
        return Unjudged(f"{styles.DEFAULT} to {target}", error, target, needed=False)
    return Candidate(entry, str(entry.folder.relative_to(root)))
