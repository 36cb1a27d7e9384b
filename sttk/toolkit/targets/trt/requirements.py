"""The requirements of TensorRT: an ONNX graph, one of two libraries, and a CUDA device to run."""

from __future__ import annotations

from collections.abc import Sequence

from sttk.toolkit.host.machine import Gpu
from sttk.toolkit.host.packages import version_of
from sttk.toolkit.targets.requirements import YES, Ability, Requirements, fix, lacking

# Either TensorRT-RTX, which builds without a GPU, or the full one, whose builder needs one.
_RTX = ("tensorrt-rtx-cu13", "tensorrt-rtx-cu12", "tensorrt-rtx")
_FULL = ("tensorrt", "tensorrt-cu13", "tensorrt-cu12")
# docs.nvidia.com/deeplearning/tensorrt-rtx, support matrix; its builder also accepts 8.0.
_RTX_CAPABILITIES = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")


class TensorrtRequirements(Requirements):
    """The libraries that make the graph, and either TensorRT."""

    def ability(self, target: str, devices: Sequence[Gpu]) -> Ability:
        """See :class:`Requirements`."""
        graph = lacking(target, self.exports)
        rtx, full = _installed(_RTX), _installed(_FULL)
        if not rtx and not full:
            absent = f"no: TensorRT not installed ({fix(target)})"
            return Ability(target, False, absent, False, absent)
        if graph != YES:
            export = graph
        elif rtx:
            export = "yes (RTX)"
        else:
            export = "yes" if devices else "no: the full TensorRT's builder needs a CUDA device"
        run = _run(rtx, full, devices)
        return Ability(target, export.startswith(YES), export, run.startswith(YES), run)

    def libraries(self) -> tuple[str, ...]:
        """See :class:`Requirements`. If neither TensorRT is installed, name TensorRT-RTX."""
        there = [name for name in (*_RTX, *_FULL) if version_of(name)]
        return (*self.exports, *(there or _RTX[:1]))


def _installed(names: tuple[str, ...]) -> bool:
    return any(version_of(name) for name in names)


def _run(rtx: bool, full: bool, devices: Sequence[Gpu]) -> str:
    if not devices:
        return "no: no CUDA device"
    capability = devices[0].compute_capability
    if not full and rtx and capability not in _RTX_CAPABILITIES:
        return f"not known: TensorRT-RTX lists no compute capability {capability}"
    return f"yes, on {devices[0].name}"
