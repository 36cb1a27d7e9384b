"""Third-party ONNX style nets of any opset, loaded as torch nets.

The graph is traced with a picture of one size: whatever depends only on sizes is folded, and
operations that exporters decomposed are fused again (:mod:`patterns`). If no remaining step is
bound to that size, the net takes any. The net computes the file's function at the size that the
file fixes or, where the file takes any, at all multiples in the contract; at other sizes it runs
the same steps.

This was written for Windows ML's samples, torch's exports of all versions and Magenta's 26 styles.
A file that weighs several styles by a second input is read for one of them:
``FILE.onnx#style=3``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sttk.toolkit.checkpoints.layout import Loaded
from sttk.toolkit.checkpoints.onnx_graph import proto
from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError, shown
from sttk.toolkit.checkpoints.onnx_graph.graph import Graph
from sttk.toolkit.checkpoints.onnx_graph.io_convention import io_convention
from sttk.toolkit.checkpoints.onnx_graph.modules import Binary, Reshape
from sttk.toolkit.checkpoints.onnx_graph.net import GraphNet
from sttk.toolkit.checkpoints.onnx_graph.patterns import canonical
from sttk.toolkit.checkpoints.onnx_graph.program import Program, Step, first_difference, trace
from sttk.toolkit.checkpoints.onnx_graph.sizes import contract_of
from sttk.toolkit.core.errors import CheckpointError
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.io.choices import NONE, Choices

NAME = "onnx"
DESCRIPTION = "an ONNX style net of anyone (X.onnx; X.onnx#style=3 where it has several styles)"
UNREADABLE = "cannot be read as a style net"

# Sizes to trace a graph of any size with: no side in common, each halved evenly by style nets.
_PROBES = ((96, 128), (160, 224))
_REFIX = "export it again, with sizes that follow the picture's, or for one size"


def read(path: Path, choices: Choices = NONE) -> Loaded:
    """Read the net of an ``.onnx`` file.

    Args:
        path: the file.
        choices: what the user says of it.

    Raises:
        CheckpointError: the file is not ONNX, not a style net, or uses unknown operations.
        MissingExtraError: onnx is not installed.
    """
    try:
        graph = proto.read_graph(proto.parse_whole(path), choices.style)
        return _load(graph, choices)
    except UnreadableError as error:
        raise CheckpointError(f"{path}: {UNREADABLE}: {error}", fix=error.fix) from error


def _load(graph: Graph, choices: Choices) -> Loaded:
    program = _any_size(graph)
    _check_picture(program)
    _check_size_free(program)
    net = GraphNet(program)
    contract = contract_of(program)
    found = io_convention(program, net, contract, graph.metadata, choices)
    fixed = {} if None in graph.size else {"made for": "x".join(map(str, graph.size))}
    card: dict[str, Any] = {**graph.about, **fixed, **found.card}
    return Loaded(net, contract, card, found.convention, found.guesses)


def _any_size(graph: Graph) -> Program:
    """Trace the graph; if the file leaves a side free, two sizes must give the same steps."""
    height, width = graph.size
    if None not in graph.size:
        return _traced(graph, _PROBES[0])
    first, second = ((height or probe[0], width or probe[1]) for probe in _PROBES)
    program = _traced(graph, first)
    try:
        other = _traced(graph, second)
    except UnreadableError as error:
        what = f"it takes a picture of {_sides(first)}, and none of {_sides(second)}: {error}"
        raise UnreadableError(what, error.fix or _REFIX) from error
    if (node := first_difference(program, other)) is not None:
        raise UnreadableError(
            f"what node {shown(node)} does depends on the picture's size in a way not known: it "
            f"differs between {_sides(first)} and {_sides(second)}",
            _REFIX,
        )
    return program


def _traced(graph: Graph, probe: Size) -> Program:
    height, width = graph.size
    return canonical(trace(graph, (height or probe[0], width or probe[1])))


def _sides(size: Size) -> str:
    return "x".join(map(str, size))


def _check_picture(program: Program) -> None:
    shape = program.shapes[program.output]
    if len(shape) != 4 or shape[:2] != program.shapes[program.picture][:2]:
        raise UnreadableError(f"it gives a tensor of shape {list(shape)}, not a picture")


def _check_size_free(program: Program) -> None:
    for step in program.steps:
        if _is_bound(step):
            height, width = program.shapes[program.picture][2:]
            raise UnreadableError(
                f"operation {type(step.module).__name__} (node {shown(step.node)}) binds it to "
                f"{height}x{width}, and is of no pattern that sttk knows"
            )


def _is_bound(step: Step) -> bool:
    """Return whether a step works only at one size."""
    module = step.module
    if isinstance(module, Binary) and module.constant is not None:
        return module.constant.ndim > 1 and max(module.constant.shape[-2:]) > 1
    return isinstance(module, Reshape)
