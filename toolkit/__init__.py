"""sttk, the Style Transfer ToolKit: style nets from PyTorch to phones, edge boxes and GPUs.

What the command does, in Python::

    import toolkit

    net = toolkit.load("ink")
    styled = net.stylize(PIL.Image.open("photo.jpg"))
    artifact = toolkit.export(net, "onnx", size=512)
    toolkit.check(artifact)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.api import Net, check, export, load
    from toolkit.errors import SttkError

__version__ = "0.1.0"
__all__ = ["Net", "SttkError", "check", "export", "load"]


def __getattr__(name: str) -> Any:
    """Import the functions when they are used: they bring torch, which takes seconds."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "errors" if name == "SttkError" else "api"
    return getattr(importlib.import_module(f"toolkit.{module}"), name)
