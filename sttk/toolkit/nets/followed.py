"""The modules of a net whose ``forward`` is running, for modes that see torch's functions alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def followed(net: nn.Module) -> Iterator[list[tuple[str, nn.Module]]]:
    """Yield the modules whose ``forward`` is running, innermost last, with their names."""
    stack: list[tuple[str, nn.Module]] = []

    def entered(entry: tuple[str, nn.Module]) -> Any:
        return lambda *_: stack.append(entry)

    def left(*_: Any) -> None:
        stack.pop()

    hooks = []
    for name, module in net.named_modules():
        hooks.append(module.register_forward_pre_hook(entered((name, module))))
        hooks.append(module.register_forward_hook(left))
    try:
        yield stack
    finally:
        for hook in hooks:
            hook.remove()
