"""Faults in a graph's operations: other pads, norms, sums and interpolations.

One fault is left out: a variance over n - 1 in place of n. At 96x128 the gate catches it. At
512x512 it is a change of one part in 30,000 or less, as large as the float32 error of another order
of summation, and no gate that lets runtimes choose their order can tell the two apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sttk.toolkit.parity.mutants.calls import Call, replaced
from sttk.toolkit.parity.mutants.mutant import Mutant

# The index of the faulty pad, ReLU and sum where only one has the fault: mid-way in a Johnson net.
_PAD, _RELU, _SUM = 5, 4, 1
_SUMS = (torch.add, Tensor.add, Tensor.__add__, Tensor.add_, Tensor.__iadd__)
_RELUS = (F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_)


def _is_reflect(call: Call) -> bool:
    return bool(call.named["mode"] == "reflect")


def _zeros(call: Call) -> Tensor:
    return F.pad(call.named["input"], call.named["pad"])


def _edge(call: Call) -> Tensor:
    return F.pad(call.named["input"], call.named["pad"], mode="replicate")


def _epsilon(factor: float) -> Callable[[Call], Tensor]:
    def norm(call: Call) -> Tensor:
        named = call.named
        y: Tensor = F.instance_norm(**{**named, "eps": named["eps"] * factor})
        return y

    return norm


def _is_nearest(call: Call) -> bool:
    return bool(call.named["mode"] == "nearest")


def _linear(call: Call) -> Tensor:
    named = call.named
    return F.interpolate(named["input"], named["size"], named["scale_factor"], mode="bilinear")


def _takes_pictures(call: Call) -> bool:
    return all(isinstance(arg, Tensor) and arg.ndim == 4 for arg in call.args[:2])


def _second_alone(call: Call) -> Any:
    """Return the residual of x + residual, without the x."""
    return call.args[1]


def _first_alone(call: Call) -> Any:
    return call.args[0]


ARITHMETIC = (
    Mutant("zeros for reflecting pads", None, replaced({F.pad}, _zeros, _is_reflect)),
    Mutant("edge for reflecting pads", None, replaced({F.pad}, _edge, _is_reflect)),
    Mutant("edge for one reflecting pad", None, replaced({F.pad}, _edge, _is_reflect, _PAD)),
    Mutant("epsilon x10", None, replaced({F.instance_norm}, _epsilon(10))),
    Mutant("epsilon x100", None, replaced({F.instance_norm}, _epsilon(100))),
    Mutant("linear for nearest upsampling", None, replaced({F.interpolate}, _linear, _is_nearest)),
    Mutant("one residual sum dropped", None, replaced(_SUMS, _second_alone, _takes_pictures, _SUM)),
    Mutant("one ReLU dropped", None, replaced(_RELUS, _first_alone, at=_RELU)),
)
