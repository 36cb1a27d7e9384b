"""Instance norms as means and products.

    m = mean(x), d = x - m, v = mean(d^2), y = d (gamma / sqrt(v + eps)) + beta,

over height and width: the definition itself, for any caller and any arguments.

Why: torch.export writes an instance norm as a batch norm of (1, B C, H, W). XNNPACK does not
support that, and ExecuTorch's own kernel computes the variance as mean(x^2) - m^2: for a picture of
one colour this is NaN, and for low contrast it keeps three digits. Known limit: in float16, d^2
overflows if the deviations are large, which scale-fold prevents (sttk.toolkit.rewrites.scale_fold).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sttk.toolkit.nets.norm_call import NormCall, OtherNorms

_AXES = (2, 3)


class PlainNorms(nn.Module):
    """A module that runs ``net`` with such norms in place of torch's.

    Args:
        net: a module that takes (B, C, H, W).
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        with _Plain():
            y: Tensor = self.net(x)
        return y


class _Plain(OtherNorms):
    def norm(self, call: NormCall) -> Tensor:
        """See the module."""
        deviation = call.x - call.x.mean(_AXES, keepdim=True)
        factor = torch.rsqrt((deviation * deviation).mean(_AXES, keepdim=True) + call.eps)
        if call.weight is not None:
            factor = factor * call.weight.reshape(1, -1, 1, 1)
        y = deviation * factor
        return y if call.bias is None else y + call.bias.reshape(1, -1, 1, 1)
