"""What a training step computes with: the interpreter itself, or one that is quicker on the same head."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from torchreid_amd.core.devices import has_bf16
from torchreid_amd.engine.small_maps import by_products
from torchreid_amd.interpreter.interpreter import Interpreter
from torchreid_amd.targets.folding import QuickTarget, layout_for
from torchreid_amd.targets.target import Target

Precision = Callable[[], AbstractContextManager[Any]]


def with_target(interpreter: Interpreter, target: Target) -> Interpreter:
    """An interpreter with the same head on another form of the same target."""
    return Interpreter(
        target, interpreter.head, interpreter.attributes, interpreter.metric, interpreter.form
    ).train(interpreter.training)


def compute(learner: Interpreter, images: Any, labels: Tensor) -> Any:
    """What the head makes of a batch, with gradient.

    Args:
        learner: the interpreter, or a quicker one on the same head.
        images: (B, 3, H, W), or, in a cached training, what the target makes of them.
        labels: (B, M) of 1 yes, 0 no, −1 unknown.

    Returns:
        The named terms of its loss, where the head has one of its own; else embeddings (B, D) and components
        (B, M, D).
    """
    if hasattr(learner.head, "loss"):  # a head that is not taught by distances
        return learner.head.loss(learner.target, images, labels)
    out = learner(images)
    return out.embedding, out.components


def quick_interpreter(interpreter: Interpreter, half: bool) -> tuple[Interpreter, torch.memory_format, str]:
    """The interpreter on a folded copy of its target, the layout of maps, and what was done in words.

    The head is the same object; the layout of its weights in memory may change, their values do not. Steps
    in single precision give the same losses to 1e-4.

    Args:
        interpreter: on the device where it will learn.
        half: whether steps are in half precision.
    """
    layout = layout_for(interpreter.target.model, half)
    target = QuickTarget(interpreter.target, layout)
    interpreter.head.to(memory_format=layout)
    if half:
        by_products(interpreter.head)
    first = "last" if layout == torch.channels_last else "first"
    done = f"{target.folded} batch normalisations folded, channels {first}"
    return with_target(interpreter, target), layout, done


def quicken(optimizer: Any, device: torch.device) -> None:
    """Let PyTorch's Adam go over its numbers once a step, where a CPU trains; the result is the same."""
    if type(optimizer) in (torch.optim.Adam, torch.optim.AdamW) and device.type == "cpu":
        for group in optimizer.param_groups:
            group["fused"] = True


def precision(device: torch.device, amp: bool) -> tuple[Precision, str]:
    """What a step runs in, and that in words.

    Args:
        device: where it runs.
        amp: whether bfloat16 is wanted.
    """
    if not amp:
        return partial(torch.autocast, device.type, enabled=False), "float32"
    if not has_bf16(device):
        return partial(torch.autocast, device.type, enabled=False), "float32 (this machine has no bfloat16)"
    return partial(torch.autocast, device.type, torch.bfloat16), "bfloat16, distances in float32"
