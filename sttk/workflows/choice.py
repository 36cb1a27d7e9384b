"""The user's choice of a net and a runtime, as options; quick to import, for commands' help."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from sttk.exporters import exportable
from sttk.toolkit.core.errors import UsageError
from sttk.workflows.guesses import strict_option

_SELECTABLE = {each.runtime: each.name for each in exportable() if each.selectable}
RUNTIMES = ("torch", *_SELECTABLE)
FASTEST = "fastest"
_SHARE = re.compile(r"(?P<name>.+):(?P<share>[0-9]*\.?[0-9]+)")


@dataclass(frozen=True)
class Choice:
    """A choice of net and runtime.

    Attributes:
        style: a shipped style or a checkpoint; or several with shares: ``ink:0.7,scream:0.3``.
        checkpoint: a checkpoint file of any layout.
        artifact: the folder of an exported model.
        runtime: one of ``RUNTIMES``; ``FASTEST`` for the fastest one installed; None for the
            artifact's own, or torch.
        tile: the side in pixels of the tiles in which torch runs, or None.
    """

    style: str | None = None
    checkpoint: Path | None = None
    artifact: Path | None = None
    runtime: str | None = None
    tile: int | None = None

    def __post_init__(self) -> None:
        """Raise UsageError if choices exclude each other."""
        named = (self.style, self.checkpoint, self.artifact)
        if sum(value is not None for value in named) > 1:
            raise UsageError("--style, --checkpoint and --artifact exclude each other")
        if self.tile and (self.artifact is not None or self.runtime not in (None, "torch")):
            raise UsageError("--tile is for torch: the statistics of norms in a model are its own")


def target_of(runtime: str) -> str:
    """Return the target that is exported for a runtime of ``RUNTIMES`` other than torch."""
    return _SELECTABLE[runtime]


def shares(style: str) -> list[tuple[str, float]]:
    """Parse ``ink:0.7,scream:0.3`` into names with shares, normalised to a sum of 1.

    Raises:
        UsageError: only some of them have a share, or the shares' sum is zero.
    """
    matches = [_SHARE.fullmatch(part.strip()) for part in style.split(",")]
    if not any(matches):
        return [(style, 1.0)]
    if not all(matches):
        raise UsageError(f"--style {style}: each needs a share, such as ink:0.7,scream:0.3")
    found = [(match["name"], float(match["share"])) for match in matches if match]
    total = sum(share for _, share in found)
    if not total or not math.isfinite(total):
        raise UsageError(f"--style {style}: the shares' sum is {total:g}")
    return [(name, share / total) for name, share in found]


def net_options(default: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add ``--style``, ``--checkpoint``, ``--artifact``, ``--runtime`` as one argument ``choice``.

    Args:
        default: the runtime without ``--runtime`` and ``--artifact``, for the help text.
    """
    options = (
        click.option(
            "--style",
            help="A shipped style, or several with shares: ink:0.7,scream:0.3.  [default: ink]",
        ),
        click.option(
            "--checkpoint", type=click.Path(path_type=Path), help="A checkpoint of any layout."
        ),
        click.option(
            "--artifact", type=click.Path(path_type=Path), help="Folder of an exported model."
        ),
        click.option(
            "--runtime",
            type=click.Choice(RUNTIMES),
            help="What runs it, exported for it if need be.  "
            f"[default: the artifact's, else {default}]",
        ),
        strict_option,
    )

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_choice(
            style: str | None,
            checkpoint: Path | None,
            artifact: Path | None,
            runtime: str | None,
            **others: Any,
        ) -> Any:
            return command(choice=Choice(style, checkpoint, artifact, runtime), **others)

        wrapped: Callable[..., Any] = with_choice
        for option in reversed(options):
            wrapped = option(wrapped)
        return wrapped

    return decorate
