"""Interception of instance-norm calls between a net and torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class NormCall(NamedTuple):
    """The arguments of ``torch.nn.functional.instance_norm``."""

    x: Tensor
    running_mean: Tensor | None = None
    running_var: Tensor | None = None
    weight: Tensor | None = None
    bias: Tensor | None = None
    use_input_stats: bool = True
    momentum: float = 0.1
    eps: float = 1e-5


class OtherNorms(TorchFunctionMode, ABC):
    """A mode that replaces instance norms.

    While it is active, every instance norm that uses its input's own statistics goes through
    :meth:`norm`, whoever calls it. Calls made inside :meth:`norm` do not.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """See torch.overrides.TorchFunctionMode."""
        if func is F.instance_norm:
            call = NormCall(*args, **(kwargs or {}))
            if call.use_input_stats:
                return self.norm(call)
        return func(*args, **(kwargs or {}))

    @abstractmethod
    def norm(self, call: NormCall) -> Tensor:
        """Compute the norm: (B, C, H, W) -> the same."""
