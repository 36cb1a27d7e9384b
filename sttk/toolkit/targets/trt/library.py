"""The two TensorRT libraries: TensorRT for RTX, which builds without a GPU, and the full one, which
builds for the GPU of this machine.

As far as sttk uses them, their Python modules define the same names, except for what only RTX has
(compute capabilities, engine validity). The values of enums differ between the two and between
versions, so they are looked up by name.
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
    """Return the module ``RTX`` or ``FULL``.

    Raises:
        MissingExtraError: it is not installed.
        BrokenExtraError: it is installed and does not load: the bindings lack their library, or
            belong to another one.
    """
    return imported(name, _EXTRAS[name])


def builder_library() -> Any:
    """Return the library to build with: TensorRT for RTX if it is installed, else the full one.

    Raises:
        MissingExtraError: neither is installed, or the installed one does not load.
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
    """Return a logger that keeps TensorRT's warnings and errors in ``lines`` and prints nothing.

    There is one for the whole process: TensorRT keeps the first logger that it gets, and warns
    about a second.
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


def take_messages(trt: Any) -> str:
    """Return what TensorRT has logged since the last call, in one line."""
    lines = log(trt).lines
    text = "; ".join(dict.fromkeys(lines))
    lines.clear()
    return brief(text)


def brief(text: str) -> str:
    """Return a message, which may have several lines, as one short line."""
    return " ".join(text.split())[:300]


def builder(trt: Any) -> Any:
    """Return a new builder.

    Raises:
        NotRunError: this library needs a GPU to build, and there is none.
    """
    take_messages(trt)
    try:
        return trt.Builder(log(trt))
    except (TypeError, RuntimeError) as error:  # pybind11 raises TypeError for a null pointer
        reason = take_messages(trt) or brief(str(error))
        if present():
            raise NotRunError(f"{trt.__name__} cannot build here: {reason}") from error
        why = f"{trt.__name__} cannot build here: no CUDA device"
        raise NotRunError(f"{why} ({reason})", fix=_NO_GPU_NEEDED) from error


def network(trt: Any, making: Any, graph: Path) -> tuple[Any, Any]:
    """Parse an ONNX graph and return the network and its parser, which owns the weights: keep both.

    The network is strongly typed: nothing is computed in other types than the graph's.

    Raises:
        ExportError: the parser does not accept the graph.
    """
    typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    parsed = making.create_network(typed)
    parser = trt.OnnxParser(parsed, log(trt))
    if not parser.parse_from_file(str(graph)):
        errors = [_described(parser.get_error(index)) for index in range(parser.num_errors)]
        raise ExportError(f"{trt.__name__} refuses the graph: {brief('; '.join(errors))}")
    return parsed, parser


def _described(error: Any) -> str:
    """Return a parser's error, preceded by the node that it concerns, if there is one."""
    node = f"{error.node_operator()} {error.node_name()}".strip()
    return f"{node}: {error.desc()}" if node else str(error.desc())
