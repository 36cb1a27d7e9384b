"""A model cut into blocks, so that one block can be run alone on the reference's values."""

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
    """A model that can be cut at each tensor that matches a block of the reference.

    Attributes:
        instrumented: the model.
        blocks: the reference's blocks.
        tensors: the model's tensor for each block, or "", and its scale relative to the block.
        batch: the input picture, (B, 3, H, W) in 0..255.
    """

    instrumented: InstrumentedModel
    blocks: Sequence[Block]
    tensors: Sequence[tuple[str, float]]
    batch: Floats

    def part(self, index: int, *, alone: bool) -> tuple[Subgraph, dict[str, Floats]]:
        """Cut out the part that computes a block; return it with its inputs.

        If ``alone``, it begins after the blocks before, and its inputs are the reference's results
        there; else it begins at the picture.
        """
        return self._cut(index, range(index) if alone else range(0))

    def _cut(self, index: int, before: range) -> tuple[Subgraph, dict[str, Floats]]:
        cuts = {self.tensors[i][0]: i for i in before if self.tensors[i][0]}
        part = self.instrumented.part(self.tensors[index][0], set(cuts))
        return part, {name: self._input(cuts, name) for name in part.inputs}

    def _input(self, cuts: dict[str, int], name: str) -> Floats:
        if name not in cuts:
            return self.batch
        value: Floats = self.blocks[cuts[name]].expected * self.tensors[cuts[name]][1]
        return value.astype("float32")

    def depends(self, later: int, index: int) -> bool:
        """Return whether the model computes the block ``later`` from the block ``index``."""
        tensor = self.tensors[index][0]
        return tensor in self.instrumented.part(self.tensors[later][0], {tensor}).inputs

    def alone(self, index: int, since: int | None = None) -> tuple[float, float] | None:
        """Return the SNR in dB of the block run alone, and its scale; None if that does not run.

        It is given the reference's results of the blocks before it, or of those before ``since``.
        """
        part, inputs = self._cut(index, range(index if since is None else since))
        block = self.blocks[index]
        try:
            result = part.run(inputs)
        except RunError:
            return None
        if result.shape != block.expected.shape:
            return -math.inf, 1.0
        return agreement(result, block.expected, cancelled=block.cancelled)
