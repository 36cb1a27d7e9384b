"""A model cut between blocks: one block alone, given what the reference gave it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sttk.toolkit.core.errors import RunError
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.parity.bisect.reference import Block
from sttk.toolkit.parity.bisect.snr import agreement
from sttk.toolkit.targets.intermediates import InstrumentedModel, Subgraph


@dataclass(frozen=True)
class Partition:
    """Where a model can be cut: at each tensor that is a block of the reference.

    Attributes:
        instrumented: the model.
        blocks: of the reference.
        tensors: for each block, the model's tensor, or "", and the scale that it holds it at.
        batch: the picture.
    """

    instrumented: InstrumentedModel
    blocks: Sequence[Block]
    tensors: Sequence[tuple[str, float]]
    batch: Floats

    def part(self, index: int, *, alone: bool) -> tuple[Subgraph, dict[str, Floats]]:
        """What computes a block, and its inputs: the reference's results before it; or, where it is
        not ``alone``, the picture.
        """
        before = range(index) if alone else ()
        at = {self.tensors[i][0]: i for i in before if self.tensors[i][0]}
        part = self.instrumented.part(self.tensors[index][0], set(at))
        return part, {name: self._given(at, name) for name in part.inputs}

    def _given(self, at: dict[str, int], name: str) -> Floats:
        if name not in at:
            return self.batch
        given: Floats = self.blocks[at[name]].wanted * self.tensors[at[name]][1]
        return given.astype("float32")

    def depends(self, later: int, index: int) -> bool:
        """Whether the model computes a block from another one."""
        tensor = self.tensors[index][0]
        return tensor in self.instrumented.part(self.tensors[later][0], {tensor}).inputs

    def alone(self, index: int) -> tuple[float, float] | None:
        """SNR in dB of the block alone and its scale; None where it does not run so."""
        part, given = self.part(index, alone=True)
        block = self.blocks[index]
        try:
            result = part.run(given)
        except RunError:
            return None
        if result.shape != block.wanted.shape:
            return -math.inf, 1.0
        return agreement(result, block.wanted, cancelled=block.cancelled)
