"""Norms that use the statistics of their training, moved into the convolution before them.

Such a norm multiplies each channel by a number and adds one, as a convolution's weight and bias do:

    gamma (conv(x; W, b) - mean) / sqrt(var + eps) + beta = conv(x; a W, a (b - mean) + beta),
    a = gamma / sqrt(var + eps), by output channel

Exporters do the same, each with other rounding and some for some layers only. Done here, in float64
and once, every format has the same weights, which parity can compare.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Statistics(NamedTuple):
    """A norm's constants, (D,) each, and its epsilon."""

    mean: Tensor
    var: Tensor
    gamma: Tensor
    beta: Tensor
    epsilon: float


def folded(
    weight: Tensor, bias: Tensor, norm: Statistics, *, transposed: bool = False
) -> tuple[Tensor, Tensor]:
    """Return the weight and bias of the convolution that does the norm's work, too.

    Args:
        weight: (D, C, K, K), or (C, D, K, K) if ``transposed``.
        bias: (D,).
        norm: the norm after the convolution.
        transposed: whether it is a transposed convolution.

    Raises:
        RuntimeError: the norm has other channels than the convolution.
        ValueError: a variance is negative.
    """
    if (norm.var + norm.epsilon <= 0).any():
        raise ValueError("a variance that is not positive")
    factor = norm.gamma.double() / (norm.var.double() + norm.epsilon).sqrt()
    moved = (bias.double() - norm.mean.double()) * factor + norm.beta.double()
    by_channel = factor.view((1, -1, 1, 1) if transposed else (-1, 1, 1, 1))
    return (weight.double() * by_channel).to(weight.dtype), moved.to(bias.dtype)
