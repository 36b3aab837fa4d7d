"""A step of training that several processes share: gradients by ``DistributedDataParallel``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.processes import count
from torchreid_amd.engine.processes.synchronised import synchronise
from torchreid_amd.interpreter.interpreter import Interpreter

Computes = Callable[[Interpreter, Any, Tensor], Any]


class _Learner(nn.Module):
    """What the head does in a step, as a module: the head is in it, the frozen target is not."""

    def __init__(self, learner: Interpreter, compute: Computes) -> None:
        super().__init__()
        self.head = learner.head
        self.compute = compute
        self._of = (learner,)  # a tuple: the target's weights are none of this module's

    def forward(self, images: Any, labels: Tensor) -> Any:
        return self.compute(self._of[0], images, labels)


def shared_step(learner: Interpreter, compute: Computes) -> Callable[[Any, Tensor], Any]:
    """A step on each process's part of a batch, whose gradients are those of the whole batch.

    Args:
        learner: what the step computes with; its head is changed to look at whole batches.
        compute: (learner, images, labels) -> tensors with gradient.

    Returns:
        (images, labels) -> the same tensors.
    """
    synchronise(learner.head)
    device = learner.device
    return DistributedDataParallel(
        _Learner(learner, compute),
        device_ids=[device] if device.type == "cuda" else None,
        static_graph=True,  # what a head does not use is found out in the first step
    )


def check_share(batch_size: int) -> None:
    """That every process gets as many photographs of a batch.

    Raises:
        InputError: the batch cannot be divided.
    """
    if batch_size % count():
        raise InputError(
            f"train.batch_size is {batch_size}, which {count()} processes cannot share evenly; it is that of "
            f"all of them together: give a multiple of {count()}"
        )


def agree(head: nn.Module) -> None:
    """Give every process the head that the first one has, whatever drifted apart."""
    if count() > 1:
        for value in head.state_dict().values():
            dist.broadcast(value, 0)
