"""The torch module that runs a graph's steps."""

from __future__ import annotations

import re
from collections import Counter

from torch import Tensor, nn

from sttk.toolkit.checkpoints.onnx_graph.modules import Binary, Reduce, Unary
from sttk.toolkit.checkpoints.onnx_graph.program import Program

# Layers are named as in sttk's own nets; the others by their class.
_NAMES = {
    "Conv2d": "conv",
    "ConvTranspose2d": "up",
    "Upsample": "up",
    "PixelShuffle": "up",
    "InstanceNorm2d": "norm",
    "BatchNorm2d": "norm",
    "GroupNorm": "norm",
    "ReflectionPad2d": "pad",
    "ReplicationPad2d": "pad",
    "ConstantPad2d": "pad",
    "ZeroPad2d": "pad",
    "ChannelOrder": "order",
    "ReLU": "relu",
    "ReLU6": "relu",
}


class GraphNet(nn.Module):
    """(B, 3, H, W) -> (B, 3, H', W'): the layers of an ONNX graph, in the graph's order.

    Attributes:
        layers: the layers by name, such as ``conv1``, in the order in which they run.
        nodes: the name of the operation in the file that each layer comes from.
    """

    def __init__(self, program: Program) -> None:
        super().__init__()
        counts: Counter[str] = Counter()
        self.layers = nn.ModuleDict()
        self.nodes: dict[str, str] = {}
        self._inputs: list[tuple[str, ...]] = []
        self._outputs: list[str] = []
        for step in program.steps:
            kind = _kind(step.module)
            counts[kind] += 1
            name = f"{kind}{counts[kind]}"
            self.layers[name], self.nodes[name] = step.module, step.node
            self._inputs.append(step.inputs)
            self._outputs.append(step.output)
        self._picture, self._output = program.picture, program.output
        self._done_with = _last_uses(program)
        self.eval()  # in training mode, batch norms would change with every picture

    def norms(self) -> list[nn.Module]:
        """Return all normalisation layers, from input to output."""
        kinds = (nn.InstanceNorm2d, nn.BatchNorm2d, nn.GroupNorm)
        return [layer for layer in self.layers.values() if isinstance(layer, kinds)]

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        values = {self._picture: x}
        steps = zip(self.layers.values(), self._inputs, self._outputs, self._done_with, strict=True)
        for layer, inputs, output, done_with in steps:
            values[output] = layer(*(values[name] for name in inputs))
            for name in done_with:
                del values[name]
        return values[self._output]


def _kind(module: nn.Module) -> str:
    if isinstance(module, Binary | Unary | Reduce):
        return module.kind.lower()
    name = type(module).__name__
    return _NAMES.get(name) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _last_uses(program: Program) -> list[tuple[str, ...]]:
    """Return, for each step, the values that no later step reads, whose memory can be freed."""
    seen, last = {program.output}, list[tuple[str, ...]]()
    for step in reversed(program.steps):
        last.append(tuple(dict.fromkeys(name for name in step.inputs if name not in seen)))
        seen.update(step.inputs)
    return last[::-1]
