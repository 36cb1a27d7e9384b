"""float16 arithmetic on a CPU, at the speed of float32 arithmetic.

Every operation on float16 tensors is computed in float32 and its result rounded to float16, as on
a device that accumulates in float32 and as ONNX Runtime does on a CPU. torch's own float16 kernels
are many times slower, and some of them accumulate in float16.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

# Functions that change types themselves, or only read properties.
_CASTS = ("to", "float", "half", "double", "type", "is_floating_point", "__get__", "__set__")


class RoundedHalf(TorchFunctionMode):
    """A mode that, while active, computes float16 operations as the module describes."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """See torch.overrides.TorchFunctionMode."""
        named = dict(kwargs or {})
        halves = [_is_half(value) for value in (*args, *named.values())]
        if not any(halves) or func.__name__ in _CASTS:
            return func(*args, **named)
        result = func(*map(_widened, args), **{key: _widened(named[key]) for key in named})
        others = any(
            isinstance(value, Tensor) and value.dtype == torch.float32 and value.dim()
            for value in (*args, *named.values())
        )
        widened = isinstance(result, Tensor) and result.dtype == torch.float32
        return result.half() if widened and not others else result


def _is_half(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype == torch.float16


def _widened(value: Any) -> Any:
    return value.float() if _is_half(value) else value
