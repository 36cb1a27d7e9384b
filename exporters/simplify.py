"""onnxsim, with its own comparison switched on: a simplified graph must give the same numbers."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from toolkit.errors import ExportError
from toolkit.lazy import Lazy

if TYPE_CHECKING:
    import onnx
    import onnxsim
else:
    onnxsim = Lazy("onnxsim", "onnx")

# onnxsim's default is 0 comparisons, which reports success without having looked.
_CHECKS = 3


def simplify(model: onnx.ModelProto, shape: Sequence[int]) -> onnx.ModelProto:
    """Simplify, and compare ``_CHECKS`` random inputs of ``shape`` before and after.

    Raises:
        ExportError: the graphs differ, or onnxsim failed.
    """
    name = model.graph.input[0].name
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            simplified, same = onnxsim.simplify(
                model, check_n=_CHECKS, test_input_shapes={name: list(shape)}
            )
    # onnxsim is C++ underneath and raises without a common base class.
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise ExportError(f"onnxsim failed: {reason}", fix="pass --no-simplify") from error
    if not same:
        raise ExportError(
            "onnxsim changed what the model computes", fix="pass --no-simplify and report it"
        )
    return simplified
