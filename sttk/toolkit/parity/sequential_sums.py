"""The float32 error of a runtime that sums sequentially.

torch sums a norm's H * W terms in a tree, whose error does not grow with their number. Most
runtimes add them one after another, in a few lanes: each addition rounds, and the mean and the
deviation have a relative error of about 2^-24 * sqrt(H * W) (Higham 2002, "Accuracy and
Stability of Numerical Algorithms", section 4.2). Both are correct float32. Where a channel's mean
is far above its deviation, as in flat and saturated pictures, this is the larger part of float32's
error: ONNX Runtime is 36 dB over torch's own error there, and is not wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from sttk.toolkit.nets.norm_call import NormCall

_ROUNDING = 2.0**-24
_SEED = 2002


class SequentialSums(TorchFunctionMode):
    """A torch mode in which instance norms have the error of sequential sums in their statistics.

    The size of the error is its expected size; its sign is drawn for each channel, from a fixed
    seed.
    """

    def __init__(self) -> None:
        super().__init__()
        self._generator = torch.Generator().manual_seed(_SEED)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """See torch.overrides.TorchFunctionMode."""
        result = func(*args, **(kwargs or {}))
        if func is F.instance_norm:
            return self._with_error(result, NormCall(*args, **(kwargs or {})))
        return result

    def _with_error(self, result: Tensor, norm: NormCall) -> Tensor:
        if not norm.use_input_stats:
            return result
        x = norm.x
        relative = _ROUNDING * float(x[0, 0].numel()) ** 0.5
        variance, mean = torch.var_mean(x, tuple(range(2, x.dim())), correction=0, keepdim=True)
        deviation = (variance + norm.eps).sqrt()
        slope = 1.0 if norm.weight is None else _by_channel(norm.weight, x)
        offset = 0.0 if norm.bias is None else _by_channel(norm.bias, x)
        mean_error = self._signs(mean) * (mean.square() + variance).sqrt() / deviation
        deviation_error = self._signs(mean)
        error = slope * mean_error + (result - offset) * deviation_error
        perturbed: Tensor = result + relative * error
        return perturbed

    def _signs(self, like: Tensor) -> Tensor:
        bits = torch.randint(0, 2, like.shape, generator=self._generator)
        return bits.to(like.dtype) * 2 - 1


def _by_channel(values: Tensor, x: Tensor) -> Tensor:
    return values.view(1, -1, *[1] * (x.dim() - 2))
