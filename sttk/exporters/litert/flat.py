"""A builder of TFLite models: tensors, operators, and the flatbuffer that they become.

The schema is LiteRT's own generated code, from its package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sttk.toolkit.host.optional import Lazy

if TYPE_CHECKING:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema
else:
    flatbuffers = Lazy("flatbuffers", "litert")
    schema = Lazy("ai_edge_litert.schema_py_generated", "litert")

Array = npt.NDArray[Any]
_VERSION = 3  # of the schema
_TYPES = {"float32": "FLOAT32", "float16": "FLOAT16", "int8": "INT8", "int32": "INT32"}
# The versions of operators above 1, by the type of their first input.
_OPERATOR_VERSIONS = {
    ("CONV_2D", "int8"): 3,
    ("DEPTHWISE_CONV_2D", "int8"): 3,
    ("DEQUANTIZE", "int8"): 2,
    ("DEQUANTIZE", "float16"): 3,
}


class Flat:
    """A builder of a model with one graph and one signature.

    Tensors are numbered in the order in which they are added.

    Args:
        description: a description of the model, one line in its file.
    """

    def __init__(self, description: str) -> None:
        self._model = schema.ModelT()
        self._model.version, self._model.description = _VERSION, description
        self._model.buffers = [schema.BufferT()]  # number 0 stands for no buffer
        self._graph = schema.SubGraphT()
        self._graph.name, self._graph.tensors, self._graph.operators = "main", [], []
        self._model.subgraphs, self._model.operatorCodes = [self._graph], []
        self._codes: dict[tuple[str, int], int] = {}
        self._types: list[str] = []

    def tensor(self, name: str, kind: str = "float32", scale: Scale | None = None) -> int:
        """Add a computed tensor or the input and return its number; its shape is set afterwards."""
        made = schema.TensorT()
        made.name, made.type, made.shape = name, _type(kind), [1, 1, 1, 1]
        made.quantization = scale and scale.table()
        self._graph.tensors.append(made)
        self._types.append(kind)
        return len(self._graph.tensors) - 1

    def constant(self, name: str, values: Array, scale: Scale | None = None) -> int:
        """Add a tensor whose values are in the file, and return its number."""
        values = np.ascontiguousarray(values)
        index = self.tensor(name, str(values.dtype), scale)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        made = self._graph.tensors[index]
        made.buffer, made.shape = len(self._model.buffers) - 1, list(values.shape)
        return index

    def operator(
        self, kind: str, inputs: list[int], output: int, options: str = "", **fields: Any
    ) -> int:
        """Append an operator, in the order of execution, and return ``output``.

        Args:
            kind: the operator's name in the schema, such as ``CONV_2D``.
            inputs: the numbers of its input tensors.
            output: the number of its output tensor.
            options: the name of the schema's table of options, such as ``Conv2DOptions``, or "".
            **fields: the fields of that table.
        """
        made = schema.OperatorT()
        made.opcodeIndex = self._code(kind, self._types[inputs[0]])
        made.inputs, made.outputs = inputs, [output]
        if options:
            made.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            made.builtinOptions = getattr(schema, f"{options}T")()
            for name, value in fields.items():
                setattr(made.builtinOptions, name, value)
        self._graph.operators.append(made)
        return output

    def fuse(self, activation: str, output: int) -> bool:
        """Fuse an activation into the last operator, and return whether that was possible.

        The operator must compute ``output``, support activations, and have none yet.
        """
        last = self._graph.operators[-1] if self._graph.operators else None
        options = last and last.builtinOptions
        if last is None or options is None or last.outputs != [output]:
            return False
        if getattr(options, "fusedActivationFunction", None) != 0:
            return False
        options.fusedActivationFunction = getattr(schema.ActivationFunctionType, activation)
        return True

    def _code(self, kind: str, of: str) -> int:
        key = kind, _OPERATOR_VERSIONS.get((kind, of), 1)
        if key not in self._codes:
            code = schema.OperatorCodeT()
            code.builtinCode, code.version = getattr(schema.BuiltinOperator, kind), key[1]
            code.deprecatedBuiltinCode = min(code.builtinCode, 127)
            self._codes[key] = len(self._model.operatorCodes)
            self._model.operatorCodes.append(code)
        return self._codes[key]

    def between(self, inputs: dict[str, int], outputs: dict[str, int]) -> None:
        """Set the model's inputs and outputs, by name."""
        self._graph.inputs, self._graph.outputs = list(inputs.values()), list(outputs.values())
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = "serving_default", 0
        signature.inputs, signature.outputs = _maps(inputs), _maps(outputs)
        self._model.signatureDefs = [signature]

    def shape(self, index: int, sides: list[int], free: list[int] | None = None) -> None:
        """Set a tensor's shape; ``free`` is the same with -1 for each free axis."""
        self._graph.tensors[index].shape = sides
        self._graph.tensors[index].shapeSignature = free

    def computed(self) -> list[int]:
        """Return the numbers of the tensors whose values are not in the file."""
        return [index for index, made in enumerate(self._graph.tensors) if not made.buffer]

    def to_bytes(self) -> bytes:
        """Return the file's content."""
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


class Scale:
    """The quantisation of an int8 tensor: one scale and zero point, or one per channel.

    Args:
        scales: positive scales.
        zero_points: the zero points, as many.
        axis: the axis of the channels, if there is more than one scale.
    """

    def __init__(self, scales: Array, zero_points: Array, axis: int = 0) -> None:
        self.scales, self.zero_points, self.axis = scales, zero_points, axis

    def table(self) -> Any:
        """Return the schema's table of these parameters."""
        made = schema.QuantizationParametersT()
        made.scale = self.scales.astype(np.float32).reshape(-1)
        made.zeroPoint = self.zero_points.astype(np.int64).reshape(-1)
        made.quantizedDimension = self.axis
        return made


def _type(kind: str) -> int:
    number: int = getattr(schema.TensorType, _TYPES[kind])
    return number


def _maps(tensors: dict[str, int]) -> list[Any]:
    maps = []
    for name, index in tensors.items():
        made = schema.TensorMapT()
        made.name, made.tensorIndex = name, index
        maps.append(made)
    return maps
