"""The options of the exporter of TensorRT engines."""

from __future__ import annotations

from dataclasses import dataclass

from sttk.exporters.onnx.options import GraphOptions
from sttk.exporters.options import option


def _tag(names: tuple[str, ...]) -> str:
    """Return the capabilities as a tag, each once, without characters that change the path.

    The exporter refuses names that are not capabilities.
    """
    return "+".join(dict.fromkeys(name.replace("/", "_") for name in names))


@dataclass(frozen=True)
class TensorrtOptions(GraphOptions):
    """The options of the graph and of the engine.

    Attributes:
        compute_capabilities: the compute capabilities that the engine is built for, such as
            ``8.6``; none: portable.
    """

    compute_capabilities: tuple[str, ...] = option(
        (),
        "GPU to build for; repeatable.  [default: portable]",
        "--compute-capability",
        tag=_tag,
        multiple=True,
        metavar="X.Y",
    )
