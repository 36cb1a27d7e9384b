"""Parity and bench records, written into an artifact's manifest."""

from __future__ import annotations

import dataclasses
from typing import Any

from sttk.toolkit.artifact.manifest import model_sha256
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
    return _written(opened, parity=record)


def record_bench(opened: OpenArtifact, record: dict[str, Any]) -> OpenArtifact:
    """Write the settings that were measured to be the fastest into the manifest."""
    return _written(opened, bench=record)


def _written(opened: OpenArtifact, **records: dict[str, Any]) -> OpenArtifact:
    manifest = dataclasses.replace(opened.manifest, **records)  # type: ignore[arg-type]
    manifest.write(opened.folder)
    return dataclasses.replace(opened, manifest=manifest)
