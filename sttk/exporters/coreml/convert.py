"""Conversion of a style net to an ML program, through ``torch.export``."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import numpy as np
import torch

from sttk.exporters.base import ExportRequest
from sttk.exporters.coreml.options import CoreMLOptions
from sttk.exporters.coreml.precisions import compute_precision
from sttk.exporters.coreml.quantisers import QUANTISE, register_quantisers
from sttk.exporters.coreml.sizes import core_ml_shape, torch_shape
from sttk.toolkit.core.errors import ExportError
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.io.streams import quiet_library

if TYPE_CHECKING:
    import coremltools as ct
else:
    ct = Lazy("coremltools", "coreml")


INPUT, OUTPUT = "image", "stylizedImage"


def converted(request: ExportRequest[CoreMLOptions]) -> ct.models.MLModel:
    """Return the request's net as a coremltools model, with its weights in a temporary folder.

    Raises:
        ExportError: torch or coremltools cannot convert it.
    """
    with quiet_library():
        try:
            model = _convert(_program(request), request)
        # torch.export and coremltools raise exceptions of many kinds.
        except Exception as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            # The frames keep temporary folders alive: release them here, where output is quiet.
            traceback.clear_frames(error.__traceback__)
            raise ExportError(f"the conversion to Core ML failed: {reason}") from error
    if request.precision == "int8" and QUANTISE not in operations(model):
        raise ExportError("int8 was asked for, and the net has no quantisers in it")
    return model


def _program(request: ExportRequest[CoreMLOptions]) -> torch.export.ExportedProgram:
    size, dynamic = torch_shape(request)
    example = torch.zeros(1, 3, *size)
    program = torch.export.export(request.net.eval(), (example,), dynamic_shapes=(dynamic,))
    # An empty table: the default one turns instance norms into squares that overflow float16, and
    # reflections into gathers.
    whole: torch.export.ExportedProgram = program.run_decompositions({})
    return whole


def _convert(
    program: torch.export.ExportedProgram, request: ExportRequest[CoreMLOptions]
) -> ct.models.MLModel:
    register_quantisers()
    shape = core_ml_shape(request.shapes)
    if request.options.tensor_io:
        source = ct.TensorType(INPUT, shape=shape, dtype=np.float32)
        result = ct.TensorType(OUTPUT, dtype=np.float32)
    else:
        # A scale or bias here would be a separate operation in float32.
        source = ct.ImageType(INPUT, shape=shape, color_layout=ct.colorlayout.RGB)
        result = ct.ImageType(OUTPUT, color_layout=ct.colorlayout.RGB)
    passes = ct.PassPipeline.DEFAULT
    # It makes a batch norm of a product and a sum by channel, with a variance of 1 and the default
    # epsilon: each value is 5e-6 of itself too small.
    passes.remove_passes({"common::fuse_elementwise_to_batchnorm"})
    return ct.convert(
        program,
        convert_to="mlprogram",
        inputs=[source],
        outputs=[result],
        minimum_deployment_target=getattr(ct.target, request.options.deployment_target),
        compute_precision=compute_precision(request.plan, program),
        skip_model_load=True,
        pass_pipeline=passes,
    )


def operations(model: ct.models.MLModel) -> set[str]:
    """Return the kinds of operations in a model."""
    (function,) = model.get_spec().mlProgram.functions.values()
    return {op.type for op in function.block_specializations[function.opset].operations}
