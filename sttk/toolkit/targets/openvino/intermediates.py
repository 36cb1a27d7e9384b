"""OpenVINO intermediates: every inner tensor is a result of a copy, run on the CPU in float32."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sttk.toolkit.core.errors import ArtifactError, RunError
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.targets.intermediates import Intermediate, Values
from sttk.toolkit.targets.openvino.runner import sound_hints

if TYPE_CHECKING:
    import openvino
else:
    openvino = Lazy("openvino", "openvino")

_HINTS = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
_DEVICE = "CPU"
_MODEL = "part.xml"
_NOT_COMPUTED = ("Constant", "Parameter", "Result")

_SCRIPT = """
def run(folder, given):
    import openvino

    model = openvino.Core().compile_model(folder / "part.xml", "CPU", HINTS)
    return model({port.any_name: given[port.any_name] for port in model.inputs})[0]
"""


class InstrumentedOpenVino:
    """See :class:`InstrumentedModel`. Raises ArtifactError.

    A tensor's name is its operation's: an IR names only some of its tensors.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self._path, self.name = path, path.name
        network = self._read()
        self.script = _SCRIPT.replace("HINTS", repr(_hints(network)))
        self.output = network.outputs[0].get_node().input_value(0).get_node().get_friendly_name()
        self.input = network.inputs[0].get_node().get_friendly_name()
        operations = list(_operations(network))
        self.intermediates = tuple(
            Intermediate(_name(op), _name(op), op.get_type_name()) for op in operations
        )

    def _read(self) -> openvino.Model:
        try:
            return openvino.Core().read_model(self._path)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise ArtifactError(f"{self._path}: OpenVINO cannot load it: {reason}") from error

    def run(self, batch: Floats) -> Values:
        """See :class:`InstrumentedModel`."""
        network = self._read()
        operations = [op for op in _operations(network) if _is_picture(op)]
        names = [_name(op) for op in operations]
        results = [openvino.opset13.result(op.output(0)) for op in operations]
        instrumented = openvino.Model(results, network.get_parameters(), "instrumented")
        return dict(zip(names, _run(instrumented, [batch]), strict=True))

    def part(self, tensor: str, known: Collection[str]) -> OpenVinoPart:
        """See :class:`InstrumentedModel`."""
        network = self._read()
        by_name = {_name(op): op for op in network.get_ordered_ops()}
        inputs = _cut(by_name[tensor], {*known, self.input} - {tensor})
        return OpenVinoPart(by_name[tensor], [by_name[name] for name in inputs])


class OpenVinoPart:
    """See :class:`Subgraph`."""

    def __init__(self, operation: Any, cut: list[Any]) -> None:
        parameters = [_parameter(op) for op in cut]
        self.inputs = tuple(_name(op) for op in cut)
        result = openvino.opset13.result(operation.output(0))
        self._model = openvino.Model([result], parameters, "part")
        self._model.validate_nodes_and_infer_types()

    def run(self, given: Values) -> Floats:
        """See :class:`Subgraph`."""
        return _run(self._model, [given[name] for name in self.inputs])[0]

    def save(self, folder: Path) -> str:
        """See :class:`Subgraph`."""
        openvino.save_model(self._model, folder / _MODEL, compress_to_fp16=False)
        return _MODEL


def _operations(network: openvino.Model) -> Iterator[Any]:
    """Yield the operations that compute a float, in the order of execution."""
    for op in network.get_ordered_ops():
        if op.get_type_name() not in _NOT_COMPUTED and op.get_output_element_type(0).is_real():
            yield op


def _is_picture(operation: Any) -> bool:
    return bool(operation.output(0).get_partial_shape().rank == 4)


def _name(operation: Any) -> str:
    return str(operation.get_friendly_name())


def _cut(operation: Any, known: Collection[str]) -> list[str]:
    """Return the names of the nearest known operations that ``operation`` depends on."""
    seen, found, open_ = {_name(operation)}, [], [operation]
    while open_:
        for port in open_.pop().input_values():
            above = port.get_node()
            if _name(above) in seen:
                continue
            seen.add(_name(above))
            if _name(above) in known:
                found.append(_name(above))
            else:
                open_.append(above)
    return found


def _parameter(operation: Any) -> Any:
    """Replace an operation's result by a parameter, and return that."""
    if operation.get_type_name() == "Parameter":
        return operation
    port = operation.output(0)
    parameter = openvino.opset13.parameter(port.get_partial_shape(), port.get_element_type())
    parameter.set_friendly_name(_name(operation))
    parameter.output(0).set_names({_name(operation)})
    for target in port.get_target_inputs():
        target.replace_source_output(parameter.output(0))
    return parameter


def _hints(model: openvino.Model) -> dict[str, Any]:
    """Return the runner's own hints; without them, correct int8 would seem faulty."""
    return {**_HINTS, **sound_hints(model)}


def _run(model: openvino.Model, inputs: list[Floats]) -> list[Floats]:
    try:
        compiled = openvino.Core().compile_model(model, _DEVICE, _hints(model))
        request = compiled.create_infer_request()
        request.infer(dict(enumerate(inputs)))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(f"OpenVINO, with the inner tensors as results: {reason}") from error
    count = len(model.outputs)
    return [np.array(request.get_output_tensor(i).data, np.float32) for i in range(count)]
