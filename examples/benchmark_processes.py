"""A training step shared by two processes, for examples/benchmark.py; the second runs this file.

python examples/benchmark_processes.py DEVICE IMAGES MODEL HEAD HEIGHT WIDTH     # with torchrun's environment
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor

import torchreid_amd as amd
from torchreid_amd.config import get_default_config
from torchreid_amd.core import host
from torchreid_amd.core.errors import LostProcess
from torchreid_amd.core.processes import by_first, joined, share
from torchreid_amd.engine.learner import compute, quick_interpreter
from torchreid_amd.engine.pair_loss import PairLoss
from torchreid_amd.engine.processes.shared_step import shared_step
from torchreid_amd.interpreter.interpreter import Interpreter

Sides = tuple[Callable[[], Tensor], Callable[[], Tensor] | None]
_group = ExitStack()  #: open as long as this process is one of two


def shared(device: str, images: int, model: str, head: str, height: int, width: int) -> Sides:
    """A step without the optimizer (amd.fast) on half of the batch in each of two processes; in one."""
    learner, batch, labels = _made(device, images, model, head, height, width)
    steps: list[Callable[[], Tensor]] = []

    def ours() -> Tensor:
        if not steps:
            _start_another(device, images, model, head, height, width)
            _group.enter_context(joined(device == "cuda"))
            steps.append(_step(learner, batch, labels, shared_step(learner, compute)))
        by_first(lambda: True)  # lets the other begin, too
        return steps[0]()

    return ours, _step(learner, batch, labels, None)


def _made(
    device: str, images: int, model: str, head: str, height: int, width: int
) -> tuple[Interpreter, Tensor, Tensor]:
    torch.manual_seed(0)
    batch = torch.rand(images, 3, height, width, device=device)
    labels = torch.randint(0, 2, (images, 26), device=device)
    network = host.build_model(model)
    with torch.no_grad():  # batch statistics that fit, or all embeddings would be nearly the same
        network.train()(batch[:8].cpu())
    interpreter = amd.create_interpreter(network, head, name=model).to(device)
    return quick_interpreter(interpreter, False)[0].train(), batch, labels


def _step(learner: Interpreter, batch: Tensor, labels: Tensor, run: Any) -> Callable[[], Tensor]:
    loss = PairLoss(get_default_config(), learner.attributes, learner.metric)

    def step() -> Tensor:
        mine = share(range(len(batch)))
        own = slice(mine[0], mine[-1] + 1)
        made = run(batch[own], labels[own]) if run else compute(learner, batch, labels)
        own_labels = labels[own]
        learner.zero_grad()
        whole = (
            torch.stack(list(made.values())).sum()
            if isinstance(made, dict)
            else loss(*made, own_labels, 1)[0]
        )
        whole.backward()
        return whole.detach().reshape(1)

    return step


def _start_another(*size: Any) -> None:
    """A second process on this machine, for as long as this one lives."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    os.environ |= {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": port}
    command = [sys.executable, "-W", "ignore", __file__, *map(str, size)]
    subprocess.Popen(
        command, env=os.environ | {"RANK": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def main(device: str, images: str, model: str, head: str, height: str, width: str) -> None:
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    learner, batch, labels = _made(device, int(images), model, head, int(height), int(width))
    with joined(device == "cuda"):
        step = _step(learner, batch, labels, shared_step(learner, compute))
        while by_first(lambda: False):
            step()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (LostProcess, SystemExit):  # the benchmark has ended
        pass
