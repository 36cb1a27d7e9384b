"""A bound on the memory that a program of an untrusted file may take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode


class Bounded(TorchFunctionMode):
    """A mode that, while active, refuses results of more values than allowed.

    On the device ``meta``, where tensors have shapes and no memory, a program is refused before it
    takes any.

    Args:
        most: the number of values that is allowed, in one result or in all that are kept.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """See torch.overrides.TorchFunctionMode. Raises ValueError."""
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.check([result])
        return result

    def check(self, tensors: Iterable[Tensor]) -> None:
        """Raise ValueError if tensors hold more values together than allowed."""
        count = sum(tensor.nelement() for tensor in tensors)
        if count > self._most:
            raise ValueError(f"{count} values at once, where {self._most} are thought enough")
