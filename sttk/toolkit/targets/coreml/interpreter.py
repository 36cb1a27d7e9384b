"""An interpreter that runs the program of a saved package, with its saved weights, in torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.precision.half_sums import HalfConvolutions
from sttk.toolkit.targets.coreml.operations import (
    COMPRESSED,
    OPERATIONS,
    Apply,
    UnsupportedError,
    half_variance_norm,
    round_to_half,
)
from sttk.toolkit.targets.coreml.package import Package, load_function

_CONSTANT = "const"
_HALF = "fp16"


@dataclass(frozen=True)
class _Step:
    """One operation, ready to run.

    Attributes:
        result: the name of the value that it computes.
        apply: the function that computes it from the inputs that are not constant.
        inputs: the names of these inputs' values, by parameter; several for a list.
        half: whether the result is rounded to float16.
        last: the values that no later step reads.
    """

    result: str
    apply: Apply
    inputs: Mapping[str, str | tuple[str, ...]]
    half: bool
    last: tuple[str, ...]

    def run(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return the operation's result, computed from the values so far."""
        inputs = {key: _picked(values, name) for key, name in self.inputs.items()}
        result = self.apply(**inputs)
        return round_to_half(result) if self.half else result


class Interpreter:
    """An interpreter of a package's program, in float32, with each float16 result rounded.

    Sums inside an operation are float32, as on devices that accumulate in more than 16 bits, unless
    ``half_sums`` says otherwise.

    Args:
        package: the package, as read from disk.
        half_variance: whether the variances of instance norms are computed in float16, as some
            devices do.
        rounded: whether float16 results are rounded; if not, only the weights are the package's.
        half_sums: whether every result and weight is rounded, of float32 packages as well, and
            convolutions add up in float16 (``precision/half_sums.py``).

    Raises:
        ArtifactError: an operation is not known here, or weights are incomplete.
    """

    def __init__(
        self,
        package: Package,
        *,
        half_variance: bool = False,
        rounded: bool = True,
        half_sums: bool = False,
    ) -> None:
        _check_known(package)
        function = load_function(package)
        self._table = dict(OPERATIONS)
        if half_variance:
            self._table["instance_norm"] = half_variance_norm
        self._input, self._output = package.input.name, function.outputs[0].name
        self._rounded, self._half_sums = rounded, half_sums
        self._half = {name for name, var in function.inputs.items() if self._is_rounded(var)}
        try:
            self._steps = self._prepared(function)
        except (UnsupportedError, KeyError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ArtifactError(f"{package.path}: the interpreter cannot run {reason}") from error

    def run(self, batch: Floats) -> Floats:
        """Run the program: (1, 3, H, W) float32 in 0..255 -> its output, float32.

        Raises:
            RuntimeError: torch cannot run it on such an input.
        """
        with torch.inference_mode(), self._convolutions():
            image = torch.from_numpy(batch)
            half = self._input in self._half
            values = {self._input: round_to_half(image) if half else image}
            for step in self._steps:
                values[step.result] = step.run(values)
                for name in step.last:
                    del values[name]
            output: Floats = values[self._output].numpy()
        return output

    def evaluate(self, given: Mapping[str, Floats], wanted: Collection[str]) -> dict[str, Floats]:
        """Compute values inside the program from others, in float32, with the needed steps only.

        Args:
            given: the known values by name: the program's input or intermediate ones.
            wanted: the names of the values to compute.

        Raises:
            RuntimeError: torch cannot run the program on such values.
            KeyError: a needed value is neither given nor computed.
        """
        needed = set(wanted)
        steps = []
        for step in reversed(self._steps):
            if step.result in needed and step.result not in given:
                steps.append(step)
                needed.update(name for group in step.inputs.values() for name in _names(group))
        with torch.inference_mode(), self._convolutions():
            half = self._half.union(step.result for step in self._steps if step.half)
            values = {name: torch.from_numpy(value) for name, value in given.items()}
            values |= {name: round_to_half(values[name]) for name in half.intersection(given)}
            for step in reversed(steps):
                values[step.result] = step.run(values)
            return {name: values[name].numpy() for name in wanted}

    def _prepared(self, function: Any) -> list[_Step]:
        operations = [op for op in function.operations if not is_constant(op)]
        inputs = [_variables(op) for op in operations]
        last = _last_uses(inputs, keep=self._output)
        return [
            _Step(name, self._apply(op), names, self._is_rounded(op.outputs[0]), last[i])
            for i, (op, names) in enumerate(zip(operations, inputs, strict=True))
            for name in [op.outputs[0].name]
        ]

    def _is_rounded(self, var: Any) -> bool:
        return self._half_sums or (self._rounded and is_half(var))

    def _convolutions(self) -> AbstractContextManager[Any]:
        return HalfConvolutions() if self._half_sums else nullcontext()

    def _apply(self, op: Any) -> Apply:
        constants = {
            name: value_of(var)
            for name, var in op.inputs.items()
            if not isinstance(var, (list, tuple)) and var is not None and is_constant(var.op)
        }
        if self._half_sums:
            constants = {name: _rounded(value) for name, value in constants.items()}
        try:
            return self._table[op.op_type](constants)
        except UnsupportedError as error:
            raise UnsupportedError(f"{op.op_type} {op.name}: {error}") from error
        except KeyError as error:
            raise UnsupportedError(f"{op.op_type} {op.name}: {error} is no constant") from error


def _check_known(package: Package) -> None:
    """Refuse unknown operations, before anything of the program is loaded, let alone run."""
    known = {_CONSTANT, *OPERATIONS, *COMPRESSED}
    foreign = sorted({op.type for op in package.operations} - known)
    if foreign:
        raise ArtifactError(
            f"{package.path}: the interpreter has no operation {', '.join(foreign)}",
            fix="run it on macOS",
        )


def is_constant(op: Any) -> bool:
    """Whether a coremltools operation is a weight or a parameter."""
    return op is not None and op.op_type in (_CONSTANT, *COMPRESSED)


def is_half(var: Any) -> bool:
    """Whether a coremltools value is float16."""
    return bool(var.is_tensor_or_scalar_of(dtype=_HALF))


def value_of(var: Any) -> Any:
    """Return a constant's value, decompressed."""
    return var.val if var.op.op_type == _CONSTANT else var.op.materialized_val_inference()


def _rounded(value: Any) -> Any:
    """Round an array of weights to float16; single numbers, such as an epsilon, stay."""
    if isinstance(value, np.ndarray) and value.ndim and value.dtype == np.float32:
        return value.astype(np.float16).astype(np.float32)
    return value


def _variables(op: Any) -> dict[str, str | tuple[str, ...]]:
    """Return the names of an operation's computed inputs, by parameter."""
    names: dict[str, str | tuple[str, ...]] = {}
    for key, var in op.inputs.items():
        if isinstance(var, (list, tuple)):
            names[key] = tuple(item.name for item in var)
        elif var is not None and not is_constant(var.op):
            names[key] = var.name
    return names


def _last_uses(inputs: list[dict[str, str | tuple[str, ...]]], keep: str) -> list[tuple[str, ...]]:
    """Return for each step the values that it is the last to read, so that they can be freed."""
    seen = {keep}
    last: list[tuple[str, ...]] = []
    for names in reversed(inputs):
        read = [name for group in names.values() for name in _names(group)]
        last.append(tuple(dict.fromkeys(name for name in read if name not in seen)))
        seen.update(read)
    return last[::-1]


def _names(group: str | tuple[str, ...]) -> tuple[str, ...]:
    return (group,) if isinstance(group, str) else group


def _picked(values: Mapping[str, Tensor], name: str | tuple[str, ...]) -> Any:
    return values[name] if isinstance(name, str) else [values[item] for item in name]
