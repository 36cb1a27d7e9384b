"""Faults in a model's stored weights."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn

from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.parity.mutants.mutant import Mutant

_Convolution: TypeAlias = nn.Conv2d | nn.ConvTranspose2d
_Norm: TypeAlias = nn.InstanceNorm2d | nn.BatchNorm2d

_SEED = 1978
# Relative noise on the weights, about as much as from one saved checkpoint to the next in training;
# it is invisible.
_STALE_NOISE = 0.01
# The index of the norm that loses its weights, one before a ReLU. A constant per channel from the
# last norm of a residual block would be cancelled by the norm after the next convolution.
_NORM = 1


def _convolutions(net: StyleNet) -> list[_Convolution]:
    return [module for module in net.modules() if isinstance(module, _Convolution)]


def _norms(net: StyleNet) -> list[_Norm]:
    """Return the norms that have weights of their own."""
    return [module for module in net.modules() if isinstance(module, _Norm) and module.affine]


def _weight(net: StyleNet, place: float) -> Tensor:
    """Return a convolution's weights, (D, C, kh, kw): the first at place 0, the last at 1."""
    convolutions = _convolutions(net)
    return convolutions[round(place * (len(convolutions) - 1))].weight.data


def _noise_like(weight: Tensor) -> Tensor:
    noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(_SEED))
    return noise.to(weight.dtype)


def _flip_first(net: StyleNet) -> None:
    _flip(_weight(net, 0))


def _flip_middle(net: StyleNet) -> None:
    _flip(_weight(net, 0.5))


def _flip_last(net: StyleNet) -> None:
    _flip(_weight(net, 1))


def _flip(weight: Tensor) -> None:
    """Flip the sign of the largest weight: a small one's may be less than a rounding error."""
    flat = weight.view(-1)
    flat[flat.abs().argmax()] *= -1


def _random_first(net: StyleNet) -> None:
    weight = _weight(net, 0)
    weight.copy_(_noise_like(weight) * weight.std())


def _dead_channel(net: StyleNet) -> None:
    """Set the output channel of largest norm of the middle convolution to zero."""
    weight = _weight(net, 0.5)
    weight[weight.flatten(1).norm(dim=1).argmax()] = 0


def _transposed_kernel(net: StyleNet) -> None:
    weight = _weight(net, 0.5)
    weight.copy_(weight.mT.clone())


def _stale(net: StyleNet) -> None:
    for module in _convolutions(net):
        module.weight.data.mul_(1 + _STALE_NOISE * _noise_like(module.weight))


def _rounded_to_eight_bits(net: StyleNet) -> None:
    """Round the weights to 255 levels of the largest one, without any notice."""
    for module in _convolutions(net):
        step = module.weight.abs().max() / 127
        module.weight.data.div_(step).round_().mul_(step)


def _no_norm_bias(net: StyleNet) -> None:
    for norm in _norms(net)[_NORM : _NORM + 1]:
        norm.bias.data.zero_()


def _no_norm_scale(net: StyleNet) -> None:
    for norm in _norms(net)[_NORM : _NORM + 1]:
        norm.weight.data.fill_(1)


def _no_last_bias(net: StyleNet) -> None:
    last = _convolutions(net)[-1]
    if last.bias is not None:
        last.bias.data.zero_()


WEIGHTS = (
    Mutant("one weight flipped, first convolution", _flip_first),
    Mutant("one weight flipped, middle convolution", _flip_middle),
    Mutant("one weight flipped, last convolution", _flip_last),
    Mutant("random first convolution", _random_first),
    Mutant("one channel dead", _dead_channel),
    Mutant("one kernel transposed", _transposed_kernel),
    Mutant("stale weights, 1 % off", _stale),
    Mutant("weights in 8 bits", _rounded_to_eight_bits),
    Mutant("one norm's bias dropped", _no_norm_bias),
    Mutant("one norm's scale dropped", _no_norm_scale),
    Mutant("last bias dropped", _no_last_bias),
)
