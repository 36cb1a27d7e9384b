from __future__ import annotations

import pytest

from sttk.toolkit.host import machine
from sttk.toolkit.host.machine import Cpu, Gpu

X86 = """processor : 0
model name : Some EPYC
flags : fpu avx2 avx512f avx512_vnni avx512_bf16

processor : 1
model name : Some EPYC
flags : fpu avx2

processor : 2
model name : Some EPYC
flags : fpu avx2
"""
ARM = "processor : 0\nFeatures : fp asimd asimdhp i8mm bf16\n"


@pytest.fixture
def cpuinfo(tmp_path, monkeypatch):
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(machine, "_CPUINFO", path)
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 3)
    monkeypatch.setattr(machine.psutil, "cpu_count", lambda logical: 4 if logical else 2)
    monkeypatch.setattr(machine.platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    return path


def test_processors(cpuinfo):
    assert machine.cpu() == Cpu("aarch64", 2, 3, ())
    cpuinfo.write_text(X86)
    features = ("AVX2", "AVX-512", "AVX-512 VNNI", "AVX-512 bf16")
    assert machine.cpu() == Cpu("Some EPYC", 2, 3, features)
    cpuinfo.write_text(ARM)
    features = ("NEON", "NEON fp16", "NEON int8 matrix", "NEON bf16")
    assert machine.cpu() == Cpu("aarch64", 2, 3, features)
    cpuinfo.write_text("")
    assert machine.cpu().features == ()


@pytest.fixture
def smi(tmp_path, monkeypatch):
    """An nvidia-smi that prints what it is told, or fails."""

    def write(text, code=0):
        script = tmp_path / "nvidia-smi"
        script.write_text(f"#!/bin/sh\nprintf '{text}'\nexit {code}\n")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    return write


@pytest.fixture
def no_driver(monkeypatch):
    def fails(name):
        raise OSError(name)

    monkeypatch.setattr(machine.ctypes, "CDLL", fails)


def test_devices_by_nvidia_smi(smi, no_driver):
    smi("NVIDIA H200, 9.0, 580.65.06\\nOdd, name, 8.6, 580.65.06\\n")
    assert machine.gpus() == (
        Gpu("NVIDIA H200", "9.0", "580.65.06"),
        Gpu("Odd, name", "8.6", "580.65.06"),
    )


@pytest.mark.parametrize(("text", "code"), [("No devices were found\\n", 0), ("", 9)])
def test_no_devices(text, code, smi, no_driver):
    smi(text, code)
    assert machine.gpus() == ()


class Driver:
    """libcuda with one device."""

    def __init__(self, code=0):
        self.cuInit = lambda flags: code

    def cuDeviceGetCount(self, count):  # noqa: N802
        count._obj.value = 1

    def cuDriverGetVersion(self, version):  # noqa: N802
        version._obj.value = 13010

    def cuDeviceGet(self, device, index):  # noqa: N802
        device._obj.value = index

    def cuDeviceGetName(self, name, length, device):  # noqa: N802
        name.value = b"Some GPU"

    def cuDeviceGetAttribute(self, number, attribute, device):  # noqa: N802
        number._obj.value = {75: 8, 76: 9}[attribute]


def test_devices_by_the_driver(monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda name: None)
    monkeypatch.setattr(machine.ctypes, "CDLL", lambda name: Driver())
    assert machine.gpus() == (Gpu("Some GPU", "8.9", "CUDA 13.1"),)
    monkeypatch.setattr(machine.ctypes, "CDLL", lambda name: Driver(code=100))
    assert machine.gpus() == ()


@pytest.mark.parametrize(
    ("flags", "overflow"),
    [
        ("fpu avx2", True),
        ("fpu avx2 avx512f", True),
        ("fpu avx2 avx_vnni", False),
        ("fpu avx2 avx512f avx512_vnni", False),
        ("", False),
    ],
)
def test_where_sums_of_int8_overflow(flags, overflow, tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(f"model name\t: X\nflags\t\t: {flags}\n")
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "cpuinfo")
    assert machine.int8_sums_overflow() is overflow
