"""A CUDA driver that is not there."""

from __future__ import annotations

import ctypes

import pytest

from sttk.toolkit.targets.trt import cuda


class Driver:
    """libcuda, whose memory is this process's own. What is not in ``DOES`` answers 0: it is well.

    Attributes:
        memory: what was taken and not given back, by address.
        calls: names of the functions that were called.
    """

    def __init__(self, devices=1, capability=(8, 6), init=0):
        self.devices, self.capability, self.init = devices, capability, init
        self.memory, self.calls = {}, []

    def __getattr__(self, name):
        assert name in cuda._FUNCTIONS, name

        def function(*arguments):
            self.calls.append(name)
            return self.DOES[name](self, *arguments) if name in self.DOES else 0

        return function

    def started(self, flags):
        return self.init

    def counted(self, count):
        count._obj.value = self.devices
        return 0

    def named(self, text, size, device):
        text.value = b"Fake GPU"
        return 0

    def asked(self, answer, what, device):
        answer._obj.value = self.capability[{75: 0, 76: 1}[what]]
        return 0

    def streamed(self, stream, flags):
        stream._obj.value = 42
        return 0

    def allocated(self, address, size):
        if size > 1 << 30:
            return 2
        block = ctypes.create_string_buffer(size)
        address._obj.value = ctypes.addressof(block)
        self.memory[ctypes.addressof(block)] = block
        return 0

    def freed(self, address):
        del self.memory[address]
        return 0

    def copied(self, to, source, size, stream):
        (here,) = {to, source} & set(self.memory)
        assert size <= len(self.memory[here])
        ctypes.memmove(to, source, size)
        return 0

    def evented(self, event, flags):
        event._obj.value = 7 + self.calls.count("cuEventCreate")
        return 0

    def elapsed(self, milliseconds, began, ended):
        assert began.value < ended.value
        milliseconds._obj.value = 2.5
        return 0

    def told(self, code, text):
        text._obj.value = b"out of memory"
        return 0

    DOES = {  # noqa: RUF012
        "cuInit": started,
        "cuDeviceGetCount": counted,
        "cuDeviceGetName": named,
        "cuDeviceGetAttribute": asked,
        "cuStreamCreate": streamed,
        "cuEventCreate": evented,
        "cuEventElapsedTime": elapsed,
        "cuMemAlloc_v2": allocated,
        "cuMemFree_v2": freed,
        "cuMemcpyHtoDAsync_v2": copied,
        "cuMemcpyDtoHAsync_v2": copied,
        "cuGetErrorString": told,
    }


@pytest.fixture
def gpu(monkeypatch):
    """Puts a driver in place: ``gpu()``, ``gpu(capability=(7, 5))``, ``gpu(devices=0)``."""

    def put(**facts):
        driver = Driver(**facts)
        monkeypatch.setattr(cuda, "_driver", lambda: driver)
        return driver

    return put
