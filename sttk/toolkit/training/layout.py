"""The memory layout for training."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


def channels_last(module: M) -> M:
    """Convert the module's weights to channels-last, in place, which is faster in bf16."""
    # nn.Module.to has this keyword, but torch's annotations leave it out.
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module
