"""What can be said to the exporter of TensorRT engines."""

from __future__ import annotations

from dataclasses import dataclass

from sttk.exporters.onnx.options import GraphOptions
from sttk.exporters.options import option


def _tag(names: tuple[str, ...]) -> str:
    """Each once, and none that leads elsewhere: what is no capability, the exporter refuses."""
    return "+".join(dict.fromkeys(name.replace("/", "_") for name in names))


@dataclass(frozen=True)
class TensorrtOptions(GraphOptions):
    """How the graph is made, and for whom the engine is built.

    Attributes:
        compute_capabilities: GPUs that the engine is built for, such as ``8.6``; none: portable.
    """

    compute_capabilities: tuple[str, ...] = option(
        (),
        "GPU to build for; repeatable.  [default: portable]",
        "--compute-capability",
        tag=_tag,
        multiple=True,
        metavar="X.Y",
    )
