"""Instance norms, as means and products.

    m = mean(x), d = x - m, v = mean(d^2), y = d (gamma / sqrt(v + eps)) + beta,

over height and width: the definition itself.

Why: torch.export writes an instance norm as a batch norm of (1, B C, H, W), which XNNPACK does not
take; these operations it has. Known limit: in float16, d^2 overflows where the deviations are
large, against which scale-fold is (toolkit.rewrites.scale_fold).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolkit.rewrites.modules import names_of, replaced
from toolkit.style_net import StyleNet

NAME = "plain-norms"
_AXES = (2, 3)


class PlainNorm(nn.Module):
    """The same function as ``norm``, which computes its statistics: (B, C, H, W) -> the same.

    The parameters have four axes, as the picture has: then they are constants of its layout.
    """

    def __init__(self, norm: nn.InstanceNorm2d) -> None:
        super().__init__()
        ones = torch.ones(norm.num_features)
        weight, bias = (
            default if own is None else own.detach()
            for own, default in ((norm.weight, ones), (norm.bias, torch.zeros_like(ones)))
        )
        self.eps = norm.eps
        self.weight, self.bias = (
            nn.Parameter(each.reshape(1, -1, 1, 1).clone(), requires_grad=False)
            for each in (weight, bias)
        )

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        deviation = x - x.mean(_AXES, keepdim=True)
        variance = (deviation * deviation).mean(_AXES, keepdim=True)
        return deviation * (torch.rsqrt(variance + self.eps) * self.weight) + self.bias


def plain_norms(net: StyleNet) -> tuple[StyleNet, int]:
    """The same function: every instance norm that computes its statistics is a :class:`PlainNorm`.

    Returns:
        A new net (``net`` itself where nothing is to be done), and how many were rewritten.

    Raises:
        ExportError: the net would be another function.
    """
    names = [
        name
        for name in names_of(net, nn.InstanceNorm2d)
        if not getattr(net.get_submodule(name), "track_running_stats", False)
    ]
    return replaced(NAME, net, names, PlainNorm)
