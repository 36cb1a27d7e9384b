"""The graph of a LiteRT model, from which other models can be cut."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.host.optional import Lazy

if TYPE_CHECKING:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema
else:
    flatbuffers = Lazy("flatbuffers", "litert")
    schema = Lazy("ai_edge_litert.schema_py_generated", "litert")


class Graph:
    """The first graph of a model. A tensor is a number here; ``names`` are unique.

    Args:
        path: the file's path, for messages.
        content: its bytes.

    Raises:
        ArtifactError: the bytes are not LiteRT's schema.
    """

    def __init__(self, path: Path, content: bytes) -> None:
        self._content = content
        try:
            self._model = _parsed(content)
            self._graph = self._model.subgraphs[0]
            self.names = _unique(_text(tensor.name) for tensor in self._graph.tensors)
            self._kinds: list[str] = list(_kinds(self._model))
        # The generated code reads offsets without a check, and raises whatever comes of it.
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise ArtifactError(f"{path}: not a LiteRT graph that can be read: {reason}") from error
        self.numbers = {name: number for number, name in enumerate(self.names)}
        self.input, self.output = int(self._graph.inputs[0]), int(self._graph.outputs[0])
        self._computed = {self.input}
        for operator in self.operators:
            if not self._computed.isdisjoint(inputs_of(operator)):
                self._computed.update(map(int, operator.outputs))

    @property
    def operators(self) -> list[Any]:
        """The operators, in the order of execution."""
        operators: list[Any] = self._graph.operators
        return operators

    def kind(self, operator: Any) -> str:
        """Return an operator's kind by its name in the schema, such as ``CONV_2D``."""
        return self._kinds[int(operator.opcodeIndex)]

    def readers(self, tensor: int) -> list[Any]:
        """Return the operators that read a tensor."""
        return [each for each in self.operators if tensor in inputs_of(each)]

    def is_computed(self, tensor: int) -> bool:
        """Return whether a tensor depends on the input: others are stored, or widened weights."""
        return tensor in self._computed

    def is_float(self, tensor: int) -> bool:
        """Return whether a tensor's values are float32."""
        return bool(self._graph.tensors[tensor].type == schema.TensorType.FLOAT32)

    def shape(self, tensor: int) -> list[int]:
        """Return a tensor's shape as the file says it, channels last."""
        return [int(side) for side in self._graph.tensors[tensor].shape]

    def cut(self, tensors: Collection[int], inputs: Collection[int]) -> bytes:
        """Return a model that computes tensors from ``inputs``, without what it does not need."""
        model = _parsed(self._content)
        graph = model.subgraphs[0]
        needed, _ = self.needed(tensors, inputs)
        operators = [each for each in graph.operators if needed & {*map(int, each.outputs)}]
        read = {tensor for each in operators for tensor in inputs_of(each)}
        for number, tensor in enumerate(graph.tensors):
            tensor.buffer = tensor.buffer if number in read else 0
        kept = {tensor.buffer for tensor in graph.tensors}
        for number, buffer in enumerate(model.buffers):
            buffer.data = buffer.data if number in kept else None
        graph.operators, graph.inputs, graph.outputs = operators, [*inputs], [*tensors]
        model.subgraphs, model.signatureDefs, model.metadata = [graph], None, None
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def needed(
        self, tensors: Collection[int], known: Collection[int]
    ) -> tuple[set[int], list[int]]:
        """Return the tensors to compute for ``tensors``, and the known ones that they need."""
        needed, found = set(tensors), []
        for operator in reversed(self._graph.operators):
            if needed.isdisjoint(map(int, operator.outputs)):
                continue
            for tensor in inputs_of(operator):
                if tensor not in known:
                    needed.add(tensor)
                elif tensor not in found:
                    found.append(tensor)
        return needed, found


def inputs_of(operator: Any) -> list[int]:
    """Return the tensors that an operator reads; a missing optional one has no number."""
    return [int(tensor) for tensor in operator.inputs if tensor >= 0]


def _parsed(content: bytes) -> Any:
    return schema.ModelT.InitFromPackedBuf(content, 0)


def _kinds(model: Any) -> Iterator[str]:
    """Yield the name of each operator code; codes above 127 are in a newer field."""
    names = {number: str(name) for name, number in vars(schema.BuiltinOperator).items()}
    for code in model.operatorCodes:
        yield names[max(code.builtinCode, code.deprecatedBuiltinCode)]


def _text(name: Any) -> str:
    return (name or b"").decode("utf-8", "replace")


def _unique(names: Iterator[str]) -> list[str]:
    """Return the names, with its number after one that is empty or was there before."""
    found: dict[str, None] = {}
    for number, name in enumerate(names):
        found[name if name and name not in found else f"{name}#{number}"] = None
    return list(found)
