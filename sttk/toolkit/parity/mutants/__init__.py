"""Faults put into models on purpose: a gate that lets one through is no gate.

A mutant is a style net with one fault that exporters, runtimes or people have been seen to make. It
is exported like any other net, so that every target gets the same faults, and is judged against the
net without it (DeMillo et al. 1978, "Hints on Test Data Selection").
"""

from __future__ import annotations

from sttk.toolkit.parity.mutants.arithmetic import ARITHMETIC
from sttk.toolkit.parity.mutants.io_convention import ENDS
from sttk.toolkit.parity.mutants.mutant import Mutant, effect
from sttk.toolkit.parity.mutants.weights import WEIGHTS

MUTANTS: tuple[Mutant, ...] = (*WEIGHTS, *ARITHMETIC, *ENDS)

__all__ = ["MUTANTS", "Mutant", "effect"]
