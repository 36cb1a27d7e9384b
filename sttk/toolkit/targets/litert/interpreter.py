"""An interpreter of ``.tflite`` files in torch, in an arithmetic of choice.

In float32 it computes what LiteRT does. In float16 it stands for the GPU of a phone, by what the
source of LiteRT's GPU delegate says (tensorflow/lite/delegates/gpu, for OpenCL, OpenGL and Metal):

* ``CalculationsPrecision::F16``, "all data and all math ops in F16" (common/precision.h), is what
  an app gets that allows a loss of precision and asks for speed, for float32 files too; Java's
  ``GpuDelegate.Options`` does both by default. Weights, constants and every result are float16.
* Convolutions, transposed ones included, start at zero and add up in float16, tap by tap and
  channel by channel, and add the bias at the end (common/tasks/conv_generic.cc).
* MEAN and SUM have float32 accumulators in every precision (common/tasks/reduce.cc); only their
  result is float16.
* Each element-wise operation rounds its result, although several run in one kernel
  (common/tasks/elementwise.cc).
* With ``F32_F16``, convolutions add up in float32 (:data:`ROUNDED`).

A quantised tensor holds real values, rounded to its levels: the delegate, too, widens int8 weights
and rounds results in between (common/tasks/quantize_and_dequantize.cc).

What is not modelled: Winograd's algorithm for 3x3 convolutions of 64 channels and more, sums of
four products before they are added, and the precision of a GPU's own roots and exponentials.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sttk.toolkit.core.errors import ArtifactError, RunError
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.precision.arithmetic import FLOAT32, Arithmetic
from sttk.toolkit.targets.litert.bounds import Bounded
from sttk.toolkit.targets.litert.operations import OPERATIONS, fused
from sttk.toolkit.targets.litert.program import ABSENT, Operation, Program, TensorInfo
from sttk.toolkit.targets.litert.site import Apply, Site, UnsupportedError

# What torch raises on values that do not fit together.
_MISFITS = (RuntimeError, ValueError, TypeError, IndexError, OverflowError, NotImplementedError)
# A net of 64 channels that writes an upsampling as a convolution holds some 500 for each pixel.
_MOST_PER_PIXEL, _LEAST_BOUND = 1 << 11, 1 << 20
_LEVELS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}


@dataclass(frozen=True)
class _Step:
    """One operation, ready to run.

    Attributes:
        name: the operation, for people.
        result: the number of the tensor that it computes.
        inputs: the numbers of its inputs.
        apply: the function that computes it.
        after: what is applied to the result: activations and quantisers.
        last: the tensors that no later step reads.
    """

    name: str
    result: int
    inputs: tuple[int, ...]
    apply: Apply
    after: tuple[Callable[[Tensor], Tensor], ...]
    last: tuple[int, ...]


class Interpreter:
    """An interpreter of a program with one picture in and one out.

    Args:
        program: the program, as read from its file.
        arithmetic: the arithmetic of every operation.

    Raises:
        ArtifactError: an operation is not known here, or not in this form.
    """

    def __init__(self, program: Program, arithmetic: Arithmetic = FLOAT32) -> None:
        _check_known(program)
        (self._input,), (self._output,) = program.inputs, program.outputs
        self._arithmetic = arithmetic
        self._checked: set[tuple[int, ...]] = set()
        try:
            self._constants = _constants(program, arithmetic.dtype)
            self._steps = _steps(program)
        except (UnsupportedError, *_MISFITS) as error:
            reason = " ".join(str(error).split())[:200]
            raise ArtifactError(f"{program.path}: the interpreter cannot run {reason}") from error

    def run(self, picture: Floats) -> Floats:
        """Run the program: (1, H, W, 3) float32 in 0..255 -> its output, float32.

        A size is tried without memory first, so that none is taken for results beyond all bounds.

        Raises:
            RunError: it cannot be run on such an input.
        """
        try:
            with torch.inference_mode():
                if picture.shape not in self._checked:
                    with Bounded(_most_values(picture)) as bounded:
                        self._computed(torch.empty(picture.shape, device="meta"), bounded)
                    self._checked.add(picture.shape)
                with self._arithmetic.mode():
                    x = torch.from_numpy(picture).to(self._arithmetic.dtype)
                    output: Floats = np.ascontiguousarray(self._computed(x).float().numpy())
        except _MISFITS as error:
            reason = " ".join(str(error).split())[:200]
            raise RunError(f"the interpreter: {reason}") from error
        return output

    def _computed(self, picture: Tensor, bounded: Bounded | None = None) -> Tensor:
        values: dict[int, Tensor] = {self._input: picture}
        device = picture.device
        for step in self._steps:
            inputs = [self._value(values, number, device) for number in step.inputs]
            try:
                result = step.apply(*inputs)
                for function in step.after:
                    result = function(result)
            except _MISFITS as error:
                raise RuntimeError(f"{step.name}: {error}") from error
            values[step.result] = result
            for number in step.last:
                del values[number]
            if bounded:
                bounded.check(values.values())
        return values[self._output]

    def _value(self, values: dict[int, Tensor], number: int, device: torch.device) -> Tensor | None:
        if number in values:
            return values[number]
        constant = self._constants.get(number)
        return None if constant is None else constant.to(device)


def _most_values(picture: Floats) -> int:
    """Return a bound on the values that a program may hold at once, beside its constants."""
    return _LEAST_BOUND + _MOST_PER_PIXEL * picture.size


def _check_known(program: Program) -> None:
    """Refuse what is unknown before anything is computed, and all of it in one line."""
    foreign = sorted({operation.kind for operation in program.operations} - OPERATIONS.keys())
    if foreign:
        raise ArtifactError(
            f"{program.path}: the interpreter has no operation {', '.join(foreign)}"
        )
    if not len(program.inputs) == len(program.outputs) == 1:
        raise ArtifactError(f"{program.path}: not a style net with one input and one output")


def _constants(program: Program, dtype: torch.dtype) -> dict[int, Tensor]:
    """Return the real values of constants; plain integers are parameters, and left out."""
    return {
        number: torch.from_numpy(np.array(tensor.real, np.float64)).to(torch.float32).to(dtype)
        for number, tensor in enumerate(program.tensors)
        if tensor.data is not None and ("float" in tensor.kind or tensor.quantisation)
    }


def _steps(program: Program) -> list[_Step]:
    last = _last_uses(program)
    return [_step(program, operation, last[i]) for i, operation in enumerate(program.operations)]


def _step(program: Program, operation: Operation, last: tuple[int, ...]) -> _Step:
    constants = [
        None if number == ABSENT else program.tensors[number].data for number in operation.inputs
    ]
    site = Site(operation.options, constants)
    result = program.tensors[operation.outputs[0]]
    name = f"{operation.kind} {result.name}"
    try:
        if len(operation.outputs) != 1:
            raise UnsupportedError(f"{len(operation.outputs)} outputs")
        apply, activation = OPERATIONS[operation.kind](site), fused(site)
    except UnsupportedError as error:
        raise UnsupportedError(f"{name}: {error}") from error
    after = [function for function in (activation, _quantiser(result)) if function]
    return _Step(name, operation.outputs[0], operation.inputs, apply, tuple(after), last)


def _quantiser(tensor: TensorInfo) -> Callable[[Tensor], Tensor] | None:
    """Return the function that rounds real values to the tensor's levels, or None."""
    found = tensor.quantisation
    if found is None:
        return None
    if tensor.kind not in _LEVELS or found.scales.size != 1:
        raise UnsupportedError(f"{tensor.name}: a result in {tensor.kind}, or of several scales")
    low, high = _LEVELS[tensor.kind]
    scale, zero = float(found.scales[0]), int(found.zero_points[0])

    def quantised(x: Tensor) -> Tensor:
        levels = (x.float() / scale).round().add(zero).clamp(low, high)
        return ((levels - zero) * scale).to(x.dtype)

    return quantised


def _last_uses(program: Program) -> list[tuple[int, ...]]:
    """Return for each operation the tensors that it is the last to read, so they can be freed."""
    seen: set[int] = {program.outputs[0], ABSENT}
    seen |= {number for number, tensor in enumerate(program.tensors) if tensor.data is not None}
    last: list[tuple[int, ...]] = []
    for operation in reversed(program.operations):
        fresh: Sequence[int] = [number for number in operation.inputs if number not in seen]
        last.append(tuple(dict.fromkeys(fresh)))
        seen.update(fresh)
    return last[::-1]
