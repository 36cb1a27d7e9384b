"""LiteRT intermediates: every inner picture is an output of a copy, which XNNPACK runs, too."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sttk.toolkit.core.errors import RunError
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.io.streams import quiet_stderr
from sttk.toolkit.targets.intermediates import Intermediate, Values
from sttk.toolkit.targets.litert.graph import Graph, inputs_of
from sttk.toolkit.targets.litert.runner import content_of, opened

_MODEL = "part.tflite"
_LAST, _FIRST = (0, 2, 3, 1), (0, 3, 1, 2)  # axes of pictures with channels last, and first

_SCRIPT = """
def run(folder, given):
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(str(folder / "part.tflite"))
    values = [value.transpose(0, 2, 3, 1) for value in given.values()]  # channels last
    indices = [item["index"] for item in model.get_input_details()]
    for index, value in zip(indices, values):
        model.resize_tensor_input(index, value.shape)
    model.allocate_tensors()
    for index, value in zip(indices, values):
        model.set_tensor(index, value)
    model.invoke()
    return model.get_tensor(model.get_output_details()[0]["index"]).transpose(0, 3, 1, 2)
"""


class InstrumentedLiteRt:
    """See :class:`InstrumentedModel`. Raises ArtifactError.

    Operators have no names: each has that of its output. Tensors that are like no block of the
    reference are no intermediates: those within a norm, which is several operators, and an int8
    result in float32 that is rounded again.
    """

    script = _SCRIPT
    notes: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self._path, self.name = path, path.name
        content = content_of(path)
        opened(path, content, 1)  # what LiteRT itself does not take is not read here
        self._graph = Graph(path, content)
        self.input, self.output = (
            self._graph.names[each] for each in (self._graph.input, self._graph.output)
        )
        self.intermediates = tuple(self._intermediates())

    def _intermediates(self) -> Iterator[Intermediate]:
        graph = self._graph
        for operator in graph.operators:
            weights = tuple(graph.names[each] for each in self._weights(operator))
            for output in map(int, operator.outputs):
                if self._is_picture(output) and not self._is_step(operator):
                    name = graph.names[output]
                    yield Intermediate(name, name, graph.kind(operator), weights)

    def _is_picture(self, tensor: int) -> bool:
        graph = self._graph
        whole = graph.is_float(tensor) and len(graph.shape(tensor)) == 4
        return whole and graph.is_computed(tensor)

    def _is_step(self, operator: Any) -> bool:
        """Return whether it is a step of an operation that is several operators.

        In a norm it is a deviation, its square, or its product with a factor for each channel,
        which is computed, other than a scale in the net.
        """
        graph, kind = self._graph, self._graph.kind(operator)
        if kind == "DEQUANTIZE":
            readers = [graph.kind(each) for each in graph.readers(int(operator.outputs[0]))]
            return bool(readers) and set(readers) == {"QUANTIZE"}
        computed = filter(graph.is_computed, inputs_of(operator))
        small = any(graph.shape(each)[:3] == [1, 1, 1] for each in computed)
        return kind == "SQUARED_DIFFERENCE" or (kind in ("MUL", "SUB") and small)

    def _weights(self, operator: Any) -> Iterable[int]:
        """Yield the stored tensors that an operator reads, directly or widened."""
        for tensor in inputs_of(operator):
            if not self._graph.is_computed(tensor):
                yield tensor

    def run(self, batch: Floats) -> Values:
        """See :class:`InstrumentedModel`."""
        numbers = [self._graph.numbers[each.tensor] for each in self.intermediates]
        content = self._graph.cut(numbers, [self._graph.input])
        found = [_run(self._path, content, [picture[None]]) for picture in batch]
        values = (np.concatenate(pictures) for pictures in zip(*found, strict=True))
        return dict(zip((self._graph.names[each] for each in numbers), values, strict=True))

    def part(self, tensor: str, known: Collection[str]) -> LiteRtPart:
        """See :class:`InstrumentedModel`."""
        numbers = {self._graph.numbers[name] for name in {*known, self.input} - {tensor}}
        return LiteRtPart(self._path, self._graph, self._graph.numbers[tensor], numbers)


class LiteRtPart:
    """See :class:`Subgraph`."""

    def __init__(self, path: Path, graph: Graph, tensor: int, known: Collection[int]) -> None:
        _, inputs = graph.needed([tensor], known)
        self.inputs = tuple(graph.names[each] for each in inputs)
        self._path, self._content = path, graph.cut([tensor], inputs)

    def run(self, given: Values) -> Floats:
        """See :class:`Subgraph`."""
        batches = [given[name] for name in self.inputs]
        return np.concatenate(
            [
                _run(self._path, self._content, [each[None] for each in pictures])[0]
                for pictures in zip(*batches, strict=True)
            ]
        )

    def save(self, folder: Path) -> str:
        """See :class:`Subgraph`."""
        (folder / _MODEL).write_bytes(self._content)
        return _MODEL


def _run(path: Path, content: bytes, pictures: list[Floats]) -> list[Floats]:
    """Return the outputs of a model on its inputs, both (1, C, H, W)."""
    model = opened(path, content, os.cpu_count() or 1)
    try:
        given = [np.ascontiguousarray(each.transpose(_LAST)) for each in pictures]
        indices = [each["index"] for each in model.get_input_details()]
        with quiet_stderr():  # LiteRT prints that it uses XNNPACK
            for index, value in zip(indices, given, strict=True):
                model.resize_tensor_input(index, value.shape)
            model.allocate_tensors()
        for index, value in zip(indices, given, strict=True):
            model.set_tensor(index, value)
        model.invoke()
        outputs = [model.get_tensor(each["index"]) for each in model.get_output_details()]
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(f"LiteRT, with the inner tensors as outputs: {reason}") from error
    return [np.ascontiguousarray(each.transpose(_FIRST)) for each in outputs]
