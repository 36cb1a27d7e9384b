"""The style net in PyTorch: eager or compiled, on the CPU or on a CUDA device."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sttk.benchmarks.subjects.base import OnHost
from sttk.toolkit import styles
from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.runtimes.base import Node
from sttk.toolkit.training.layout import channels_last

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class TorchSubject(OnHost):
    """A style or checkpoint, as it was loaded.

    Args:
        style: a style as ``sttk.toolkit.styles.find`` takes it.
        precision: ``fp32``, ``bf16`` or ``fp16``; the lower ones by autocast, which keeps what
            they cannot hold in float32.
        compiled: whether torch.compile compiles it.
        device: ``cpu`` or ``cuda``.
        threads: the CPU threads that it may use.

    Raises:
        NotRunError: there is no such device.
    """

    notes: tuple[str, ...]

    def __init__(
        self, style: str, precision: str, compiled: bool, device: str, threads: int
    ) -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise NotRunError("not run: no CUDA device, or a torch without CUDA")
        torch.set_num_threads(threads)
        self._device = torch.device(device)
        self._type = _TYPES[precision]
        net = styles.find(style).to(self._device)
        if device == "cuda":
            net = channels_last(net)
        self._net: Callable[[Tensor], Tensor] = torch.compile(net) if compiled else net
        self.notes = (f"on {torch.cuda.get_device_name()}",) if device == "cuda" else ()
        self._last = torch.zeros(1, 3, 64, 64)

    def run(self, batch: Floats) -> Floats:
        """See :class:`Subject`."""
        self._last = self._to_device(batch)
        return self._to_host(self._forward(self._last))

    def timed(self, batch: Floats) -> tuple[float, Floats]:
        """See :class:`Subject`."""
        if self._device.type == "cuda":
            return self._timed_on_device(batch)
        return super().timed(batch)

    def profile(self) -> list[Node]:
        """Return the kinds of operations, each with its time in one more run."""
        os.environ["KINETO_LOG_LEVEL"] = "10"  # else it says when it starts and stops
        with torch.profiler.profile() as found:
            self._forward(self._last)
        return [
            Node(each.key, each.key, each.self_cpu_time_total / 1e6)
            for each in found.key_averages()
        ]

    def _timed_on_device(self, batch: Floats) -> tuple[float, Floats]:
        """Time a run between two events on the device's own stream, with nothing else on it."""
        picture = self._to_device(batch)
        torch.cuda.synchronize()
        event: Any = torch.cuda.Event  # untyped
        began, ended = event(enable_timing=True), event(enable_timing=True)
        began.record()
        output = self._forward(picture)
        ended.record()
        torch.cuda.synchronize()
        return began.elapsed_time(ended) / 1e3, self._to_host(output)

    def _forward(self, picture: Tensor) -> Tensor:
        lower = self._type != torch.float32
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, self._type, enabled=lower),
        ):
            return self._net(picture)

    def _to_device(self, batch: Floats) -> Tensor:
        return torch.from_numpy(batch).to(self._device)

    @staticmethod
    def _to_host(output: Tensor) -> Floats:
        array: Floats = output.float().cpu().numpy()
        return array
