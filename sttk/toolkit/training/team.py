"""The processes that train one net together: one alone, or those that ``torchrun`` started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from sttk.toolkit.core.errors import UsageError


@dataclass(frozen=True)
class Team:
    """This process among ``size``, numbered ``rank`` from 0, with its torch device."""

    device: str = "cpu"
    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and talks to people."""
        return self.rank == 0

    @property
    def kind(self) -> str:
        """``cpu`` or ``cuda``."""
        return self.device.split(":", maxsplit=1)[0]

    def share(self, net: nn.Module) -> nn.Module:
        """The net with its gradients averaged over the team when they are computed."""
        return DistributedDataParallel(net) if self.size > 1 else net

    def part(self, batch: int) -> range:
        """Which pictures of a batch are this process's: equal parts, whose mean is the whole's.

        Raises:
            UsageError: the batch cannot be divided equally.
        """
        if batch % self.size:
            raise UsageError(f"--batch {batch} is no multiple of the {self.size} processes")
        return range(self.rank, batch, self.size)

    def means(self, values: list[float]) -> list[float]:
        """Of each value over the team, the same in every process."""
        if self.size == 1:
            return values
        shared = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(shared)
        means: list[float] = (shared / self.size).tolist()
        return means


@contextmanager
def team(device: str) -> Iterator[Team]:
    """The team of this process, as ``torchrun`` states it in the environment.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``; of several processes on CUDA each takes the GPU of
            its number on this machine.
    """
    # Others than torchrun set WORLD_SIZE, too, without the rest.
    size = int(os.environ["WORLD_SIZE"]) if distributed.is_torchelastic_launched() else 1
    if size == 1:
        yield Team(device)
        return
    cuda = device.startswith("cuda")
    if cuda:
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Team(device, distributed.get_rank(), size)
        # One that leaves while another still talks to it aborts. Not after an error: who raised it
        # would wait for those that did not, and torchrun ends these anyway.
        distributed.barrier()
    finally:
        distributed.destroy_process_group()
