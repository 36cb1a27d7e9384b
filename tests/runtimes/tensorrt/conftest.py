"""A TensorRT that is not there: names and numbers as recorded, arithmetic 255-x.

What the recorded library has not got, its fake has not got either: sttk's code must come out with
the names of each.
"""

from __future__ import annotations

import ctypes
import enum
import json
import struct
import sys
import types
from pathlib import Path

import numpy as np
import pytest

RECORDS = Path(__file__).parent / "names"
MODULES = {"10.16": "tensorrt", "11.4": "tensorrt", "rtx-1.7": "tensorrt_rtx"}


class Own:
    """What a test wants of the fake library, and what was done with it."""

    def __init__(self):
        self.calls, self.capabilities, self.lines = [], {}, []
        self.fails = self.profile = self.flags = self.cleared = None
        self.engine, self.validity, self.dtype = b"", None, "FLOAT"
        self.shapes = ((1, 3, 32, 32),) * 3


class ILogger:
    INTERNAL_ERROR, ERROR, WARNING, INFO = range(4)

    def __init__(self):
        pass


class Logging:
    def __init__(self, logger):
        self._logger = logger


class Builder(Logging):
    def __init__(self, logger):
        super().__init__(logger)
        if self.own.fails == "Builder":
            logger.log(ILogger.ERROR, "CUDA initialization failure with error: 35")
            raise TypeError("pybind11::init(): factory function returned nullptr")

    def create_network(self, flags):
        self.own.flags = flags
        return self.own.module.INetworkDefinition()

    def create_builder_config(self):
        return self.own.module.IBuilderConfig()

    def create_optimization_profile(self):
        return self.own.module.IOptimizationProfile()

    def build_serialized_network(self, network, config):
        if self.own.fails != "build":
            return self.own.engine
        self._logger.log(ILogger.WARNING, "hm")
        self._logger.log(ILogger.ERROR, "no kernel\nfor it")
        self._logger.log(ILogger.INFO, "chatter")
        return None


class INetworkDefinition:
    def get_input(self, index):
        return self.own.module.ITensor()


class ITensor:
    name = "image"


class OnnxParser:
    num_errors = 2

    def __init__(self, network, logger):
        pass

    def parse_from_file(self, path):
        assert isinstance(path, str)
        assert Path(path).is_file()
        return self.own.fails != "parse"

    def get_error(self, index):
        error = self.own.module.ParserError()
        error._is = (("Pad", "pad_1", "first\nthing"), ("", "", "second thing"))[index]
        return error


class ParserError:
    def node_operator(self):
        return self._is[0]

    def node_name(self):
        return self._is[1]

    def desc(self):
        return self._is[2]


class IBuilderConfig:
    def clear_flag(self, flag):
        self.own.cleared = flag

    def set_compute_capability(self, member, index):
        self.own.capabilities[index] = member
        return True

    def add_optimization_profile(self, profile):
        return -1 if self.own.fails == "profile" else 0


class IOptimizationProfile:
    def set_shape(self, name, least, tuned, most):
        self.own.profile = (name, least, tuned, most)


class Runtime(Logging):
    def get_engine_validity(self, blob):
        return self.own.validity

    def deserialize_cuda_engine(self, blob):
        if self.own.fails != "deserialize":
            return self.own.module.ICudaEngine()
        self._logger.log(ILogger.ERROR, "made for\nanother GPU")
        return None


class ICudaEngine:
    num_io_tensors = 2

    def get_tensor_name(self, index):
        return ("image", "stylized")[index]

    def get_tensor_mode(self, name):
        return self.own.module.TensorIOMode["INPUT" if name == "image" else "OUTPUT"]

    def get_tensor_dtype(self, name):
        return self.own.module.DataType[self.own.dtype]

    def get_tensor_shape(self, name):
        least, _, most = self.own.shapes
        return tuple(a if a == b else -1 for a, b in zip(least, most, strict=True))

    def get_tensor_profile_shape(self, name, index):
        assert (name, index) == ("image", 0)
        return [list(shape) for shape in self.own.shapes]

    def create_execution_context(self):
        return self.own.module.IExecutionContext()


class IExecutionContext:
    def set_input_shape(self, name, shape):
        self._shape, self._at = shape, {}
        return self.own.fails != "set_input_shape"

    def get_tensor_shape(self, name):
        return self._shape

    def set_tensor_address(self, name, address):
        self._at[name] = address
        return True

    def execute_async_v3(self, stream):
        assert stream == 42
        floats = ctypes.c_float * int(np.prod(self._shape))
        x, y = (floats.from_address(self._at[name]) for name in ("image", "stylized"))
        np.ctypeslib.as_array(y)[:] = 255 - np.ctypeslib.as_array(x)
        return self.own.fails != "execute"


def guarded(does, known, fake):
    """The class with those of its attributes that are known; calls and settings are noted."""

    class Guarded(does):
        own = fake

        def __getattribute__(self, name):
            if name == "own" or name.startswith("_"):
                return super().__getattribute__(name)
            if name not in known:
                raise AttributeError(f"{does.__name__} has no {name}")
            found = super().__getattribute__(name)
            if callable(found):
                fake.calls.append(name)
            return found

        def __setattr__(self, name, value):
            assert name in known or name.startswith("_"), f"{does.__name__} has no {name}"
            if not name.startswith("_"):
                fake.calls.append(name)
            super().__setattr__(name, value)

    return Guarded


@pytest.fixture
def fake_trt(monkeypatch):
    """Puts a fake library in place: ``fake_trt("11.4")`` is installed, and the other one is not."""

    def put(version):
        own, recorded = Own(), json.loads((RECORDS / f"{version}.json").read_text())
        name = MODULES[version]
        own.module = module = types.ModuleType(name)
        module.__version__ = recorded["version"]
        for thing, names in recorded["names"].items():
            if isinstance(names, dict):
                setattr(module, thing, enum.IntEnum(thing, names))
            else:
                setattr(module, thing, guarded(globals()[thing], names, own))
        module.ILogger = ILogger
        own.engine = engine(name, recorded["version"])
        if version == "rtx-1.7":
            own.validity = (module.EngineValidity.VALID, 0)
        for other in set(MODULES.values()):
            monkeypatch.setitem(sys.modules, other, module if other == name else None)
        return own

    return put


def engine(library, version, types=None, mask=0x7E):
    """Begins as an engine does, with the text of its kernels as RTX 1.7.1 writes it."""
    lines = [""]
    for index, (name, kind) in enumerate((types or {}).items()):
        tensor = f'"t{index}"'
        lines += [
            f"  tensor={{ alignment=128 dims={{ 1 8 }} name={tensor} offset=0 type={kind} }}",
            f'  corrltn={{ name="{name}" output={{"o" }} input={{{tensor} {tensor} }} x=0 }}',
        ]
    body = "\n".join(lines).encode()
    tag = {"tensorrt": b"ftrt", "tensorrt_rtx": b"vtrt"}[library]
    numbers = bytes(int(number) for number in version.split("."))
    size = struct.pack("<Q", 64 + len(body))
    head = tag + bytes(12) + size + numbers + tag + struct.pack("<I", mask)
    return head.ljust(64, b"\0") + body


@pytest.fixture
def engine_bytes():
    """Makes an engine: ``engine_bytes("tensorrt_rtx", "1.7.1.116", types={"conv": "half"})``."""
    return engine
