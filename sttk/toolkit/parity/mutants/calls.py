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

from sttk.toolkit.parity.mutants.mutant import Around, Run


@dataclass(frozen=True)
class Call:
    """One call of a torch function."""

    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]

    def right(self) -> Any:
        """Return the call's result, without a fault."""
        return self.function(*self.args, **self.kwargs)

    @property
    def named(self) -> dict[str, Any]:
        """The arguments by name, with defaults; only for functions that are written in Python."""
        bound = inspect.signature(self.function).bind(*self.args, **self.kwargs)
        bound.apply_defaults()
        return bound.arguments


Fault = Callable[[Call], Any]
Concerns = Callable[[Call], bool]


def _always(_: Call) -> bool:
    return True


def replaced(
    functions: Collection[Callable[..., Any]],
    fault: Fault,
    concerns: Concerns = _always,
    at: int | None = None,
) -> Around:
    """Return a function that runs a net with a fault in place of some of its calls.

    Args:
        functions: the torch functions to replace.
        fault: computes such a call wrongly.
        concerns: whether a call can have the fault.
        at: the index of the one such call that has it, from 0; None for all of them.
    """

    def around(run: Run, image: Tensor) -> Tensor:
        with _Replaced(functions, fault, concerns, at):
            return run(image)

    return around


class _Replaced(TorchFunctionMode):
    def __init__(
        self,
        functions: Collection[Callable[..., Any]],
        fault: Fault,
        concerns: Concerns,
        at: int | None,
    ) -> None:
        super().__init__()
        self._functions, self._fault, self._concerns, self._at = functions, fault, concerns, at
        self._seen = -1

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """See torch.overrides.TorchFunctionMode; calls made in here are not replaced again."""
        call = Call(func, args, kwargs or {})
        if func not in self._functions or not self._concerns(call):
            return call.right()
        self._seen += 1
        return self._fault(call) if self._at in (None, self._seen) else call.right()
