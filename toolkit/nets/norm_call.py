"""A call of an instance norm, for those who come between a net and torch."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class NormCall(NamedTuple):
    """The arguments of ``torch.nn.functional.instance_norm``."""

    x: Tensor
    running_mean: Tensor | None = None
    running_var: Tensor | None = None
    weight: Tensor | None = None
    bias: Tensor | None = None
    use_input_stats: bool = True
    momentum: float = 0.1
    eps: float = 1e-5
