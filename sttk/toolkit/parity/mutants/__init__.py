"""Mutation testing of the parity gate: faults put into models on purpose, which it must catch.

A mutant is a style net with one fault that exporters, runtimes or people have been seen to make. It
is exported like any other net, so that every target gets the same faults, and is judged against the
original net (DeMillo et al. 1978, "Hints on Test Data Selection").
"""

from __future__ import annotations

from sttk.toolkit.parity.mutants.arithmetic import ARITHMETIC
from sttk.toolkit.parity.mutants.io_convention import IO_CONVENTION
from sttk.toolkit.parity.mutants.mutant import Mutant, effect
from sttk.toolkit.parity.mutants.weights import WEIGHTS

MUTANTS: tuple[Mutant, ...] = (*WEIGHTS, *ARITHMETIC, *IO_CONVENTION)

__all__ = ["MUTANTS", "Mutant", "effect"]
