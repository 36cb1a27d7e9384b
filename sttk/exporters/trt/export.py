"""TensorRT: an engine, and next to it the ONNX graph that it was built from.

With TensorRT for RTX the engine is built ahead of time, without a GPU, for the requested compute
capabilities, or by default for those that the library considers portable, which are 8.0 and later
(7.5 is left out because it would slow the others, says NVIDIA, and because it turns int8 into fp32
for all of them). The same request gives the same bytes for a fixed size; for a range, the same
kernels, but TensorRT does not always number its temporaries alike. With the full TensorRT the
engine is for the GPU of this machine, and the choice of kernels depends on timing.

Precision is set by the graph alone: the network is strongly typed, and TF32, which TensorRT would
use for fp32 by default, is off.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.exporters.base import ExportRequest, Product
from sttk.exporters.onnx.export import MODEL as GRAPH
from sttk.exporters.onnx.export import graph, graph_options, tool_versions
from sttk.exporters.trt.options import TensorrtOptions
from sttk.exporters.trt.reflect import check_reflect_pads
from sttk.toolkit.core.errors import ExportError, UsageError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.targets.trt import TARGET
from sttk.toolkit.targets.trt.checks import compare_precisions, precisions
from sttk.toolkit.targets.trt.cuda import Device
from sttk.toolkit.targets.trt.engine import read_header
from sttk.toolkit.targets.trt.library import builder, builder_library, network, take_messages

if TYPE_CHECKING:
    import onnx
else:
    onnx = Lazy("onnx", "onnx")

MODEL = TARGET.model
# Below these, TensorRT for RTX refuses fp8, and silently runs int8 as fp32.
_LEAST = {"int8": (8, 0), "fp8": (8, 9)}


def export(request: ExportRequest[TensorrtOptions], folder: Path) -> Product:
    """See :class:`Exporter`."""
    tools = tool_versions()
    trt = builder_library()
    _check_batch(request.shapes)
    making = builder(trt)
    capabilities = _capabilities(trt, request)
    model = graph(request)
    _check_graph(model, request)
    onnx.save_model(model, folder / GRAPH)
    engine = _engine(trt, making, folder / GRAPH, request.shapes, capabilities)
    _check_engine(engine, model)
    (folder / MODEL).write_bytes(engine)
    options = {
        **graph_options(request),
        "compute_capabilities": list(capabilities),
        "tf32": False,
    }
    library = trt.__name__
    usage = {"library": library, "link": "nvinfer" if library == "tensorrt" else library}
    return Product(MODEL, {**tools, library: trt.__version__}, options, GRAPH, usage=usage)


def _check_batch(shapes: Shapes) -> None:
    if shapes.batch is None:
        raise UsageError("trt engines are for one batch size; any batch was asked for")


def _capabilities(trt: Any, request: ExportRequest[TensorrtOptions]) -> tuple[str, ...]:
    """Return the capabilities to build for, such as ``8.6``; none for the library's portable ones.

    Raises:
        UsageError: the library cannot build for it, or the precision cannot run on it.
    """
    asked, precision = request.options.compute_capabilities, request.precision
    if not hasattr(trt, "ComputeCapability"):
        return _here(trt, asked, precision)
    known = _known(trt)
    if unknown := [name for name in asked if name not in known]:
        raise UsageError(
            f"{trt.__name__} {trt.__version__} cannot build for compute capability "
            f"{', '.join(unknown)}; it can for {', '.join(known)}"
        )
    able = [name for name in known if _number(name) >= _LEAST.get(precision, (0, 0))]
    if precision == "fp8" and not asked:
        # A portable engine would claim 8.0 and later, but fp8 starts at 8.9.
        return tuple(able)
    if unable := [name for name in asked if name not in able]:
        raise UsageError(f"no {precision} for {', '.join(unable)}; there is for {', '.join(able)}")
    return tuple(name for name in known if name in asked)


def _here(trt: Any, asked: tuple[str, ...], precision: str) -> tuple[str, ...]:
    """Return the capability of this machine's GPU: the full library builds for no other."""
    here = Device().capability
    if asked and set(asked) != {here}:
        raise UsageError(
            f"{trt.__name__} builds for the GPU of this machine alone, which is {here}",
            fix="leave out --compute-capability, or pip install 'sttk[trt]'",
        )
    if precision == "fp8" and _number(here) < _LEAST["fp8"]:
        raise UsageError(f"no fp8 for {here}, the GPU of this machine; it starts at 8.9")
    return (here,)


def _known(trt: Any) -> dict[str, Any]:
    """Return the library's compute capabilities by sttk's names, in order: SM86 by ``8.6``."""
    members = trt.ComputeCapability.__members__.items()
    numbers = {name[2:]: member for name, member in members if name[2:].isdecimal()}
    return {f"{n[:-1]}.{n[-1]}": numbers[n] for n in sorted(numbers, key=int)}


def _number(name: str) -> tuple[int, int]:
    major, minor = name.split(".")
    return int(major), int(minor)


def _check_graph(model: onnx.ModelProto, request: ExportRequest[TensorrtOptions]) -> None:
    """Check that the graph has the requested precision, and reflect pads that the picture allows.

    The builder checks neither.
    """
    if request.precision not in precisions(model).values():
        raise ExportError(f"no convolution of the graph is in {request.precision}")
    if request.shapes.smallest:
        check_reflect_pads(model, request.shapes.smallest)


def _engine(
    trt: Any, making: Any, path: Path, shapes: Shapes, capabilities: tuple[str, ...]
) -> bytes:
    parsed, _parser = network(trt, making, path)
    config = making.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)
    # This lets TensorRT's tools show the precision of each layer.
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if hasattr(trt, "ComputeCapability"):
        _set_capabilities(config, [_known(trt)[name] for name in capabilities])
    if shapes.least:
        _set_profile(making, config, parsed.get_input(0).name, shapes)
    plan = making.build_serialized_network(parsed, config)
    if plan is None:
        raise ExportError(f"{trt.__name__} cannot build the engine: {take_messages(trt)}")
    return bytes(plan)


def _set_capabilities(config: Any, members: list[Any]) -> None:
    if not members:
        return
    config.num_compute_capabilities = len(members)
    for index, member in enumerate(members):
        if not config.set_compute_capability(member, index):
            raise ExportError(f"TensorRT refuses to build for {member}")


def _set_profile(making: Any, config: Any, name: str, shapes: Shapes) -> None:
    profile = making.create_optimization_profile()
    sizes = (shapes.least, shapes.default, shapes.most)
    profile.set_shape(name, *((shapes.batch, 3, *size) for size in sizes if size))
    if config.add_optimization_profile(profile) < 0:
        raise ExportError(f"TensorRT refuses the range {shapes}")


def _check_engine(engine: bytes, model: onnx.ModelProto) -> None:
    """Refuse a silent downgrade: TensorRT uses fp32 where it has no quantised kernel."""
    if not read_header(engine).known:
        return
    found = compare_precisions(engine, model)
    if not found.passed:
        raise ExportError(f"the engine is not in the graph's precisions: {found.detail}")
