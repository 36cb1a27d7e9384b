"""The sizes that a net takes and returns, found by inferring its shapes at many sizes."""

from __future__ import annotations

from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError
from sttk.toolkit.checkpoints.onnx_graph.program import Program
from sttk.toolkit.checkpoints.onnx_graph.shapes import Shape, shape_of
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.shapes import Size

_MOST_SMALLEST = 256
_MOST_MULTIPLE = 64


def contract_of(program: Program) -> Contract:
    """Find the net's smallest side, and the multiple to which its output rounds sides up.

    Raises:
        UnreadableError: the output's size is one that no :class:`Contract` can express.
    """
    least = next((side for side in range(1, _MOST_SMALLEST) if _output_size(program, side)), None)
    if least is None:
        raise UnreadableError(f"it takes no picture of up to {_MOST_SMALLEST} pixels a side")
    sides = range(least, least + 2 * _MOST_MULTIPLE)
    given = {side: _output_size(program, side) for side in sides}
    for multiple in range(1, _MOST_MULTIPLE + 1):
        contract = Contract(size_multiple=multiple, smallest_side=least)
        if all(size == contract.output_size(side, side) for side, size in given.items()):
            return contract
    side = next(side for side in sides if given[side] != (side, side))
    size = given[side]
    what = f"gives {size[0]}x{size[1]}" if size else "fails"
    raise UnreadableError(
        f"for a picture of {side}x{side} it {what}, not that size rounded up to a multiple"
    )


def _output_size(program: Program, side: int) -> Size | None:
    """Return the output's size for a square picture, or None if the net does not take it."""
    shapes: dict[str, Shape] = {program.picture: (1, 3, side, side)}
    try:
        for step in program.steps:
            inputs = (shapes[name] for name in step.inputs)
            shapes[step.output] = shape_of(step.module, *inputs)
    except ValueError:
        return None
    height, width = shapes[program.output][2:]
    return height, width
