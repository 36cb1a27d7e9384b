"""The processes that train a net together: a single one, or those that ``torchrun`` started."""

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
    """A process of a team: its torch device, its rank from 0, and the size of the team."""

    device: str = "cpu"
    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes the files and the output."""
        return self.rank == 0

    @property
    def kind(self) -> str:
        """The device type: ``cpu`` or ``cuda``."""
        return self.device.split(":", maxsplit=1)[0]

    def share(self, net: nn.Module) -> nn.Module:
        """Wrap the net so that its gradients are averaged over the team."""
        return DistributedDataParallel(net) if self.size > 1 else net

    def part(self, batch: int) -> range:
        """Return this process's indices in a batch; equal parts, so that the means average.

        Raises:
            UsageError: the batch cannot be divided equally.
        """
        if batch % self.size:
            raise UsageError(f"--batch {batch} is no multiple of the {self.size} processes")
        return range(self.rank, batch, self.size)

    def means(self, values: list[float]) -> list[float]:
        """Return the mean of each value over the team, the same in every process."""
        if self.size == 1:
            return values
        shared = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(shared)
        means: list[float] = (shared / self.size).tolist()
        return means


@contextmanager
def team(device: str) -> Iterator[Team]:
    """Join the team that ``torchrun`` describes in the environment, and leave it at the end.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``; each of several processes on CUDA uses the GPU of
            its local rank.
    """
    # Other launchers than torchrun set WORLD_SIZE, too, but not the other variables.
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
        # A process that leaves while another still communicates with it aborts. No barrier after an
        # error: it would wait for the others, which torchrun terminates anyway.
        distributed.barrier()
    finally:
        distributed.destroy_process_group()
