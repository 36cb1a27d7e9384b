"""CUDA's driver API through ctypes: the dozen functions that are needed to run an engine.

The torch that sttk pins is the CPU build, and the driver is present wherever an engine can run at
all, so nothing else need be installed. TensorRT works in the device's primary context, which is
made current here. Source: CUDA Driver API, "Primary Context", "Memory", "Stream Management" and
"Event Management"; ``_v2`` is part of a function's name in the library.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from ctypes import POINTER, byref, c_char_p, c_float, c_int, c_size_t, c_uint, c_uint64, c_void_p
from typing import Any

import numpy as np

from sttk.toolkit.core.errors import NotRunError, RunError
from sttk.toolkit.imaging.images import Floats

NO_DEVICE = "not run: no CUDA device"
_LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
_NON_BLOCKING = 1  # a stream that does not wait for the default one
_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "cuInit": (c_uint,),
    "cuDeviceGetCount": (POINTER(c_int),),
    "cuDeviceGet": (POINTER(c_int), c_int),
    "cuDeviceGetName": (c_char_p, c_int, c_int),
    "cuDeviceGetAttribute": (POINTER(c_int), c_int, c_int),
    "cuDevicePrimaryCtxRetain": (POINTER(c_void_p), c_int),
    "cuCtxSetCurrent": (c_void_p,),
    "cuMemAlloc_v2": (POINTER(c_uint64), c_size_t),
    "cuMemFree_v2": (c_uint64,),
    "cuMemcpyHtoDAsync_v2": (c_uint64, c_void_p, c_size_t, c_void_p),
    "cuMemcpyDtoHAsync_v2": (c_void_p, c_uint64, c_size_t, c_void_p),
    "cuStreamCreate": (POINTER(c_void_p), c_uint),
    "cuStreamSynchronize": (c_void_p,),
    "cuEventCreate": (POINTER(c_void_p), c_uint),
    "cuEventRecord": (c_void_p, c_void_p),
    "cuEventElapsedTime": (POINTER(c_float), c_void_p, c_void_p),
    "cuGetErrorString": (c_int, POINTER(c_char_p)),
}


class Device:
    """The first CUDA device, with a stream of its own.

    Attributes:
        name: the manufacturer's name of the device.
        capability: its compute capability, such as ``8.6``.
        stream: the handle of the stream, for TensorRT.

    Raises:
        NotRunError: there is no device; the message is ``NO_DEVICE``.
    """

    def __init__(self) -> None:
        self._driver = _started()
        device, context, stream = c_int(), c_void_p(), c_void_p()
        self._call("cuDeviceGet", byref(device), 0)
        self._call("cuDevicePrimaryCtxRetain", byref(context), device)
        self._context = context
        self.make_current()
        self._call("cuStreamCreate", byref(stream), _NON_BLOCKING)
        self.stream = int(stream.value or 0)
        name = ctypes.create_string_buffer(256)
        self._call("cuDeviceGetName", name, len(name), device)
        self.name = name.value.decode(errors="replace")
        self.capability = ".".join(str(self._ask(what, device)) for what in (_MAJOR, _MINOR))

    def make_current(self) -> None:
        """Make this device's context that of the calling thread."""
        self._call("cuCtxSetCurrent", self._context)

    def upload(self, array: Floats, buffer: Buffer) -> None:
        """Copy a contiguous array to the device, in the stream's order."""
        self._call(
            "cuMemcpyHtoDAsync_v2", buffer.address, array.ctypes.data, array.nbytes, self.stream
        )

    def download(self, buffer: Buffer, shape: tuple[int, ...]) -> Floats:
        """Copy an array from the device, and wait for the stream."""
        array = np.empty(shape, np.float32)
        self._call(
            "cuMemcpyDtoHAsync_v2", array.ctypes.data, buffer.address, array.nbytes, self.stream
        )
        self._call("cuStreamSynchronize", self.stream)
        return array

    def take(self, size: int) -> int:
        """Allocate ``size`` bytes and return their address. Raises RunError if that fails."""
        address = c_uint64()
        self._call("cuMemAlloc_v2", byref(address), size)
        return int(address.value)

    def event(self) -> c_void_p:
        """Return a new event, which :meth:`mark` records in the stream."""
        event = c_void_p()
        self._call("cuEventCreate", byref(event), 0)
        return event

    def mark(self, event: c_void_p) -> None:
        """Record the time at which the stream reaches this point."""
        self._call("cuEventRecord", event, self.stream)

    def between(self, began: c_void_p, ended: c_void_p) -> float:
        """Return the seconds between two events that the stream has passed."""
        milliseconds = c_float()
        self._call("cuEventElapsedTime", byref(milliseconds), began, ended)
        return milliseconds.value / 1e3

    def free(self, address: int) -> None:
        """Free memory."""
        self._driver.cuMemFree_v2(address)

    def _ask(self, what: int, device: c_int) -> int:
        answer = c_int()
        self._call("cuDeviceGetAttribute", byref(answer), what, device)
        return answer.value

    def _call(self, function: str, *arguments: Any) -> None:
        code = getattr(self._driver, function)(*arguments)
        if code:
            text = c_char_p()
            self._driver.cuGetErrorString(code, byref(text))
            raise RunError(f"CUDA: {function}: {(text.value or str(code).encode()).decode()}")


class Buffer:
    """A device's memory, freed with the object."""

    def __init__(self, device: Device, size: int) -> None:
        self.address = 0
        self.size = size
        self._device = device
        self.address = device.take(size)

    def __del__(self) -> None:
        """Free the memory; at the end of the process the device may be gone, which is harmless."""
        if self.address:
            self._device.free(self.address)


def present() -> bool:
    """Whether there is a device with a driver."""
    try:
        _started()
    except NotRunError:
        return False
    return True


def _started() -> Any:
    """Return the initialised driver. Raises NotRunError if there is no device."""
    count = c_int()
    try:
        driver = _driver()
    except OSError as error:
        raise NotRunError(NO_DEVICE) from error
    if driver.cuInit(0) or driver.cuDeviceGetCount(byref(count)) or not count.value:
        raise NotRunError(NO_DEVICE)
    return driver


@functools.cache
def _driver() -> Any:
    driver = ctypes.CDLL(_LIBRARY)
    for name, types in _FUNCTIONS.items():
        getattr(driver, name).argtypes = types
    return driver
