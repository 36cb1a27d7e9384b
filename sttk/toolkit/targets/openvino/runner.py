"""OpenVINO on the CPU."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sttk.toolkit.core.errors import ArtifactError, NotRunError, RunError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.host import machine
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.io.streams import quiet_stderr
from sttk.toolkit.runtimes.base import Choices, Closing, Node, Settings

if TYPE_CHECKING:
    import openvino
else:
    openvino = Lazy("openvino", "openvino")

# Values of --inference-precision -> the names among the CPU plugin's capabilities.
_CAPABILITIES = {"f32": "FP32", "bf16": "BF16", "f16": "FP16"}
# OpenVINO would choose bf16 by itself on CPUs that are faster with it.
_DEFAULT = "f32"
_DEVICE = "CPU"
_OVERFLOW = "quantised as saved, computed in float32: OpenVINO's int8 sums overflow on this CPU"
# The limit of the graph, without the weights, which are in another file. Ours take 0.2 to 2 MB.
_MOST_BYTES = 1 << 26
_IR = re.compile(rb'\s*(<\?xml[^>]*>\s*)?<net\s[^>]*\bversion="1[01]"')


class OpenVinoRunner(Closing):
    """A runner of IRs with one float32 (B, 3, H, W) input and one such output.

    Raises:
        MissingExtraError: openvino is not installed.
        ArtifactError: OpenVINO cannot load the IR, or it is not a style net.
        NotRunError: this CPU does not support the requested precision.
    """

    name = "openvino"
    choices = Choices(("bf16", "f16"), threads=True)
    notes: tuple[str, ...] = ()

    def __init__(self, model: Path, settings: Settings | None = None) -> None:
        precision = (settings and settings.inference_precision) or _DEFAULT
        core = openvino.Core()
        _check_capable(core, precision)
        network = _read(core, model)
        self.takes = _takes(model, network)
        if precision != _DEFAULT:
            self.notes += (f"the arithmetic was done in {precision}",)
        hints: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
        }
        if kept_in_float := sound_hints(network):
            hints |= kept_in_float
            self.notes += (_OVERFLOW,)
        if settings and settings.threads:
            hints["INFERENCE_NUM_THREADS"] = settings.threads
        if settings and settings.profile:
            hints["PERF_COUNT"] = True
        try:
            self._request = core.compile_model(network, _DEVICE, hints).create_infer_request()
        except RuntimeError as error:
            raise _not_loaded(model, error) from error

    def run(self, batch: Floats) -> Floats:
        """See :class:`Runner`."""
        try:
            output = self._request.infer({0: batch})[0]
        except RuntimeError as error:
            raise RunError(f"OpenVINO: {_brief(error)}") from error
        return np.array(output, dtype=np.float32)  # a copy: the next run overwrites it

    def profile(self) -> list[Node]:
        """See :class:`Profiled`. The times are those of the last run."""
        return [
            Node(node.node_name, node.exec_type, node.real_time.total_seconds())
            for node in self._request.get_profiling_info()
            if node.real_time
        ]


def sound_hints(network: openvino.Model) -> dict[str, Any]:
    """Return the hints that keep int8 sums from overflowing on this CPU, or none if it is safe.

    An overflow would silently change pictures by grey levels.
    """
    quantised = any(op.get_type_name() == "FakeQuantize" for op in network.get_ops())
    overflows = quantised and machine.int8_sums_overflow()
    return {"LP_TRANSFORMS_MODE": False} if overflows else {}


def _check_capable(core: openvino.Core, precision: str) -> None:
    if _CAPABILITIES[precision] not in core.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES"):
        raise NotRunError(
            f"not run: this CPU has no {precision} arithmetic in OpenVINO",
            fix="pass --inference-precision f32",
        )


def _read(core: openvino.Core, model: Path) -> openvino.Model:
    """Read an IR, after a check: OpenVINO would try other frameworks' formats on any other file."""
    weights = model.with_suffix(".bin")
    # A symbolic link to itself makes OpenVINO end the process, and a pipe can block for ever.
    there = weights.is_symlink() or weights.exists()
    if not _is_xml(model) or (there and not weights.is_file()):
        raise _not_loaded(model, ValueError("not an IR with its weights beside it"))
    try:
        with quiet_stderr():
            return core.read_model(model)
    except RuntimeError as error:
        raise _not_loaded(model, error) from error


def _is_xml(model: Path) -> bool:
    if not model.is_file() or model.stat().st_size > _MOST_BYTES:
        return False
    with model.open("rb") as stream:
        return bool(_IR.match(stream.read(512)))


def _not_loaded(model: Path, error: Exception) -> ArtifactError:
    return ArtifactError(f"{model}: OpenVINO cannot load it: {_brief(error)}")


def _takes(model: Path, network: openvino.Model) -> Shapes:
    inputs, outputs = network.inputs, network.outputs
    shape: Any = inputs[0].partial_shape if len(inputs) == len(outputs) == 1 else []
    if inputs and shape == inputs[0].partial_shape and shape.rank.is_dynamic:
        shape = []
    axes = [None if axis.is_dynamic else axis.get_length() for axis in shape]
    if len(axes) != 4 or axes[1] != 3 or inputs[0].element_type.to_string() != "f32":
        raise ArtifactError(f"{model}: not a style net with one float (B, 3, H, W) input")
    batch, _, height, width = axes
    if (height is None) != (width is None):
        raise ArtifactError(f"{model}: one side of its input is fixed and the other free: {shape}")
    return Shapes(((height, width),) if height and width else (), batch=batch)


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def read_ir(model: Path) -> openvino.Model:
    """Read an IR, without compiling it.

    Raises:
        ArtifactError: OpenVINO cannot load it.
    """
    return _read(openvino.Core(), model)


def describe(model: Path) -> dict[str, Any]:
    """Return an IR's inputs, outputs, operations and precisions, for ``sttk inspect``."""
    try:
        return _facts(_read(openvino.Core(), model))
    # A name may not be valid Unicode, and some faults only surface when a value is queried.
    except (RuntimeError, ValueError) as error:
        raise _not_loaded(model, error) from error


def _facts(network: openvino.Model) -> dict[str, Any]:
    operations: dict[str, int] = {}
    weights: dict[str, int] = {}
    for operation in network.get_ordered_ops():
        kind = operation.get_type_name()
        operations[kind] = operations.get(kind, 0) + 1
        if kind == "Constant":
            values = operation.output(0)
            name = values.element_type.to_string()
            weights[name] = weights.get(name, 0) + int(np.prod(list(values.shape)))
    return {
        "format": "OpenVINO IR",
        "inputs": [_described(port) for port in network.inputs],
        "outputs": [_described(port) for port in network.outputs],
        "constants by type": weights,
        "operations": dict(sorted(operations.items())),
    }


def _described(port: Any) -> dict[str, Any]:
    return {
        "name": next(iter(sorted(port.names)), ""),
        "shape": str(port.partial_shape),
        "type": port.element_type.to_string(),
    }
