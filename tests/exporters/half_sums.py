"""A net as ExecuTorch computes it on a CPU with float16 arithmetic, on any CPU.

It is too strict for whole nets: XNNPACK's ARM64 kernels compute a convolution that follows an
instance norm in float32 (docs/targets/executorch.md, fp16).
"""

from __future__ import annotations

from sttk.exporters import exporter
from sttk.exporters.base import ExportRequest
from sttk.exporters.plain_norms import PlainNorms
from sttk.exporters.prepare import carriers, prepare
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.precision.cast import cast_net
from sttk.toolkit.precision.half_sums import run_with_half_sums
from sttk.toolkit.runtimes.base import Closing


class HalfSumsRunner(Closing):
    """See the module.

    Args:
        net: the style net, as it was loaded.
        plan: which block is in which precision.
        size: of the pictures.
    """

    name = "float16 sums, emulated"
    notes = ()

    def __init__(self, net, plan, size):
        self.takes = Shapes.fixed(*size)
        able = exporter("executorch")
        request = ExportRequest(net, plan, self.takes)
        ready = prepare(request, able).request
        self._net = PlainNorms(cast_net(ready.net, plan, carriers(able))).eval()

    def run(self, batch):
        return run_with_half_sums(self._net, batch)
