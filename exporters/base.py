"""What an exporter is: a style net and a request in, model files out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from toolkit.contract import Precision, Size
from toolkit.style_net import StyleNet


@dataclass(frozen=True)
class Request:
    """What to export.

    Attributes:
        net: the style net.
        precision: of weights and arithmetic; input and output stay float32.
        size: (height, width) that the model is fixed to, or None for any size and batch.
        opset: ONNX opset, for the targets that go through ONNX.
        simplify: simplify the graph, checked against the unsimplified one.
    """

    net: StyleNet
    precision: Precision = "fp32"
    size: Size | None = (512, 512)
    opset: int = 18
    simplify: bool = True


@dataclass(frozen=True)
class Product:
    """What an exporter made.

    Attributes:
        model: file name of the model within the folder that it was given.
        files: names of all files, the model's among them.
        options: what the manifest should say of how it was made.
        tools: versions of the libraries that made it.
        rewrites: names of the exact rewrites that were applied.
    """

    model: str
    files: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    tools: dict[str, str] = field(default_factory=dict)
    rewrites: tuple[str, ...] = ()


class Exporter(Protocol):
    """One module per target; it alone knows the target's library."""

    def export(self, request: Request, folder: Path) -> Product:
        """Write the model into ``folder``, which is empty and nobody else's.

        Raises:
            ExportError: it cannot be made, or what was made is not valid.
            UsageError: the request is not one that this target can take.
            MissingExtraError: the target's library is not installed.
        """
