"""Core ML: an ``.mlpackage`` for iOS and macOS, made on any system.

Input and output are RGB images, or float32 arrays in 0..255; scaling and clamping are in the
program. Their names are those of Turi Create and Create ML, so apps that use those tools' style
models can use these.
"""

from __future__ import annotations

from pathlib import Path

from sttk.exporters.base import ExportRequest, Product
from sttk.exporters.coreml.compress import SCHEMES, compressed
from sttk.exporters.coreml.convert import converted
from sttk.exporters.coreml.metadata import describe
from sttk.exporters.coreml.options import SYSTEMS, CoreMLOptions
from sttk.exporters.coreml.save import save
from sttk.exporters.coreml.sizes import mend_output
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.host.optional import versions
from sttk.toolkit.io.streams import quiet_library
from sttk.toolkit.targets.coreml import TARGET

MODEL = TARGET.model
# quantize and dequantize are operations of iOS 17.
_LEAST_FOR_INT8 = "iOS17"
# Core ML's own limit, according to ct.EnumeratedShapes.
_MOST_SIZES = 128


def export(request: ExportRequest[CoreMLOptions], folder: Path) -> Product:
    """See :class:`Exporter`."""
    _check(request)
    options = request.options
    with quiet_library():
        tools = versions("coreml", "torch", "coremltools")
        if options.compress in SCHEMES and SCHEMES[options.compress].clusters:
            tools |= {"scikit-learn": versions("coreml", "sklearn")["sklearn"]}
    model = converted(request)
    if options.compress:
        model = compressed(model, options.compress)
    spec = model.get_spec()
    mend_output(spec, request)
    describe(spec, request)
    save(spec, model.weights_dir, folder / MODEL)
    made = {
        "deployment_target": options.deployment_target,
        "compress": options.compress,
        "tensor_io": options.tensor_io,
    }
    return Product(
        MODEL, tools, made, image=not options.tensor_io, compressed=options.compress or ""
    )


def _check(request: ExportRequest[CoreMLOptions]) -> None:
    """Refuse a request that the deployment target does not support, before anything is made."""
    options = request.options
    if options.deployment_target not in SYSTEMS:
        known = ", ".join(SYSTEMS)
        raise UsageError(f"no deployment target {options.deployment_target}; known: {known}")
    if len(request.shapes.sizes) > _MOST_SIZES:
        raise UsageError(f"{len(request.shapes.sizes)} sizes; Core ML takes {_MOST_SIZES}")
    if request.precision == "int8":
        _need(request, _LEAST_FOR_INT8, "int8 arithmetic")
    if options.compress is None:
        return
    if request.plan.blocks:
        raise UsageError("weights of a mixed plan are not compressed", fix="leave out --compress")
    if options.compress not in SCHEMES:
        raise UsageError(f"no compression {options.compress}; known: {', '.join(SCHEMES)}")
    if request.precision != "fp16":
        raise UsageError(
            f"weights of {request.precision} are not compressed", fix="pass --precision fp16"
        )
    _need(request, SCHEMES[options.compress].least, f"compression {options.compress}")


def _need(request: ExportRequest[CoreMLOptions], least: str, what: str) -> None:
    target = request.options.deployment_target
    if SYSTEMS.index(target) < SYSTEMS.index(least):
        raise UsageError(f"{what} needs {least}", fix=f"pass --deployment-target {least}")
