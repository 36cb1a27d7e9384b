"""What can be said of a model file that somebody names without its artifact."""

from __future__ import annotations

from pathlib import Path

from sttk.toolkit.artifact.search import manifest_of_model
from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.runtimes.base import Check
from sttk.toolkit.targets import static_checks


def checks_of_file(model: Path) -> tuple[Check, ...]:
    """Check a model file without running it, by the manifest next to it if there is one.

    Args:
        model: a model file or package.

    Returns:
        What its target can tell, and a failed check named ``bound`` where the manifest next to it
        is none or names other bytes.
    """
    try:
        return static_checks(model, manifest_of_model(model))
    except ArtifactError as error:
        return (*static_checks(model), Check("bound", False, str(error)))
