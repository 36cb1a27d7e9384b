"""The measured peak rates of the machine: matrix products, convolutions and copies.

A peak from a data sheet ignores this machine's clock, cooling and other load.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

_SIDE = 2048
# On a processor without the instructions, a product of _SIDE takes a minute: so begin with a small
# one. Its rate is a little lower, which does not matter there.
_LEAST_SIDE = 256
_SIDE_ON_GPU = 8192
_COPIED = 1 << 28  # bytes: larger than any cache
_CHANNELS, _PICTURE = 256, 64
_SECONDS = 0.4  # for each measurement
COPY = "copy"

Try = tuple[str, float, Callable[[], object]]  # arithmetic, work, and the function that does it


class Peaks:
    """Measures peaks; it sets torch's number of threads and so needs a process of its own.

    Args:
        threads: the number of torch's threads.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(self, threads: int, device: str) -> None:
        torch.set_num_threads(threads)
        self._device = device
        self._side = _SIDE if device == "cpu" else _SIDE_ON_GPU

    def measure(self) -> dict[str, float]:
        """Return the peak rates by name.

        Each arithmetic has its multiplications a second, the best of several operations; ``copy``
        has the bytes read and written a second. On a GPU, each name has the prefix ``cuda``.
        Arithmetic that the device does not support is missing.
        """
        found: dict[str, float] = {}
        prefix = "" if self._device == "cpu" else f"{self._device} "
        for kind, work, run in self._tries():
            name = prefix + kind
            try:
                found[name] = max(found.get(name, 0.0), work / self._best(run))
            except RuntimeError:  # no such kernel here
                continue
        return found

    def _tries(self) -> Iterator[Try]:
        types = {"fp32": torch.float32, "bf16": torch.bfloat16}
        if self._device != "cpu":
            types["fp16"] = torch.float16
        for name, kind in types.items():
            yield self._fitted(partial(self._product, name, kind))
            yield self._convolution(name, kind)
        if self._device == "cpu":
            yield self._fitted(self._numpy_product)
        yield self._fitted(self._integer_product)
        yield self._copy()

    def _fitted(self, product: Callable[[int], Try]) -> Try:
        """Return the largest product, up to the device's side, that fits into ``_SECONDS``."""
        if self._device != "cpu":
            return product(self._side)
        side = _LEAST_SIDE
        while True:
            tried = product(side)
            # Twice the side is eight times the work.
            if 2 * side > self._side or 8 * self._seconds(tried[2]) > _SECONDS:
                return tried
            side *= 2

    def _seconds(self, run: Callable[[], object]) -> float:
        """Return the time of the shorter of two runs: the first one also prepares its kernel."""
        taken = []
        for _ in range(2):
            started = time.perf_counter()
            with contextlib.suppress(RuntimeError):  # no such kernel here: measure() handles it
                run()
            taken.append(time.perf_counter() - started)
        return min(taken)

    def _product(self, name: str, kind: torch.dtype, side: int) -> Try:
        a, b = (self._values((side, side), kind) for _ in range(2))
        return name, float(side) ** 3, lambda: torch.mm(a, b)

    def _convolution(self, name: str, kind: torch.dtype) -> Try:
        """Return a convolution as in style nets, in the memory layout that its kernels prefer.

        On an AMD processor, torch's float32 product (MKL) was seen to reach less than half its
        rate.
        """
        picture = self._values((1, _CHANNELS, _PICTURE, _PICTURE), kind)
        weight = self._values((_CHANNELS, _CHANNELS, 3, 3), kind)
        x, w = (each.contiguous(memory_format=torch.channels_last) for each in (picture, weight))
        work = float(w.numel()) * _PICTURE**2
        return name, work, lambda: torch.nn.functional.conv2d(x, w, padding=1)

    def _numpy_product(self, side: int) -> Try:
        a, b = (self._values((side, side), torch.float32).numpy() for _ in range(2))
        return "fp32", float(side) ** 3, lambda: a @ b

    def _integer_product(self, side: int) -> Try:
        shape = side, side
        a, b = (
            torch.randint(-128, 127, shape, dtype=torch.int8, device=self._device) for _ in range(2)
        )
        # The only product of int8 that torch has on every device.
        return "int8", float(side) ** 3, lambda: torch._int_mm(a, b.t())  # noqa: SLF001

    def _copy(self) -> Try:
        source = torch.empty(_COPIED, dtype=torch.uint8, device=self._device)
        target = torch.zeros_like(source)
        return COPY, 2.0 * _COPIED, lambda: target.copy_(source)

    def _values(self, shape: tuple[int, ...], kind: torch.dtype) -> Tensor:
        return torch.rand(shape, device=self._device).to(kind)

    def _best(self, run: Callable[[], object]) -> float:
        run()
        taken: list[float] = []
        ends = time.perf_counter() + _SECONDS
        while time.perf_counter() < ends or len(taken) < 3:
            self._wait()
            started = time.perf_counter()
            run()
            self._wait()
            taken.append(time.perf_counter() - started)
        # The second best: once a reading was a thousand times too good.
        return sorted(taken)[1]

    def _wait(self) -> None:
        if self._device == "cuda":
            torch.cuda.synchronize()
