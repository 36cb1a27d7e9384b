"""The arithmetics in which sttk's own interpreters run a model.

They are those of LiteRT's GPU delegate (``CalculationsPrecision`` in
tensorflow/lite/delegates/gpu/common/precision.h), which an app chooses between. The fastest is
the default of Java's ``GpuDelegate.Options``, for float32 files too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from sttk.toolkit.precision.half import RoundedHalf
from sttk.toolkit.precision.half_sums import HalfSums


@dataclass(frozen=True)
class Arithmetic:
    """An arithmetic.

    Attributes:
        name: its name, by which it is requested.
        title: what it is, for readers of results.
        dtype: the type of every tensor.
        mode: a function that makes the context in which operations are computed.
    """

    name: str
    title: str
    dtype: torch.dtype
    mode: Callable[[], AbstractContextManager[Any]]


FLOAT32 = Arithmetic("f32", "float32 arithmetic", torch.float32, nullcontext)
ROUNDED = Arithmetic("f16-f32", "float16 results, float32 sums", torch.float16, RoundedHalf)
FLOAT16 = Arithmetic(
    "f16", "float16 results, float16 sums in convolutions", torch.float16, HalfSums
)
