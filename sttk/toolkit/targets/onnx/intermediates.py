"""ONNX intermediates: every float tensor becomes an output of a copy, run in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sttk.toolkit.core.errors import ArtifactError, RunError
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.targets.intermediates import Intermediate, Subgraph, Values

if TYPE_CHECKING:
    import onnx
    import onnxruntime
else:
    onnx = Lazy("onnx", "onnx")
    onnxruntime = Lazy("onnxruntime", "onnx")

Run = Callable[["onnx.ModelProto", dict[str, Any]], list[Any]]

_ERRORS_ONLY = 3
_MODEL = "part.onnx"

_SCRIPT = """
def run(folder, given):
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "part.onnx", providers=["CPUExecutionProvider"])
    types = {"tensor(float16)": "float16", "tensor(float)": "float32"}
    given = {item.name: given[item.name].astype(types[item.type]) for item in session.get_inputs()}
    return session.run(None, given)[0]
"""


class InstrumentedOnnx:
    """See :class:`InstrumentedModel`. Raises ArtifactError.

    Args:
        path: the file.
        run: what runs a model on its inputs by name and returns its outputs: by default ONNX
            Runtime. It raises RunError.
    """

    script = _SCRIPT
    notes: tuple[str, ...] = ()

    def __init__(self, path: Path, run: Run | None = None) -> None:
        self.name, self._run = path.name, run or _run
        try:
            self._model = onnx.load_model(str(path))
        except Exception as error:  # an error of protobuf's, or a missing file of weights
            raise ArtifactError(f"{path}: not an ONNX model that can be read: {error}") from error
        graph = self._model.graph
        self._producers = {out: node for node in graph.node for out in node.output if out}
        self._stored = {item.name: item for item in graph.initializer}
        self.input = next(i.name for i in graph.input if i.name not in self._stored)
        self.output = graph.output[0].name
        self.intermediates = tuple(self._intermediates())
        self._types: dict[str, str] = {}

    def _intermediates(self) -> Iterable[Intermediate]:
        for node in self._model.graph.node:
            if node.op_type != "Constant":
                for out in filter(None, node.output):
                    yield Intermediate(
                        out, node.name or out, node.op_type, tuple(self._weights(node))
                    )

    def _weights(self, node: onnx.NodeProto) -> Iterable[str]:
        """Yield the names of the stored tensors that a node reads, directly or dequantised."""
        for name in node.input:
            if name in self._stored:
                yield name
            elif name in self._producers and self._producers[name].op_type == "DequantizeLinear":
                yield from (other for other in self._producers[name].input if other in self._stored)

    def run(self, batch: Floats) -> Values:
        """See :class:`InstrumentedModel`."""
        instrumented = onnx.ModelProto()
        instrumented.CopyFrom(self._model)
        floats = self._floats()
        names = [
            intermediate.tensor
            for intermediate in self.intermediates
            if intermediate.tensor in floats
        ]
        del instrumented.graph.output[:]
        instrumented.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
        found = dict(zip(names, self._run(instrumented, {self.input: batch}), strict=True))
        self._types = {name: str(value.dtype) for name, value in found.items()}
        self._types[self.input] = str(batch.dtype)
        return {
            name: value.astype(np.float32)
            for name, value in found.items()
            if value.ndim == 4 and value.dtype.kind == "f"
        }

    def _floats(self) -> set[str]:
        """Return the tensors that shape inference finds to be (B, C, H, W) floats, or omits."""
        inferred = onnx.shape_inference.infer_shapes(self._model).graph
        known = {item.name: item.type.tensor_type for item in inferred.value_info}
        known |= {item.name: item.type.tensor_type for item in inferred.output}
        return {
            intermediate.tensor
            for intermediate in self.intermediates
            if intermediate.tensor not in known or _is_picture(known[intermediate.tensor])
        }

    def part(self, tensor: str, known: Collection[str]) -> Subgraph:
        """See :class:`InstrumentedModel`."""
        model, inputs = self._cut(tensor, {*known, self.input} - {tensor})
        return OnnxPart(model, {name: self._types[name] for name in inputs}, self._run)

    def _cut(self, tensor: str, known: Collection[str]) -> tuple[onnx.ModelProto, list[str]]:
        """Return a model of the nodes that ``tensor`` depends on, and the names of its inputs."""
        needed, inputs, open_ = {tensor}, [], [tensor]
        while open_:
            name = open_.pop()
            if name in known:
                inputs.append(name)
                continue
            node = self._producers.get(name)
            new = set(filter(None, node.input if node else ())) - needed
            needed |= new
            open_ += sorted(new)
        cut = onnx.ModelProto()
        cut.CopyFrom(self._model)
        graph = cut.graph
        made = needed - set(inputs)
        _keep(graph.node, [made.intersection(node.output) for node in graph.node])
        _keep(graph.initializer, [item.name in needed for item in graph.initializer])
        del graph.input[:], graph.output[:], graph.value_info[:]
        element = onnx.helper.np_dtype_to_tensor_dtype
        for name in inputs:
            kind = element(np.dtype(self._types[name]))
            axes = [f"{name}.{axis}" for axis in range(4)]
            graph.input.append(onnx.helper.make_tensor_value_info(name, kind, axes))
        graph.output.append(onnx.ValueInfoProto(name=tensor))
        return onnx.shape_inference.infer_shapes(cut), inputs


class OnnxPart:
    """See :class:`Subgraph`."""

    def __init__(self, model: onnx.ModelProto, types: dict[str, str], run: Run) -> None:
        self.inputs = tuple(types)
        self._model, self._types, self._run = model, types, run

    def run(self, given: Values) -> Floats:
        """See :class:`Subgraph`."""
        feeds = {name: given[name].astype(kind) for name, kind in self._types.items()}
        (result,) = self._run(self._model, feeds)
        return np.asarray(result, dtype=np.float32)

    def save(self, folder: Path) -> str:
        """See :class:`Subgraph`."""
        onnx.save_model(self._model, str(folder / _MODEL))
        return _MODEL


def _run(model: onnx.ModelProto, feeds: dict[str, Any]) -> list[Any]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return list(session.run(None, feeds))
    # onnxruntime's exceptions share no base class below Exception.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(f"ONNX Runtime, with the inner tensors as outputs: {reason}") from error


def _is_picture(tensor: Any) -> bool:
    floats = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16
    return tensor.elem_type in floats and len(tensor.shape.dim) == 4


def _keep(items: Any, kept: list[Any]) -> None:
    """Remove the items of a protobuf list whose entry in ``kept`` is false."""
    for index in reversed([i for i, keep in enumerate(kept) if not keep]):
        del items[index]
