"""The graph as steps: modules that work on named values, with constants folded into them.

Whatever depends only on sizes (``Shape`` and the arithmetic on it, pads, scales) is computed for a
picture of one size. A graph of any size is traced at two sizes, which must give the same steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from sttk.toolkit.checkpoints.onnx_graph.constants import CONSTANT, MOST_VALUES, bounded
from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError, shown
from sttk.toolkit.checkpoints.onnx_graph.graph import Call, Graph, Node
from sttk.toolkit.checkpoints.onnx_graph.modules import BINARY
from sttk.toolkit.checkpoints.onnx_graph.operations import OPERATIONS
from sttk.toolkit.checkpoints.onnx_graph.shapes import Shape, shape_of
from sttk.toolkit.core.shapes import Size

# Values of the largest intermediate tensor for one picture: 64 channels at 4096 x 4096.
_MOST_INTERMEDIATE = 1 << 30
# Operations that are never folded: a small file could ask for hours of work.
_HEAVY = ("Conv", "ConvTranspose", "Resize", "Upsample", "Pad")


@dataclass(frozen=True)
class Step:
    """A module and the values that it reads and computes.

    Attributes:
        module: the computation.
        inputs: names of the values that it reads.
        output: name of the value that it computes.
        node: name of the operation in the file that it comes from.
    """

    module: nn.Module
    inputs: tuple[str, ...]
    output: str
    node: str


@dataclass(frozen=True)
class Program:
    """The steps in order, and the shape of every value for the traced picture."""

    steps: tuple[Step, ...]
    shapes: Mapping[str, Shape]
    picture: str
    output: str

    def needed(self) -> Program:
        """Return the program without the steps that the output does not need."""
        needed, kept = {self.output}, []
        for step in reversed(self.steps):
            if step.output in needed:
                needed.update(step.inputs)
                kept.append(step)
        return Program(tuple(reversed(kept)), self.shapes, self.picture, self.output)


def trace(graph: Graph, size: Size) -> Program:
    """Return the graph's steps for a picture of ``size``.

    Raises:
        UnreadableError: an operation is not known, or does not fit its inputs.
    """
    tracer = _Tracer(graph, size)
    for node in graph.nodes:
        try:
            tracer.add_node(node)
        except UnreadableError as error:
            raise UnreadableError(f"{node}: {error}", error.fix) from error
        # torch raises these where weights, shapes and attributes do not fit each other.
        except (RuntimeError, ValueError, IndexError, TypeError, OverflowError) as error:
            raise UnreadableError(f"{node}: {shown(error, 160)}") from error
    return tracer.program()


class _Tracer:
    """A tracer of nodes that knows constants' values and the shapes of all other tensors."""

    def __init__(self, graph: Graph, size: Size) -> None:
        self._graph = graph
        self._constants: dict[str, Tensor] = dict(graph.constants)
        self._shapes: dict[str, Shape] = {graph.picture: (graph.batch, 3, *size)}
        self._steps: list[Step] = []
        self._folded = 0

    def program(self) -> Program:
        output = self._graph.output
        if output not in self._shapes:
            raise UnreadableError(f"its output {shown(output)} does not depend on its input")
        steps = Program(tuple(self._steps), self._shapes, self._graph.picture, output)
        return steps.needed()

    def add_node(self, node: Node) -> None:
        if not node.outputs:
            raise UnreadableError("it has no output")
        if node.kind in ("Shape", "Size"):
            self._keep(node, self._size_of(node))
            return
        call = self._call(node)
        if not any(name in self._shapes for name in node.inputs):
            self._keep(node, self._folded_value(call))
        elif node.kind in OPERATIONS:
            self._add(call)
        else:
            raise UnreadableError("sttk does not know it")

    def _call(self, node: Node) -> Call:
        for name in node.inputs:
            if name and name not in self._constants and name not in self._shapes:
                raise UnreadableError(f"its input {shown(name)} is not there")
        constants = tuple(self._constants.get(name) for name in node.inputs)
        shapes = tuple(self._shape(name) for name in node.inputs)
        return Call(node, self._graph.opset, constants, shapes)

    def _shape(self, name: str) -> Shape | None:
        known = self._constants.get(name)
        return self._shapes.get(name) if known is None else tuple(known.shape)

    def _size_of(self, node: Node) -> Tensor:
        call = self._call(node)
        sizes = torch.tensor(call.shape, dtype=torch.int64)
        if node.kind == "Size":
            return sizes.prod()
        stop = node.attributes.get("end")
        return sizes[call.integer("start", 0) : stop if isinstance(stop, int) else None]

    def _keep(self, node: Node, value: Tensor) -> None:
        """Keep a folded constant; their total size is bounded."""
        self._folded += value.numel()
        if self._folded > 8 * MOST_VALUES:
            raise UnreadableError("its constants grow too large")
        self._define(node.outputs[0])
        self._constants[node.outputs[0]] = value

    def _folded_value(self, call: Call) -> Tensor:
        kind = call.node.kind
        if kind in CONSTANT:
            return CONSTANT[kind](call)
        if kind not in OPERATIONS or kind in _HEAVY:
            raise UnreadableError("sttk does not know it on constants")
        _check_growth(call)
        value = call.constant(0, "input")
        # Pretend that the first input is the picture, and the others are its constants.
        free = Call(call.node, call.opset, (None, *call.constants[1:]), call.shapes)
        for module in OPERATIONS[kind](free):
            value = module(value)
        return value

    def _add(self, call: Call) -> None:
        node = call.node
        names = [name for name in node.inputs if name in self._shapes]
        chain = OPERATIONS[node.kind](call)
        for index, module in enumerate(chain):
            last = index == len(chain) - 1
            output = node.outputs[0] if last else f"{node.outputs[0]}/{index}"
            self._define(output)
            self._shapes[output] = self._run(module, names)
            self._steps.append(Step(module, tuple(names), output, node.name))
            names = [output]

    def _run(self, module: nn.Module, names: list[str]) -> Shape:
        shape = shape_of(module, *(self._shapes[name] for name in names))
        if math.prod(shape) > _MOST_INTERMEDIATE:
            raise UnreadableError(f"it makes a tensor of shape {shown(list(shape))}")
        return shape

    def _define(self, name: str) -> None:
        if not name or name in self._constants or name in self._shapes:
            raise UnreadableError(f"its output {shown(name)} is there already")


def _check_growth(call: Call) -> None:
    """Check that the result is bounded by the inputs' total size, or by their broadcast."""
    shapes = [shape for shape in call.shapes if shape is not None]
    bounded((sum(math.prod(shape) for shape in shapes),))
    if call.node.kind in BINARY:
        bounded(tuple(np.broadcast_shapes(*shapes)))


def first_difference(one: Program, other: Program) -> str | None:
    """Return the node at which two programs differ, whatever size each was traced at, or None."""
    for mine, its in zip(one.steps, other.steps, strict=False):
        if not _same_step(mine, its):
            return mine.node
    longest = max(one.steps, other.steps, key=len)
    same = len(one.steps) == len(other.steps)
    return None if same else longest[min(len(one.steps), len(other.steps))].node


def _same_step(one: Step, other: Step) -> bool:
    if (one.inputs, one.output) != (other.inputs, other.output):
        return False
    state, expected = one.module.state_dict(), other.module.state_dict()
    if repr(one.module) != repr(other.module) or state.keys() != expected.keys():
        return False
    return all(torch.equal(state[key], expected[key]) for key in expected)
