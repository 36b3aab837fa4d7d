"""Rows that several processes have of one batch or one table, put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from torchreid_amd.core.processes import count, rank, together


class _Gathered(torch.autograd.Function):
    """Rows of all processes; backward, each keeps the gradient of its own.

    The loss being the same in every process, the gradient of the sum of all of them is that many times the
    gradient of one: nothing has to be sent.
    """

    @staticmethod
    def forward(ctx: Any, mine: Tensor) -> Tensor:
        parts = [torch.empty_like(mine, memory_format=torch.contiguous_format) for _ in range(count())]
        dist.all_gather(parts, mine.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.chunk(count())[rank()] * count()


def whole_batch(mine: Tensor) -> Tensor:
    """The rows of a batch that all processes have together, in their order, with gradient; alone, its own.

    A loss of them has to be the same in every process. Gradients are then those of the *sum* of these
    losses, of which ``DistributedDataParallel`` takes the mean: those of one process with the whole batch.

    Args:
        mine: (B / processes, …), as many rows in every process.
    """
    if count() == 1:
        return mine
    gathered: Tensor = _Gathered.apply(mine)
    return gathered


def rows_of_all(mine: Sequence[Tensor]) -> Tensor:
    """The rows (N, …) of a table of which every process has some blocks (n, …), in their order; on the CPU.

    Args:
        mine: this process's blocks; none where it has no rows, unless it is alone.
    """
    if count() == 1:
        return torch.cat(list(mine))
    about = together([(len(block), block.shape[1:], block.dtype) for block in mine])
    sizes = [sum(length for length, *_ in blocks) for blocks in about]
    _, shape, dtype = next(block for blocks in about for block in blocks)
    found = torch.empty(sum(sizes), *shape, dtype=dtype)
    for source, part in enumerate(found.split(sizes)):
        if source == rank() and mine:
            torch.cat(list(mine), out=part)
        if len(part):
            dist.broadcast(part, source)
    return found
