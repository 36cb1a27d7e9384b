"""ExecuTorch: ``.pte`` programs for its XNNPACK backend, in one delegated part. A mixed plan has a
part for each run of blocks of one precision.

fp16 computes in float16 where the CPU can. int8 rounds the input, the weights and the output of
each convolution, which XNNPACK does in one kernel.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sttk.exporters.base import ExportRequest, Product
from sttk.exporters.options import Options
from sttk.exporters.plain_norms import PlainNorms
from sttk.toolkit.core.errors import ExportError, MissingExtraError
from sttk.toolkit.host.memory import check_fits
from sttk.toolkit.host.optional import Lazy, distribution
from sttk.toolkit.io.streams import quiet_library
from sttk.toolkit.precision import cast
from sttk.toolkit.quantize.affine import HIGHEST, LOWEST, Affine
from sttk.toolkit.quantize.fake import QuantConv, with_forms
from sttk.toolkit.targets.executorch import TARGET

if TYPE_CHECKING:
    from executorch import exir
    from executorch.backends.xnnpack.partition import xnnpack_partitioner as xnnpack
else:
    exir = Lazy("executorch.exir", "executorch")
    xnnpack = Lazy("executorch.backends.xnnpack.partition.xnnpack_partitioner", "executorch")

MODEL = TARGET.model


def export(request: ExportRequest[Options], folder: Path) -> Product:
    """See :class:`Exporter`."""
    (size,) = request.shapes.sizes
    check_fits(*size)
    tools = {
        "torch": str(torch.__version__),
        "executorch": distribution("executorch", "executorch"),
    }
    net = with_forms(cast.cast_net(request.net, request.plan), Int8Conv)
    example = torch.zeros(request.shapes.batch or 1, 3, *size)
    try:
        with quiet_library():
            # Registers the operations of Int8Conv.
            importlib.import_module("torch.ao.quantization.fx._decomposed")
            program = torch.export.export(PlainNorms(net).eval(), (example,))
            edge = exir.to_edge_transform_and_lower(
                program, partitioner=[xnnpack.XnnpackPartitioner()]
            )
            parts = _delegated(edge.exported_program())
            (folder / MODEL).write_bytes(edge.to_executorch().buffer)
    except MissingExtraError:
        raise
    # torch.export and the backend raise exceptions of many kinds.
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise ExportError(f"ExecuTorch: {type(error).__name__}: {reason}") from error
    return Product(MODEL, tools, {"delegated parts": parts})


def _delegated(program: torch.export.ExportedProgram) -> int:
    """Count the parts that XNNPACK runs; the rest runs in slow kernels of one thread."""
    return sum("call_delegate" in str(node.target) for node in program.graph.nodes)


class Int8Conv(nn.Module):
    """A :class:`QuantConv` in the operations that XNNPACK takes for one int8 convolution.

    Args:
        quantised: the convolution, with the rounding of its output.
    """

    weight: Tensor
    scales: Tensor
    zeros: Tensor

    def __init__(self, quantised: QuantConv) -> None:
        super().__init__()
        conv, scales = quantised.conv, quantised.scales
        self.source = Affine(quantised.scale, quantised.zero_point)
        self.result = quantised.output
        whole = (quantised.rounded_weight() / scales.view(-1, 1, 1, 1)).round().to(torch.int8)
        self.register_buffer("weight", whole)
        self.register_buffer("scales", scales)
        self.register_buffer("zeros", torch.zeros_like(scales, dtype=torch.int64))
        self.bias = conv.bias
        self.stride, self.padding = conv.stride, conv.padding
        self.dilation, self.groups = conv.dilation, conv.groups

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        weight = torch.ops.quantized_decomposed.dequantize_per_channel(
            self.weight, self.scales, self.zeros, 0, LOWEST, HIGHEST, torch.int8
        )
        y = F.conv2d(
            _rounded(x, self.source), weight, self.bias,
            self.stride, self.padding, self.dilation, self.groups,
        )  # fmt: skip
        return y if self.result is None else _rounded(y, self.result)


def _rounded(x: Tensor, by: Affine) -> Tensor:
    range_ = by.scale, by.zero_point, LOWEST, HIGHEST, torch.int8
    whole = torch.ops.quantized_decomposed.quantize_per_tensor(x, *range_)
    y: Tensor = torch.ops.quantized_decomposed.dequantize_per_tensor(whole, *range_)
    return y
