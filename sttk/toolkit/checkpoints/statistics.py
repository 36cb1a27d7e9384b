"""Each picture's own statistics, or running ones that were saved: which of them a file's norms use.

``nn.BatchNorm2d``, and ``nn.InstanceNorm2d(track_running_stats=True)``, use running statistics in
evaluation mode, and both compute (x - running_mean) / sqrt(running_var + eps) then: the files of
the two are the same function. They hold ``num_batches_tracked`` since torch 0.4.1. Older instance
norms saved ``running_mean`` and ``running_var``, too, and never used them.

That a file tracks statistics does not prove that its author stylised in evaluation mode, so their
use is a guess unless the user says ``norm=running`` or ``norm=instance``.
"""

from __future__ import annotations

from torch import Tensor

from sttk.toolkit.checkpoints.layout import Tensors
from sttk.toolkit.core.convention import Guess
from sttk.toolkit.core.errors import CheckpointError

INSTANCE, RUNNING = "instance", "running"
_COUNT = ".num_batches_tracked"
_STATISTICS = (".running_mean", ".running_var")
_CHOICES = f"norm={INSTANCE}|{RUNNING}"


def statistics_of(state: Tensors, said: str | None) -> tuple[str, tuple[Guess, ...]]:
    """Return ``instance`` or ``running``, and the guess that it is, if it is one.

    Args:
        state: the file's tensors.
        said: what the user says, or None.

    Raises:
        CheckpointError: running statistics are asked for, and the file holds none.
    """
    if said == RUNNING and not any(key.endswith(_STATISTICS) for key in state):
        raise CheckpointError(
            "#norm=running: the file holds no running statistics", fix="leave out #norm="
        )
    if said is not None:
        return said, ()
    if not any(key.endswith(_COUNT) for key in state):
        return INSTANCE, ()
    if not _are_updated(state):
        why = f"the file tracks statistics and has seen no pictures; else say #norm={RUNNING}"
        return INSTANCE, (Guess("norm", INSTANCE, why, _CHOICES),)
    why = (
        "the file tracks statistics, which evaluation mode uses; "
        f"if its author stylised in training mode, say #norm={INSTANCE}"
    )
    return RUNNING, (Guess("norm", RUNNING, why, _CHOICES),)


def _are_updated(state: Tensors) -> bool:
    """Return whether any statistics differ from a new norm's, a mean of 0 and a variance of 1.

    The count does not tell: instance norms update their statistics and leave it at 0.
    """
    fresh = dict(zip(_STATISTICS, (0, 1), strict=True))
    return any(
        bool((value != start).any())
        for key, value in state.items()
        for end, start in fresh.items()
        if key.endswith(end)
    )


def used(state: Tensors, statistics: str) -> dict[str, Tensor]:
    """Return the tensors that norms of these statistics use."""
    unused = (_COUNT,) if statistics == RUNNING else (_COUNT, *_STATISTICS)
    return {key: value for key, value in state.items() if not key.endswith(unused)}
