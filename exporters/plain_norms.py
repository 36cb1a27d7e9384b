"""Instance norms, as means and products.

    m = mean(x), d = x - m, v = mean(d^2), y = d (gamma / sqrt(v + eps)) + beta,

over height and width: the definition itself, whoever calls the function, and with what.

Why: torch.export writes an instance norm as a batch norm of (1, B C, H, W). XNNPACK does not take
it, and ExecuTorch's own kernel takes the variance as mean(x^2) - m^2: of a picture of one colour it
makes NaN, and of low contrast it keeps three digits. Known limit: in float16, d^2 overflows where
the deviations are large, against which scale-fold is (toolkit.rewrites.scale_fold).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

_AXES = (2, 3)


class PlainNorms(nn.Module):
    """Runs ``net`` with such norms in place of torch's.

    Args:
        net: (B, C, H, W) -> any.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        with _Replaced():
            y: Tensor = self.net(x)
        return y


class _Replaced(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """See torch.overrides.TorchFunctionMode; what is called in here is not replaced again."""
        return (_norm if func is F.instance_norm else func)(*args, **(kwargs or {}))


def _norm(
    input: Tensor,  # noqa: A002 (F.instance_norm's)
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if not use_input_stats:  # those that were stored: a product and a sum already
        return F.instance_norm(
            input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
        )
    deviation = input - input.mean(_AXES, keepdim=True)
    factor = torch.rsqrt((deviation * deviation).mean(_AXES, keepdim=True) + eps)
    if weight is not None:
        factor = factor * weight.reshape(1, -1, 1, 1)
    y = deviation * factor
    return y if bias is None else y + bias.reshape(1, -1, 1, 1)
