"""Parity and bench records, written into an artifact's manifest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from sttk.toolkit.artifact.manifest import Manifest, model_sha256
from sttk.toolkit.artifact.search import read_entry
from sttk.toolkit.opened.artifact import OpenArtifact
from sttk.toolkit.parity.compare import Report


def record_parity(opened: OpenArtifact, report: Report) -> OpenArtifact:
    """Write a verdict into the manifest, bound to the model that was judged.

    Args:
        opened: the artifact, whose manifest may hold an older verdict.
        report: the verdict.

    Returns:
        The artifact with its new manifest.
    """
    record = {"model_sha256": model_sha256(opened.manifest), **report.to_dict()}
    return _written(opened, lambda now: {"parity": {**now.parity, opened.device.name: record}})


def record_bench(opened: OpenArtifact, record: dict[str, Any]) -> OpenArtifact:
    """Write the settings that were measured to be the fastest into the manifest."""
    return _written(opened, lambda _: {"bench": record})


def _written(
    opened: OpenArtifact, records: Callable[[Manifest], dict[str, dict[str, Any]]]
) -> OpenArtifact:
    """Add records to the manifest as it is by now: another command may have written to it.

    If the artifact has been exported again since it was opened, the records are not its own, and
    nothing is written.
    """
    now = read_entry(opened.folder).manifest
    if model_sha256(now) != model_sha256(opened.manifest):
        return opened
    manifest = dataclasses.replace(now, **records(now))  # type: ignore[arg-type]
    manifest.write(opened.folder)
    return dataclasses.replace(opened, manifest=manifest)
