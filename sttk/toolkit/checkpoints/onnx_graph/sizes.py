"""What sizes a net takes and gives: its shapes, asked for at many sizes."""

from __future__ import annotations

from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError
from sttk.toolkit.checkpoints.onnx_graph.program import Program
from sttk.toolkit.checkpoints.onnx_graph.shapes import Shape, shape_of
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.shapes import Size

_MOST_SMALLEST = 256
_MOST_MULTIPLE = 64


def contract_of(program: Program) -> Contract:
    """The smallest side, and the multiple that sides come back as.

    Raises:
        UnreadableError: it gives a picture whose size no :class:`Contract` can tell.
    """
    least = next((side for side in range(1, _MOST_SMALLEST) if _gives(program, side)), None)
    if least is None:
        raise UnreadableError(f"it takes no picture of up to {_MOST_SMALLEST} pixels a side")
    sides = range(least, least + 2 * _MOST_MULTIPLE)
    given = {side: _gives(program, side) for side in sides}
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


def _gives(program: Program, side: int) -> Size | None:
    """Size of what comes out for a picture; None if it takes no such size."""
    shapes: dict[str, Shape] = {program.picture: (1, 3, side, side)}
    try:
        for step in program.steps:
            inputs = (shapes[name] for name in step.inputs)
            shapes[step.output] = shape_of(step.module, *inputs)
    except ValueError:
        return None
    height, width = shapes[program.output][2:]
    return height, width
