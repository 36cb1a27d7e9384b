"""sttk, the Style Transfer ToolKit: style nets from PyTorch to phones, edge boxes and GPUs.

The main commands are available as functions::

    import sttk

    net = sttk.load("ink")
    styled = net.stylize(PIL.Image.open("photo.jpg"))
    artifact = sttk.export(net, "onnx", size=512)
    sttk.check(artifact)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sttk.toolkit.core.version import VERSION as __version__  # noqa: N811

if TYPE_CHECKING:
    from sttk.api import Net, check, export, load
    from sttk.toolkit.core.errors import SttkError

__all__ = ["Net", "SttkError", "__version__", "check", "export", "load"]


def __getattr__(name: str) -> Any:
    """Import the functions when they are used: they import torch, which takes seconds."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "SttkError":
        from sttk.toolkit.core import errors  # noqa: PLC0415

        return errors.SttkError
    from sttk import api  # noqa: PLC0415

    return getattr(api, name)
