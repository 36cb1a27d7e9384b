"""The style net in training: its input and output are in units that suit the optimiser."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sttk.toolkit.core.errors import TrainingError
from sttk.toolkit.nets.trainable import Net, Spec, build

# The net's input is x / 127.5 and its output (y - 127.5) / 4, so that Adam's steps suit the weights
# of the first and last layers; both maps are folded into those layers when the net is saved. One
# step of 1e-3 changes all 2592 weights of an output channel, and thus its values by up to ten grey
# levels; at a scale of 150 it was hundreds, and colours oscillated from step to step.
# No tanh: where it saturates it passes no gradient, and white stains stay white.
_INPUT = 1.0 / 127.5
_OUTPUT, _SHIFT = 4.0, 127.5
# The gain of the last layer's random weights, so that the first outputs have some contrast: without
# it the net takes hundreds of steps to get there (style loss after 120: three times as high).
_HEAD_GAIN = 12.0


class Scaled(nn.Module):
    """A trainable style net: (B, 3, H, W) in 0..255 RGB -> the same, not clamped, in float32.

    Attributes:
        net: the net that is wrapped.
        inner: the outputs of the net's norms in the last pass.
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
        """Return the stylised photographs."""
        self.inner.clear()
        styled: Tensor = self.net(photo * _INPUT).float() * _OUTPUT + _SHIFT
        return styled

    def start_from(self, net: nn.Module) -> None:
        """Load the weights of a finished net: the inverse of :meth:`folded`.

        Raises:
            TrainingError: the net has another spec.
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
        """Return a frozen copy of the net for 0..255 input, on the CPU, in evaluation mode."""
        return folded(self.net)


def folded(net: Net) -> Net:
    """Return a frozen copy of the net within :class:`Scaled`, for 0..255 input, on the CPU."""
    copy = build(net.spec)
    copy.load_state_dict({key: value.cpu() for key, value in net.state_dict().items()})
    with torch.no_grad():
        copy.first.weight.mul_(_INPUT)
        for parameter in copy.last.parameters():
            parameter.mul_(_OUTPUT)
        copy.last.get_parameter("bias").add_(_SHIFT)
    return copy.requires_grad_(False).eval()
