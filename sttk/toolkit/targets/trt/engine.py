"""The facts that an engine file states, read without TensorRT and without a GPU.

An engine begins with a tag, the version of its serialisation and, from byte 24, the four numbers
of the version of TensorRT that made it: NVIDIA's own ``trtexec --getPlanVersionOnly`` reads these
there. The rest was found by building engines with TensorRT for RTX 1.7.1 and is not documented: the
total size and the compute capabilities in the header, and the graph of kernels as plain text in the
body. It is read for that version only.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.io.files import MOST_BYTES, read_bounded
from sttk.toolkit.targets.trt.library import FULL, RTX

_TAGS = {b"vtrt": RTX, b"ftrt": FULL}
_KNOWN = (RTX, (1, 7, 1))
_VERSION, _SIZE, _MASK, _END = 24, 16, 32, 36
# The last is for GPUs newer than the library; an engine that names none is for 8.0 and later.
CAPABILITIES = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1", "later")

# The names of types in the text -> sttk's names of precisions.
_PRECISIONS = {"float": "fp32", "half": "fp16", "int8": "int8", "fp8_e4m3": "fp8"}
# Lengths are bounded, so that no file can make the search take long.
# A sub_tensor is a view of another tensor, such as a pixel shuffle's result.
_TENSOR = re.compile(
    rb'\n  (?:sub_)?tensor=\{ [^\n]{0,500}?name="([^"\n]{1,500})"[^\n]{0,1000} type=(\w{1,20}) \}'
)
# A convolution is a correlation to TensorRT.
_CONVOLUTION = re.compile(
    rb'\n  (?:corrltn|deconvolution)=\{ name="([^"\n]{1,500})"'
    rb" output=\{[^}\n]{0,1000}\} input=\{([^}\n]{0,2000})\}"
)


@dataclass(frozen=True)
class Header:
    """The header of an engine.

    Attributes:
        library: the Python module that made the engine and can run it.
        version: the version of that library, such as ``1.7.1.116``.
        size: the size that the file should have, in bytes; None if the layout is not known.
        capabilities: those of ``CAPABILITIES`` that it is built for; None if the layout is not
            known.
    """

    library: str
    version: str
    size: int | None = None
    capabilities: tuple[str, ...] | None = None

    @property
    def known(self) -> bool:
        """Whether the layout is known, so that more than the version can be read."""
        return self.size is not None


def read_header(data: bytes) -> Header:
    """Parse the header at the start of ``data``. Raises ArtifactError if it is not an engine."""
    library = _TAGS.get(data[:4])
    if library is None or len(data) < _END or data[4:8] != bytes(4):
        raise ArtifactError("does not begin as a TensorRT engine does")
    numbers = tuple(data[_VERSION : _VERSION + 4])
    version = ".".join(map(str, numbers))
    if (library, numbers[:3]) != _KNOWN:
        return Header(library, version)
    (size,) = struct.unpack_from("<Q", data, _SIZE)
    (mask,) = struct.unpack_from("<I", data, _MASK)
    named = (name for bit, name in enumerate(CAPABILITIES) if mask >> bit & 1)
    return Header(library, version, size, tuple(named))


def convolutions(data: bytes) -> dict[str, str]:
    """Return the precision in which an engine runs each convolution, by the name of its ONNX node.

    An input and weights of different precisions are given as ``fp16/int8``. The result is empty if
    the engine has no text.
    """
    types = {match[1]: _precision(match[2]) for match in _TENSOR.finditer(data)}
    found = {}
    for match in _CONVOLUTION.finditer(data):
        inputs = re.findall(rb'"([^"]*)"', match[2])[:2]
        precisions = {types.get(name, "unknown") for name in inputs}
        found[match[1].decode(errors="replace")] = "/".join(sorted(precisions))
    return found


def _precision(word: bytes) -> str:
    text = word.decode(errors="replace")
    return _PRECISIONS.get(text, text)


def describe(model: Path) -> dict[str, Any]:
    """Return an engine's library, its GPUs, and the number of convolutions in each precision.

    ``compute_capabilities`` and ``convolutions`` are left out if they cannot be read.

    Raises:
        ArtifactError: it is not an engine.
    """
    try:
        data = read_bounded(model, MOST_BYTES)
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{model}: cannot be read: {error}") from error
    header = read_header(data)
    facts = {"format": f"{header.library} engine", "version": header.version, "bytes": len(data)}
    if header.capabilities is None:
        return facts
    counted = Counter(convolutions(data).values())
    return {
        **facts,
        "compute_capabilities": list(header.capabilities),
        "convolutions": dict(sorted(counted.items())),
    }
