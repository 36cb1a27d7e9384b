"""The cause of a loss or a gradient that is not finite, in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from sttk.toolkit.losses.perceptual import Losses


def broken_weight(net: nn.Module) -> str:
    """Return the name of a net's first parameter that is not finite; empty if all are."""
    return next((name for name, each in net.named_parameters() if not _finite(each)), "")


def broken_gradient(net: nn.Module) -> str:
    """Return the name of a net's first parameter whose gradient is not finite; empty if none is."""
    return next((name for name, each in net.named_parameters() if not _finite(each.grad)), "")


@torch.no_grad()
def cause(
    net: nn.Module,
    photo: Tensor,
    files: Sequence[Path],
    losses: Callable[[int], Losses],
) -> str:
    """Return why the loss of a batch is not finite.

    The crops are tried one by one, to name the files of those that are to blame. If none is, the
    cause is in their interplay, as with batch norm, or in another process's part of the batch, and
    all files are named.

    Args:
        net: the net in training, with the weights that gave this loss.
        photo: the batch, (B, 3, H, W).
        files: the files of its B crops.
        losses: the loss terms of one crop of the batch, by its index.
    """
    if name := broken_weight(net):
        return f"the net's weights are not finite ({name})"
    found = {index: _terms(losses(index).floats()) for index in range(len(photo))}
    bad = {index: terms for index, terms in found.items() if terms}
    terms = dict.fromkeys(name for each in bad.values() for name in each)
    blame = [index for index in bad if not net(photo[index : index + 1]).isfinite().all()]
    parts = [
        f"not finite: {_joined(terms)}" if terms else "each crop alone has a finite loss",
        f"the net's picture of {_names([files[i] for i in blame])} is not finite" if blame else "",
        f"crops of {_names([files[i] for i in bad] or files)}",
    ]
    return "; ".join(part for part in parts if part)


def _terms(row: Mapping[str, float]) -> list[str]:
    """Return the names of the terms that are not finite."""
    return [name for name, value in row.items() if name != "total" and not math.isfinite(value)]


def _finite(values: Tensor | None) -> bool:
    return values is None or bool(values.isfinite().all())


def _names(files: Sequence[Path]) -> str:
    return _joined(dict.fromkeys(map(str, files)))


def _joined(words: Mapping[str, object]) -> str:
    return ", ".join(words)
