"""ncnn: ``model.param`` and ``model.bin``, through pnnx, the converter of ncnn's own author.

The net is traced, pnnx turns the trace into ncnn's layers (instance norm, reflection pad and
nearest upsampling are layers of its own), and the weights are then stored as the request says
(:mod:`sttk.exporters.ncnn.weights`): pnnx itself stores either all of them in float16, or none.

fp16 only concerns the weights: the device chooses the arithmetic, unless the app does
(``opt.use_fp16_*``), and layers that float16 would harm say so themselves
(:mod:`sttk.exporters.ncnn.half`).
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from sttk.exporters.base import ExportRequest, Product
from sttk.exporters.ncnn import half
from sttk.exporters.ncnn.shifted import ShiftedConv
from sttk.exporters.ncnn.weights import store
from sttk.exporters.options import Options
from sttk.toolkit.core.errors import ExportError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.host.memory import check_fits
from sttk.toolkit.host.optional import Lazy, distribution
from sttk.toolkit.precision import cast
from sttk.toolkit.quantize.fake import with_forms
from sttk.toolkit.targets.ncnn import TARGET

if TYPE_CHECKING:
    import pnnx
else:
    pnnx = Lazy("pnnx", "ncnn")

MODEL = TARGET.model
WEIGHTS = "model.bin"
# The trace must not be square, or height and width might be confused.
_TRACE = (96, 128)
_TIMEOUT = 300  # seconds; a Johnson net takes some 10


def export(request: ExportRequest[Options], folder: Path) -> Product:
    """See :class:`Exporter`."""
    height, width = request.shapes.only or _TRACE
    check_fits(height, width)
    tools = {"torch": str(torch.__version__), "pnnx": distribution("pnnx", "ncnn")}
    net = with_forms(cast.cast_net(request.net, request.plan, cast.ON_DISK), ShiftedConv)
    with tempfile.TemporaryDirectory(prefix="sttk-") as work:
        param, weights = _convert(net, (1, 3, height, width), Path(work))
    _check_known(param)
    param = _with_size(param, request.shapes)
    param, weights = store(param, weights, net, request.plan)
    param = half.masked(param, net, request.plan, half.boundary_modules(request.net))
    (folder / MODEL).write_text(param, encoding="ascii")
    (folder / WEIGHTS).write_bytes(weights)
    return Product(MODEL, tools, half.facts(param, request.plan))


def _convert(net: torch.nn.Module, shape: tuple[int, ...], work: Path) -> tuple[str, bytes]:
    """Convert the net, and return ncnn's ``.param`` and ``.bin`` among pnnx's eight files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated; pnnx reads nothing else
        traced = torch.jit.trace(net, torch.zeros(shape), check_trace=False)  # type: ignore[no-untyped-call]
        traced.save(str(work / "net.pt"))
    command = [pnnx.EXEC_PATH, "net.pt", f"inputshape=[{','.join(map(str, shape))}]", "fp16=0"]
    try:
        done = subprocess.run(  # noqa: S603 (our own arguments)
            command, cwd=work, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExportError(f"pnnx failed: {error}") from error
    try:
        return (work / "net.ncnn.param").read_text("ascii"), (work / "net.ncnn.bin").read_bytes()
    except OSError as error:
        said = " ".join((done.stderr or done.stdout).split())[-200:]
        raise ExportError(f"pnnx failed with code {done.returncode}: {said}") from error


def _check_known(param: str) -> None:
    """Refuse operations that pnnx could not convert: it leaves them under torch's names."""
    if unknown := set(re.findall(r"^(\w*(?:\.|::)\S+) ", param, re.MULTILINE)):
        raise ExportError(f"ncnn has no {', '.join(sorted(unknown))}, which this net uses")


def _with_size(param: str, shapes: Shapes) -> str:
    """Write a fixed size into the input's line, where ncnn and its tools look for it."""
    if not shapes.only:
        return param
    height, width = shapes.only
    head, rest = param.split("\n", 3)[:3], param.split("\n", 3)[3]
    return "\n".join([*head[:2], f"{head[2].rstrip()} 0={width} 1={height} 2=3", rest])
