"""The reference's output for an input, and how uncertain that output is."""

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
from sttk.toolkit.parity.float64 import Float64Convolutions
from sttk.toolkit.parity.metrics import Array, Regions, regions
from sttk.toolkit.parity.sequential_sums import SequentialSums

# A picture of whole numbers was rounded once already, so half a grey level of it is unknown.
_HALF_LEVEL = 0.5
_SEED = 2016
# Outputs that are cached: all inputs of a run at 512 px take a few hundred megabytes.
_CACHE_SIZE = 64


@dataclass(frozen=True, eq=False)
class ReferenceOutput:
    """The reference's output for one input; each part is computed on first access.

    Attributes:
        net: the reference, float32.
        float64: the same net in float64.
        batch: the input, (B, 3, H, W) in 0..255.
        float_net: the output of the float net that a quantised reference was made from, else None.
    """

    net: StyleNet
    float64: nn.Module
    batch: Floats
    float_net: ReferenceOutput | None = None

    @property
    def unquantized(self) -> ReferenceOutput:
        """The float net's output, from which an input's conditioning is judged.

        A quantised net itself is unsuited: its output jumps where a value passes from one of its
        256 levels to the next.
        """
        return self.float_net or self

    @cached_property
    def exact(self) -> NDArray[np.float64]:
        """The output in float64 arithmetic, (B, 3, H', W')."""
        with Float64Convolutions():
            return _run(self.float64, self.batch.astype(np.float64))

    @cached_property
    def single(self) -> Floats:
        """The output in torch's float32 arithmetic, (B, 3, H', W')."""
        return _run(self.net, self.batch)

    @cached_property
    def floor(self) -> Regions:
        """The error of float32 arithmetic on this input."""
        with SequentialSums():
            return regions(_run(self.net, self.batch), self.exact)

    @cached_property
    def noise(self) -> Regions:
        """The change of the output under uniform noise of half a grey level in the input.

        The noise is not clipped to 0..255: that would halve it where the picture is black or white.
        """
        if self.float_net:
            return self.float_net.noise
        noise = np.random.default_rng(_SEED).uniform(-_HALF_LEVEL, _HALF_LEVEL, self.batch.shape)
        noisy = (self.batch + noise).astype(np.float32)
        return regions(_run(self.net, noisy), self.exact)


class References:
    """A cache of a style net's outputs, since several artifacts share one reference.

    Args:
        net: the reference.
        float_net: the outputs of the float net that a quantised reference was made from, else None.
    """

    def __init__(self, net: StyleNet, float_net: References | None = None) -> None:
        self.net = net
        self.float_net = float_net
        self._float64 = copy.deepcopy(net).double()
        self._answers: dict[bytes, ReferenceOutput] = {}

    def of(self, batch: Floats) -> ReferenceOutput:
        """Return the output for ``batch``, (B, 3, H, W) in 0..255.

        Its parts raise RunError on access if the net does not take such an input.
        """
        key = hashlib.sha256(repr(batch.shape).encode() + batch.tobytes()).digest()
        if key not in self._answers:
            float_net = self.float_net.of(batch) if self.float_net else None
            self._answers[key] = ReferenceOutput(self.net, self._float64, batch, float_net)
            if len(self._answers) > _CACHE_SIZE:
                del self._answers[next(iter(self._answers))]
        return self._answers[key]


def _run(net: nn.Module, batch: Array) -> Array:
    try:
        with torch.inference_mode():
            output: Array = net(torch.from_numpy(batch)).numpy()
    except RuntimeError as error:
        raise RunError(f"torch: {' '.join(str(error).split())[:200]}") from error
    return output
