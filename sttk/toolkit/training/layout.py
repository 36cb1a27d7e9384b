"""Memory layout for training."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


def channels_last(module: M) -> M:
    """The module with its convolutions' weights channels-last, which is faster in bf16."""
    # The keyword is real (nn.Module.to), torch's own annotations leave it out.
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module
