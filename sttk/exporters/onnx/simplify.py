"""Simplification by onnxsim, with its comparison turned on: the results must stay the same."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING

from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.errors import ExportError
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.imaging.images import Floats

if TYPE_CHECKING:
    import onnx
    import onnxsim
else:
    onnxsim = Lazy("onnxsim", "onnx")

# onnxsim's default is 0 comparisons, which reports success without a check.
_CHECKS = 1
# The largest error, out of 255. onnxsim's own 1e-5 is meant for outputs near 1: merging a Slice
# into the convolution before it reorders sums, which changes more than that, and in float16 as much
# as its own rounding.
_LARGEST_ERROR = {"fp32": 0.01, "fp16": 4.0, "int8": 4.0, "fp8": 4.0}


def simplify(model: onnx.ModelProto, example: Floats, precision: Precision) -> onnx.ModelProto:
    """Simplify, and compare before and after on ``example``, (B, 3, H, W) in 0..255.

    onnxsim's own random inputs are in 0..1, which for a style net is a black picture.

    Raises:
        ExportError: the graphs differ, or onnxsim failed.
    """
    name = model.graph.input[0].name
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            simplified, same = onnxsim.simplify(
                model,
                check_n=_CHECKS,
                input_data={name: example},
                check_atol=_LARGEST_ERROR[precision],
                check_rtol=0.0,
            )
    # onnxsim is C++, and its exceptions have no common base class.
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise ExportError(f"onnxsim failed: {reason}", fix="pass --no-simplify") from error
    if not same:
        raise ExportError(
            "onnxsim changed what the model computes", fix="pass --no-simplify and report it"
        )
    return simplified
