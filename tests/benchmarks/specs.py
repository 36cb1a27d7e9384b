"""A spec for tests: any object, made in another process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CallSpec:
    """What a function gives; both it and its arguments are pickled."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()

    def make(self, profile: bool = False) -> Any:
        return self.function(*self.args)


def imported(modules: tuple[str, ...]) -> str:
    """Which of these this process has imported."""
    return " ".join(name for name in modules if name in sys.modules)


def imported_by(spec: Any, modules: tuple[str, ...]) -> str:
    """Which of these this process has imported once it has made something."""
    spec.make()
    return imported(modules)
