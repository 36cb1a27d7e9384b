"""TensorRT, of which there are two: for RTX, which builds without a GPU, and the full one, which
builds for the GPU that is there.

Their Python modules have the same names in them, as far as sttk uses them, but for what only RTX
has (compute capabilities, engine validity). Numbers of enums differ between the two and between
versions: they are looked up by name.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from sttk.toolkit.core.errors import BrokenExtraError, ExportError, MissingExtraError, NotRunError
from sttk.toolkit.host.optional import imported
from sttk.toolkit.targets.trt.cuda import present

RTX, FULL = "tensorrt_rtx", "tensorrt"
_EXTRAS = {RTX: "trt", FULL: "trt-full"}
_NO_GPU_NEEDED = "pip install 'sttk[trt]', which builds without one"


def library(name: str) -> Any:
    """The module ``RTX`` or ``FULL``.

    Raises:
        MissingExtraError: it is not installed.
        BrokenExtraError: it is, and does not load: the bindings without the library, or another's.
    """
    return imported(name, _EXTRAS[name])


def builder_library() -> Any:
    """The one to build with: for RTX if it is installed, else the full one.

    Raises:
        MissingExtraError: neither is installed, or the one that is does not load.
    """
    try:
        return library(RTX)
    except BrokenExtraError:
        raise
    except MissingExtraError as missing:
        try:
            return library(FULL)
        except MissingExtraError:
            raise missing from None


@functools.cache
def log(trt: Any) -> Any:
    """TensorRT's logger: it keeps warnings and errors in ``lines``, and prints nothing.

    One for the whole process: TensorRT keeps the first that it is given, and warns of a second.
    """

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)  # pybind11 refuses super()
            self.lines: list[str] = []

        def log(self, severity: Any, text: str) -> None:
            kept = (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR, trt.ILogger.WARNING)
            if severity in kept:
                self.lines.append(text)

    return Log()


def said(trt: Any) -> str:
    """What TensorRT has logged since it was last asked, in one line."""
    lines = log(trt).lines
    text = "; ".join(dict.fromkeys(lines))
    lines.clear()
    return brief(text)


def brief(text: str) -> str:
    """One line of a message that may have many."""
    return " ".join(text.split())[:300]


def builder(trt: Any) -> Any:
    """A builder.

    Raises:
        NotRunError: this library needs a GPU to build, and there is none.
    """
    said(trt)
    try:
        return trt.Builder(log(trt))
    except (TypeError, RuntimeError) as error:  # pybind11's word for a null pointer is TypeError
        reason = said(trt) or brief(str(error))
        if present():
            raise NotRunError(f"{trt.__name__} cannot build here: {reason}") from error
        why = f"{trt.__name__} cannot build here: no CUDA device"
        raise NotRunError(f"{why} ({reason})", fix=_NO_GPU_NEEDED) from error


def network(trt: Any, making: Any, graph: Path) -> tuple[Any, Any]:
    """The network of an ONNX graph, and the parser, which owns the weights: keep both.

    Types are those of the graph: nothing is computed in another one.

    Raises:
        ExportError: the parser does not take the graph.
    """
    typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    parsed = making.create_network(typed)
    parser = trt.OnnxParser(parsed, log(trt))
    if not parser.parse_from_file(str(graph)):
        errors = [_described(parser.get_error(index)) for index in range(parser.num_errors)]
        raise ExportError(f"{trt.__name__} refuses the graph: {brief('; '.join(errors))}")
    return parsed, parser


def _described(error: Any) -> str:
    """An error of the parser, with the node that it is about, if it is about one."""
    node = f"{error.node_operator()} {error.node_name()}".strip()
    return f"{node}: {error.desc()}" if node else str(error.desc())
