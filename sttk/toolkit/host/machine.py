"""This machine's CPU and CUDA devices, found without heavy imports."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

_CPUINFO = Path("/proc/cpuinfo")
# Flags of /proc/cpuinfo that inference libraries use, x86 first, then Arm.
_FEATURES = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 bf16",
    "avx512_fp16": "AVX-512 fp16",
    "avx_vnni": "AVX VNNI",
    "amx_int8": "AMX int8",
    "amx_bf16": "AMX bf16",
    "asimd": "NEON",
    "asimdhp": "NEON fp16",
    "asimddp": "NEON dot product",
    "i8mm": "NEON int8 matrix",
    "bf16": "NEON bf16",
}
_ARCHITECTURES = {"x86_64": "x86-64", "amd64": "x86-64", "aarch64": "ARM64", "arm64": "ARM64"}
_GPU_FILES = ("/dev/dri/renderD128", "/dev/nvidia0")
_SMI_FIELDS = "name,compute_cap,driver_version"
# Values of CUdevice_attribute in cuda.h.
_MAJOR, _MINOR = 75, 76


@dataclass(frozen=True)
class Cpu:
    """A processor; ``cores`` is None and ``features`` empty if they are unknown."""

    name: str
    cores: int | None
    threads: int
    features: tuple[str, ...]


@dataclass(frozen=True)
class Gpu:
    """A CUDA device; ``driver`` is the driver's version, or the CUDA version that it supports."""

    name: str
    compute_capability: str
    driver: str


def architecture() -> str:
    """Return this machine's architecture: ``x86-64``, ``ARM64``, or as the system calls it."""
    name = platform.machine()
    return _ARCHITECTURES.get(name.lower(), name)


def cpu() -> Cpu:
    """Describe the CPU: name and features by /proc/cpuinfo, which psutil does not read."""
    cores, threads = psutil.cpu_count(logical=False), os.cpu_count() or 1
    try:
        blocks = _CPUINFO.read_text(encoding="utf-8", errors="replace").strip().split("\n\n")
    except OSError:
        return Cpu(platform.processor() or platform.machine(), cores, threads, ())
    first = _fields(blocks[0])
    flags = set(first.get("flags", first.get("Features", "")).split())
    features = tuple(label for flag, label in _FEATURES.items() if flag in flags)
    return Cpu(first.get("model name", platform.machine()), cores, threads, features)


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in block.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def int8_sums_overflow() -> bool:
    """Return whether this CPU adds int8 products in 16 bits, which cannot hold two of them.

    x86 before VNNI only has such an instruction (vpmaddubsw), and it saturates. The result is False
    where the CPU's features are unknown.
    """
    features = cpu().features
    return "AVX2" in features and not any("VNNI" in feature for feature in features)


def has_gpu() -> bool:
    """Return whether there is a GPU that draws: a device file on Linux; elsewhere it is assumed."""
    return sys.platform != "linux" or any(Path(file).exists() for file in _GPU_FILES)


def gpus() -> tuple[Gpu, ...]:
    """Return the CUDA devices that nvidia-smi lists, else those that the driver library lists."""
    return tuple(_from_smi()) or tuple(_from_driver())


def _from_smi() -> Iterator[Gpu]:
    smi = shutil.which("nvidia-smi")
    if smi is None:
        return
    command = [smi, f"--query-gpu={_SMI_FIELDS}", "--format=csv,noheader"]
    try:
        done = subprocess.run(  # noqa: S603 (nothing in it comes from a user)
            command, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return
    for line in done.stdout.splitlines():
        parts = [part.strip() for part in line.rsplit(",", 2)]
        if len(parts) == 3:
            yield Gpu(parts[0], parts[1], parts[2])


def _from_driver() -> Iterator[Gpu]:
    library = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"
    try:
        driver: Any = ctypes.CDLL(library)
    except OSError:
        return
    if driver.cuInit(0) != 0:  # no device, or one that the driver cannot use
        return
    count, version = ctypes.c_int(), ctypes.c_int()
    driver.cuDeviceGetCount(ctypes.byref(count))
    driver.cuDriverGetVersion(ctypes.byref(version))
    cuda = f"CUDA {version.value // 1000}.{version.value % 1000 // 10}"
    for index in range(count.value):
        yield Gpu(*_device(driver, index), cuda)


def _device(driver: Any, index: int) -> tuple[str, str]:
    """Return a device's name and compute capability."""
    device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
    driver.cuDeviceGet(ctypes.byref(device), index)
    driver.cuDeviceGetName(name, len(name), device)
    numbers = []
    for attribute in (_MAJOR, _MINOR):
        number = ctypes.c_int()
        driver.cuDeviceGetAttribute(ctypes.byref(number), attribute, device)
        numbers.append(number.value)
    return name.value.decode(errors="replace"), f"{numbers[0]}.{numbers[1]}"
