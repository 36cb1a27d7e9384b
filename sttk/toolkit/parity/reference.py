"""What the reference answers, and how far its own answer is from certain."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sttk.toolkit.core.errors import RunError
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.parity.metrics import Array, Regions, regions
from sttk.toolkit.parity.sums import SumsInTurn
from sttk.toolkit.parity.wide import WideConvolutions

# A picture of whole numbers has been rounded once already: half a grey level is what nobody knows.
_HALF_A_LEVEL = 0.5
_SEED = 2016
# Answers kept: all inputs of a run at 512 px take a few hundred megabytes.
_KEPT = 64


@dataclass(frozen=True, eq=False)
class ReferenceOutput:
    """The reference's answer to one input; each part is computed when it is first asked for.

    Attributes:
        net: the reference, float32.
        wide: the same in float64.
        batch: the input, (B, 3, H, W) in 0..255.
        float_net: of a quantised reference, the answer of the net that it was made from.
    """

    net: StyleNet
    wide: nn.Module
    batch: Floats
    float_net: ReferenceOutput | None = None

    @property
    def unquantized(self) -> ReferenceOutput:
        """The float net's answer. A quantised net jumps where a value passes from one of its 256
        levels to the next, so how well an input is conditioned is asked of the float net.
        """
        return self.float_net or self

    @cached_property
    def exact(self) -> NDArray[np.float64]:
        """The output, (B, 3, H', W'), of float64 arithmetic."""
        with WideConvolutions():
            return _run(self.wide, self.batch.astype(np.float64))

    @cached_property
    def single(self) -> Floats:
        """The output, (B, 3, H', W'), as torch computes it in float32."""
        return _run(self.net, self.batch)

    @cached_property
    def floor(self) -> Regions:
        """What float32 arithmetic costs on this input."""
        with SumsInTurn():
            return regions(_run(self.net, self.batch), self.exact)

    @cached_property
    def noise(self) -> Regions:
        """The net's answer to noise of half a grey level, uniform, in its input.

        Not clipped to 0..255: that would take half of the noise from what is black or white.
        """
        if self.float_net:
            return self.float_net.noise
        drawn = np.random.default_rng(_SEED).uniform(
            -_HALF_A_LEVEL, _HALF_A_LEVEL, self.batch.shape
        )
        noisy = (self.batch + drawn).astype(np.float32)
        return regions(_run(self.net, noisy), self.exact)


class References:
    """A style net's answers, each computed once: several artifacts have one reference.

    Args:
        net: the reference.
        float_net: of a quantised reference, the answers of the net that it was made from.
    """

    def __init__(self, net: StyleNet, float_net: References | None = None) -> None:
        self.net = net
        self.float_net = float_net
        self._wide = copy.deepcopy(net).double()
        self._answers: dict[bytes, ReferenceOutput] = {}

    def of(self, batch: Floats) -> ReferenceOutput:
        """The answer to (B, 3, H, W) in 0..255; its parts raise RunError where the net does not
        take such an input.
        """
        key = hashlib.sha256(repr(batch.shape).encode() + batch.tobytes()).digest()
        if key not in self._answers:
            plain = self.float_net.of(batch) if self.float_net else None
            self._answers[key] = ReferenceOutput(self.net, self._wide, batch, plain)
            if len(self._answers) > _KEPT:
                del self._answers[next(iter(self._answers))]
        return self._answers[key]


def _run(net: nn.Module, batch: Array) -> Array:
    try:
        with torch.inference_mode():
            output: Array = net(torch.from_numpy(batch)).numpy()
    except RuntimeError as error:
        raise RunError(f"torch: {' '.join(str(error).split())[:200]}") from error
    return output
