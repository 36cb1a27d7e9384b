"""Faults in single operations: torch functions are replaced while a net runs.

This works for every net, however its modules are written, and survives ``torch.export`` and
``torch.jit.trace``, which run the same Python.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from sttk.toolkit.parity.mutants.mutant import Run, Wrapper


@dataclass(frozen=True)
class Call:
    """One call of a torch function."""

    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]

    def compute(self) -> Any:
        """Return the call's result, without a fault."""
        return self.function(*self.args, **self.kwargs)

    @property
    def named(self) -> dict[str, Any]:
        """The arguments by name, with defaults; only for functions that are written in Python."""
        bound = inspect.signature(self.function).bind(*self.args, **self.kwargs)
        bound.apply_defaults()
        return bound.arguments


Fault = Callable[[Call], Any]
Condition = Callable[[Call], bool]


def _always(_: Call) -> bool:
    return True


def replaced(
    functions: Collection[Callable[..., Any]],
    fault: Fault,
    applies: Condition = _always,
    at: int | None = None,
) -> Wrapper:
    """Return a function that runs a net with a fault in place of some of its calls.

    Args:
        functions: the torch functions to replace.
        fault: computes such a call wrongly.
        applies: whether a call can have the fault.
        at: the index of the one such call that has it, from 0; None for all of them.
    """

    def wrap(run: Run, image: Tensor) -> Tensor:
        with _Replaced(functions, fault, applies, at):
            return run(image)

    return wrap


class _Replaced(TorchFunctionMode):
    def __init__(
        self,
        functions: Collection[Callable[..., Any]],
        fault: Fault,
        applies: Condition,
        at: int | None,
    ) -> None:
        super().__init__()
        self._functions, self._fault, self._applies, self._at = functions, fault, applies, at
        self._index = -1

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """See torch.overrides.TorchFunctionMode; calls made in here are not replaced again."""
        call = Call(func, args, kwargs or {})
        if func not in self._functions or not self._applies(call):
            return call.compute()
        self._index += 1
        return self._fault(call) if self._at in (None, self._index) else call.compute()
