"""Which device and which precision, from what the user asked for and what there is."""

from __future__ import annotations

import torch

from toolkit.errors import UsageError


def device_for(wanted: str) -> str:
    """``auto`` is CUDA where there is one.

    Raises:
        UsageError: it is none of cpu, cuda and cuda:N, or not there.
    """
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind = wanted.split(":", maxsplit=1)[0]
    if kind not in ("cpu", "cuda"):
        raise UsageError(f"--device {wanted}: cpu, cuda or cuda:N")
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"--device {wanted}: no CUDA device", fix="--device cpu")
    return wanted


def precision_for(wanted: str, device: str) -> str:
    """``auto`` is bf16 where the device multiplies it faster than fp32, on other GPUs fp16."""
    if wanted != "auto":
        return wanted
    if device.startswith("cuda"):
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    # torch has no public question for it.
    native = torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001
    return "bf16" if native else "fp32"
