"""The search for the first block at which a model differs from its reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.parity.bisect.match import match
from sttk.toolkit.parity.bisect.partition import Partition
from sttk.toolkit.parity.bisect.reference import Block, reference_blocks
from sttk.toolkit.parity.bisect.reproduction import write_reproduction
from sttk.toolkit.parity.bisect.snr import agreement, snr
from sttk.toolkit.targets import open_intermediates, open_model
from sttk.toolkit.targets.intermediates import Intermediate, Values

# Number of blocks within which a model that computes a block in another way is back on its way.
_NEXT = 3


@dataclass(frozen=True)
class BlockRow:
    """One block of the reference, and the model's tensor in its place.

    Attributes:
        block: the block's name; see :class:`TracedStep`.
        function: the torch function.
        floor: the lowest SNR in dB that arithmetic alone can explain.
        tensor: the model's tensor, or "" where it has none for this block.
        operation: the model's operation that computes the tensor.
        kind: the kind of operation, as the format calls it.
        snr: the tensor's SNR in dB when the whole model is run, or None.
        heals: the block is under its floor, but a block computed from it is not, at least where
            it is given the right input: the model reaches the same result in another way.
        scale: the model's tensor is ``scale`` times the block's result, by an exact rewrite.
        alone: the SNR in dB of the operations between the blocks before and this one when they are
            given the reference's own values; computed where ``snr`` is under the floor.
    """

    block: str
    function: str
    floor: float
    tensor: str = ""
    operation: str = ""
    kind: str = ""
    snr: float | None = None
    scale: float = 1.0
    heals: bool = False
    alone: float | None = None

    @property
    def falls(self) -> bool:
        """Whether it is under its floor, and no later block recovers from that."""
        return self.is_under and not self.heals

    @property
    def is_under(self) -> bool:
        """Whether its SNR is under the floor."""
        return self.snr is not None and not self.snr >= self.floor

    @property
    def at_fault(self) -> bool:
        """Whether it is wrong even with the right input, so does not just pass an error on."""
        return self.alone is not None and not self.alone >= self.floor


@dataclass(frozen=True)
class Bisection:
    """A model compared with its reference block by block.

    Attributes:
        model: the model file.
        rows: every block, in the order of execution.
        notes: further facts that a reader must know.
        reproduction: the folder with the reproduction of the first block's fault, or "".
    """

    model: str
    rows: tuple[BlockRow, ...]
    notes: tuple[str, ...] = ()
    reproduction: str = ""

    @property
    def first(self) -> BlockRow | None:
        """The first block that falls under its floor for good, or None."""
        return next((row for row in self.rows if row.falls), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the bisection as plain JSON values."""
        return {**asdict(self), "first": asdict(self.first) if self.first else None}


def bisect(
    model: Path, net: StyleNet, batch: Floats, precision: str, folder: Path | None = None
) -> Bisection:
    """Find the first block of ``model`` whose SNR falls under its floor.

    Args:
        model: a model of a target that has intermediates, from any exporter.
        net: the reference.
        batch: (B, 3, H, W) float32 in 0..255, of a size that the model takes.
        precision: the model's arithmetic: ``fp32``, ``fp16``, ``bf16``, ``int8`` or ``fp8``.
        folder: the folder for a reproduction of the fault, written if a block falls.

    Raises:
        UsageError: this format cannot be bisected, or ``folder`` holds something else.
        ArtifactError: the model cannot be loaded.
        RunError: the model does not run, or not with its inner tensors as outputs.
    """
    instrumented = open_intermediates(model)
    with open_model(model) as runner:
        plain = runner.run(batch)
    values = instrumented.run(batch)
    blocks = reference_blocks(net, batch, precision)
    intermediates = match(blocks, instrumented.intermediates, values)
    rows = [
        _row(block, intermediate, values)
        for block, intermediate in zip(blocks, intermediates, strict=True)
    ]
    tensors = [(row.tensor, row.scale) for row in rows]
    partition = Partition(instrumented, blocks, tensors, batch)
    for index in range(len(rows)):
        rows[index] = _completed(rows, partition, index)
        # Where the model holds something else, the reference's values are no input for it.
        tensors[index] = "" if rows[index].heals else rows[index].tensor, rows[index].scale
    first = next((index for index, row in enumerate(rows) if row.falls), None)
    notes = (
        *instrumented.notes,
        *_notes(rows, blocks[-1], plain, values[instrumented.output], net),
    )
    written = ""
    if folder and first is not None:
        written = str(write_reproduction(folder, partition, first, alone=rows[first].at_fault))
    return Bisection(str(model), tuple(rows), notes, written)


def _row(block: Block, intermediate: Intermediate | None, values: Values) -> BlockRow:
    if intermediate is None:
        return BlockRow(block.name, block.function, block.floor)
    found, scale = agreement(values[intermediate.tensor], block.expected, cancelled=block.cancelled)
    names = intermediate.tensor, intermediate.operation, intermediate.kind
    return BlockRow(block.name, block.function, block.floor, *names, found, scale)


def _completed(rows: Sequence[BlockRow], partition: Partition, index: int) -> BlockRow:
    """Complete a row under its floor: what is its SNR alone, and does a later block recover."""
    row = rows[index]
    if not row.is_under:
        return row
    alone, scale = partition.alone(index) or (None, row.scale)
    completed = replace(row, alone=alone, scale=scale)  # not distorted by a wrong input
    heals = _is_bypassed if completed.at_fault else _is_corrected
    return replace(row, heals=True) if heals(rows, partition, index) else completed


def _is_corrected(rows: Sequence[BlockRow], partition: Partition, index: int) -> bool:
    """Return whether a block computed from this one is right, though this one is not quite."""
    correct = (i for i in range(index + 1, len(rows)) if rows[i].tensor and not rows[i].is_under)
    return any(partition.depends(later, index) for later in correct)


def _is_bypassed(rows: Sequence[BlockRow], partition: Partition, index: int) -> bool:
    """Return whether one of the next blocks is right, when it is given what this one was given.

    Only the next ones can say: floors sink with each block, in int8 below what a fault does.
    """
    matched = (i for i in range(index + 1, len(rows)) if rows[i].tensor)
    after = islice((i for i in matched if partition.depends(i, index)), _NEXT)
    found = ((partition.alone(i, since=index), rows[i].floor) for i in after)
    return any(result is not None and result[0] >= floor for result, floor in found)


def _notes(
    rows: Sequence[BlockRow], last: Block, plain: Floats, instrumented: Floats, net: StyleNet
) -> Iterator[str]:
    """Yield the notes on what the table does not show."""
    if not np.array_equal(plain, instrumented, equal_nan=True):
        found = snr(instrumented, plain)
        yield (
            f"with its inner tensors as outputs the model gives another answer, {found:.0f} dB SNR "
            "against the one without: the runtime fuses less then"
            + ("" if found >= last.floor else ", and its fault may be in what it no longer fuses")
        )
    missing = [row.block for row in rows if not row.tensor]
    if missing:
        yield f"the model has no tensor of its own for {', '.join(missing)}"
    if plain.shape != last.expected.shape:
        yield f"the model gives a picture of shape {plain.shape}, not {last.expected.shape}"
    elif not any(row.falls for row in rows):
        found = snr(np.clip(plain, *net.contract.output_range), last.expected)
        if not found >= last.floor:
            yield f"no block falls, yet the picture does: {found:.1f} dB, floor {last.floor:.1f}"
