"""A style net as it is trained: its input and output in units that suit the optimiser."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sttk.toolkit.core.errors import TrainingError
from sttk.toolkit.nets.trainable import Net, Spec, build

# The net sees x / 127.5 and answers with (y - 127.5) / 4, so that Adam's steps fit the first and
# last layers' weights; both maps are folded into those layers when it is saved. One step of 1e-3
# moves all 2592 weights of an output channel, and with them its values by up to ten grey levels; at
# a scale of 150 it was hundreds, and colours swung from step to step.
# No tanh: where it saturates it passes no gradient, and white stains stay white.
_INPUT = 1.0 / 127.5
_OUTPUT, _SHIFT = 4.0, 127.5
# Of the last layer's random weights, so that the first pictures have some contrast: without it the
# small scale takes hundreds of steps to get there (style loss after 120: three times as high).
_HEAD_GAIN = 12.0


class Scaled(nn.Module):
    """(B, 3, H, W) in 0..255 RGB -> the same, not clamped, in float32.

    ``inner`` holds what the net's norms gave in the last pass.
    """

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.net = build(spec)
        with torch.no_grad():
            self.net.last.weight.mul_(_HEAD_GAIN)
        self.inner: list[Tensor] = []
        for norm in self.net.norms():
            norm.register_forward_hook(lambda _module, _args, out: self.inner.append(out))

    def forward(self, photo: Tensor) -> Tensor:
        """Of the photograph, its stylised form."""
        self.inner.clear()
        styled: Tensor = self.net(photo * _INPUT).float() * _OUTPUT + _SHIFT
        return styled

    def start_from(self, net: nn.Module) -> None:
        """Take over the weights of a finished net: the inverse of :meth:`folded`.

        Raises:
            TrainingError: it is not a net of the same spec.
        """
        if not isinstance(net, Net) or net.spec != self.net.spec:
            raise TrainingError(
                "the net to start from has another shape", fix="match its --net, --width and --norm"
            )
        self.net.load_state_dict(net.state_dict())
        with torch.no_grad():
            self.net.first.weight.div_(_INPUT)
            self.net.last.get_parameter("bias").sub_(_SHIFT)
            for parameter in self.net.last.parameters():
                parameter.div_(_OUTPUT)

    def folded(self) -> Net:
        """A copy for 0..255 input, on the CPU, in evaluation mode, frozen."""
        net = build(self.net.spec)
        net.load_state_dict({key: value.cpu() for key, value in self.net.state_dict().items()})
        with torch.no_grad():
            net.first.weight.mul_(_INPUT)
            for parameter in net.last.parameters():
                parameter.mul_(_OUTPUT)
            net.last.get_parameter("bias").add_(_SHIFT)
        return net.requires_grad_(False).eval()
