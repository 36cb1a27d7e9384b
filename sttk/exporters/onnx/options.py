"""The options of an ONNX graph, and so of each exporter that starts from one."""

from __future__ import annotations

from dataclasses import dataclass

from sttk.exporters.options import Options, option


@dataclass(frozen=True)
class GraphOptions(Options):
    """The options of the ONNX graph.

    Attributes:
        opset: the ONNX opset; None: 18, or 21 for fp8.
        simplify: whether the graph is simplified, checked against the unsimplified one.
    """

    opset: int | None = option(
        None,
        "ONNX opset.  [default: 18; fp8: 21]",
        tag=lambda opset: f"opset{opset}",
        type=int,
    )
    simplify: bool = option(
        True,
        "Run onnxsim, checked.",
        "--simplify/--no-simplify",
        tag=lambda _: "plain",
        show_default=True,
    )
