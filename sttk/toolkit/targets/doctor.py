"""What this machine can do: libraries, devices, targets, and what is known to go wrong."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.utils import canonicalize_name

from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.core.version import VERSION
from sttk.toolkit.host import known_bad, machine, memory, packages
from sttk.toolkit.host.machine import Gpu
from sttk.toolkit.host.packages import version_of
from sttk.toolkit.web import chromium

CUDA = "cuda"
_ONNX = ("onnx", "onnxruntime", "onnxscript", "onnxsim")
# Either TensorRT-RTX, which builds without a GPU, or the full one, whose builder needs it.
_RTX = ("tensorrt-rtx-cu13", "tensorrt-rtx-cu12", "tensorrt-rtx")
_FULL_TRT = ("tensorrt", "tensorrt-cu13", "tensorrt-cu12")
# docs.nvidia.com/deeplearning/tensorrt-rtx, support matrix; 8.0 can be named to its builder, too.
_RTX_CAPABILITIES = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")


@dataclass(frozen=True)
class Target:
    """What a target needs here, by the names of packages.

    Attributes:
        name: of the target, and of the extra that installs the libraries.
        exports: all of them make an artifact.
        runs: all of them run it.
        note: who runs it, where that is not plain.
    """

    name: str
    exports: tuple[str, ...]
    runs: tuple[str, ...]
    note: str = ""


TARGETS = (
    Target("onnx", _ONNX, ("onnxruntime",)),
    Target("openvino", (*_ONNX, "openvino"), ("openvino",)),
    Target("trt", _ONNX, ()),  # and TensorRT: see _trt
    Target("coreml", ("coremltools",), ("coremltools",), "by sttk's interpreter"),
    Target("coreai", ("coreai-torch", "coreai-core"), ("coreai-core",)),
    Target("ncnn", ("pnnx",), ("ncnn",)),
    Target("litert", (*_ONNX, "ai-edge-litert"), ("ai-edge-litert",)),
    Target("executorch", ("executorch",), ("executorch",)),
    Target("web", _ONNX, ()),  # and a browser: see _web
)


@dataclass(frozen=True)
class Ability:
    """Whether a target can be exported and run here, and how, or why not."""

    target: str
    exports: bool
    export: str
    runs: bool
    run: str

    def __str__(self) -> str:
        """Such as ``trt: export yes (RTX), run no: no CUDA device``."""
        return f"{self.target}: export {self.export}, run {self.run}"


def examine() -> dict[str, Any]:
    """Everything, as plain JSON values."""
    cpu, devices = machine.cpu(), machine.gpus()
    return {
        "sttk": VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": dataclasses.asdict(cpu),
        "memory": {"bytes": memory.total(), "available": memory.available()},
        "cuda": [dataclasses.asdict(device) for device in devices],
        "libraries": [
            {**library._asdict(), "good": library.good, "fix": library.fix}
            for library in [*packages.libraries(), *_unlisted()]
        ],
        "targets": [dataclasses.asdict(ability) for ability in abilities(devices)],
        "known_bad": [pair._asdict() for pair in known_bad.found(version_of)],
        "broken": list(packages.broken()),
    }


def abilities(devices: Sequence[Gpu]) -> list[Ability]:
    """Of each target."""
    special = {"trt": lambda target: _trt(target, devices), "web": _web}
    return [special.get(target.name, _ability)(target) for target in TARGETS]


def _ability(target: Target) -> Ability:
    export = _verdict(target, target.exports)
    run = _verdict(target, target.runs)
    noted = f"yes, {target.note}" if target.note and run == "yes" else run
    return Ability(target.name, export == "yes", export, run == "yes", noted)


def _verdict(target: Target, needs: Iterable[str]) -> str:
    absent = [name for name in needs if version_of(name) is None]
    if not absent:
        return "yes"
    return f"no: {', '.join(absent)} not installed ({_fix(target.name)})"


def _trt(target: Target, devices: Sequence[Gpu]) -> Ability:
    graph = _verdict(target, target.exports)
    rtx = any(version_of(name) for name in _RTX)
    full = any(version_of(name) for name in _FULL_TRT)
    if not rtx and not full:
        absent = f"no: TensorRT not installed ({_fix(target.name)})"
        return Ability(target.name, False, absent, False, absent)
    if graph != "yes":
        export = graph
    elif rtx:
        export = "yes (RTX)"
    else:
        export = "yes" if devices else "no: the full TensorRT's builder needs a CUDA device"
    run = _trt_run(rtx, full, devices)
    return Ability(target.name, export.startswith("yes"), export, run.startswith("yes"), run)


def _web(target: Target) -> Ability:
    export = _verdict(target, target.exports)
    here = chromium.find() is not None
    run = "yes, in Chromium" if here else f"no: no Chromium (or set {chromium.VARIABLE})"
    return Ability(target.name, export == "yes", export, here, run)


def _trt_run(rtx: bool, full: bool, devices: Sequence[Gpu]) -> str:
    if not devices:
        return "no: no CUDA device"
    capability = devices[0].compute_capability
    if not full and rtx and capability not in _RTX_CAPABILITIES:
        return f"not known: TensorRT-RTX lists no compute capability {capability}"
    return f"yes, on {devices[0].name}"


def missing(names: Iterable[str]) -> list[str]:
    """What is required and not here, one line each.

    Args:
        names: targets (that it can be exported), extras (that its libraries are installed), or
            ``cuda`` (that there is a device).

    Raises:
        UsageError: a name that is none of these.
    """
    extras = packages.extras()
    devices = machine.gpus() if {CUDA, "trt"} & set(names) else ()
    able = {ability.target: ability for ability in abilities(devices)}
    found = []
    for name in names:
        if name not in {CUDA, *able, *extras}:
            known = ", ".join(dict.fromkeys([*able, *extras, CUDA]))
            raise UsageError(f"--require {name}: no such target or extra; known: {known}")
        if name == CUDA and not devices:
            found.append("cuda: no device")
        if name in able and not able[name].exports:
            found.append(f"{name}: export {able[name].export}")
        elif name in extras:
            # A target may do with another library than its extra installs, not with an old one.
            found += _lacking(name, absent=name not in able)
    return found


def _lacking(extra: str, *, absent: bool) -> list[str]:
    return [
        f"{extra}: {library.name}{library.wanted} wanted, {library.version or 'absent'} "
        f"({library.fix})"
        for library in packages.of_extra(extra)
        if not library.good and (absent or library.version)
    ]


def _unlisted() -> list[packages.Library]:
    """Libraries of targets that the installed metadata does not name: an older installation's."""
    listed = {canonicalize_name(library.name) for library in packages.libraries()}
    rtx = [name for name in (*_RTX, *_FULL_TRT) if version_of(name)] or [_RTX[0]]
    needs = [(target.name, name) for target in TARGETS for name in target.exports]
    needs += [("trt", name) for name in rtx]
    found = {}
    for target, name in needs:
        if name not in listed:
            found[name] = packages.Library(name, version_of(name), "", target)
    return list(found.values())


def _fix(extra: str) -> str:
    return f"pip install '{packages.SELF}[{extra}]'"
