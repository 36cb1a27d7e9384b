"""The choice of device and precision, given the user's options and the hardware."""

from __future__ import annotations

import re

import torch

from sttk.toolkit.core.errors import UsageError

_KNOWN = re.compile(r"cpu|cuda(:(?P<number>0|[1-9][0-9]{0,3}))?")


def device_for(wanted: str) -> str:
    """Resolve a device; ``auto`` is CUDA if available, else the CPU.

    Raises:
        UsageError: the device is not ``cpu``, ``cuda`` or ``cuda:N``, or does not exist.
    """
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    known = _KNOWN.fullmatch(wanted)
    if not known:
        raise UsageError(f"--device {wanted}: cpu, cuda or cuda:N")
    if wanted == "cpu":
        return wanted
    if not torch.cuda.is_available():
        raise UsageError(f"--device {wanted}: no CUDA device", fix="--device cpu")
    last = torch.cuda.device_count() - 1
    if int(known["number"] or 0) > last:
        raise UsageError(f"--device {wanted}: not here", fix=f"the last is cuda:{last}")
    return wanted


def precision_for(wanted: str, device: str) -> str:
    """Resolve a precision; ``auto`` is native bf16, or else fp16 on GPUs and fp32 on CPUs."""
    if wanted != "auto":
        return wanted
    if device.startswith("cuda"):
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    # torch has no public API for it.
    native = torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001
    return "bf16" if native else "fp32"
