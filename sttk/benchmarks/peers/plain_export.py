"""The net as most people export it: torch.onnx.export, onnxsim, ONNX Runtime's defaults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from sttk.benchmarks.cases import PreparedCase
from sttk.benchmarks.rows import Case
from sttk.benchmarks.specs import ModelClockSpec, ModelSpec
from sttk.toolkit.core.errors import MissingExtraError
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.host.packages import version_of
from sttk.toolkit.io.streams import quiet_library
from sttk.toolkit.precision.cost import layers_of
from sttk.toolkit.runtimes.base import Settings

if TYPE_CHECKING:
    import onnx
    import onnxsim
else:
    onnx, onnxsim = Lazy("onnx", "onnx"), Lazy("onnxsim", "onnx")


INSTALL = "pip install 'sttk[onnx]'"


def installed() -> bool:
    """Return whether what it needs is here."""
    return all(version_of(name) for name in ("onnx", "onnxsim"))


def cases(
    net: StyleNet, photo: Path, size: Size, threads: int, folder: Path
) -> Iterator[PreparedCase]:
    """Yield one case; see ``sttk.benchmarks.peers.cases``."""
    case = Case("plain export", "onnxruntime", "fp32", size)
    try:
        model = _exported(net, size, folder / "plain.onnx")
    except MissingExtraError as error:
        yield PreparedCase(case, reason=str(error))
        return
    # torch.onnx and onnxsim raise what their many parts raise; that is the peer's row to say.
    except Exception as error:
        yield PreparedCase(
            case, reason=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        )
        return
    clock = ModelClockSpec(ModelSpec(model, Settings(threads=threads)), photo)
    yield PreparedCase(case, clock, layers=tuple(layers_of(net, size).values()))


def _exported(net: StyleNet, size: Size, path: Path) -> Path:
    with quiet_library():
        torch.onnx.export(net, (torch.zeros(1, 3, *size),), path, dynamo=True, verbose=False)
    simplified, _ = onnxsim.simplify(onnx.load(path))
    onnx.save(simplified, path)
    return path
