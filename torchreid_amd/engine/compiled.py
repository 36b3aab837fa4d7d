"""Steps by ``torch.compile``, where that works; where it does not, as they were, and it is said."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as tree

from torchreid_amd.core.processes import count
from torchreid_amd.core.seeds import seeded
from torchreid_amd.engine.cache.parts import compute as parts
from torchreid_amd.engine.cache.parts import parts_of
from torchreid_amd.engine.learner import Precision, compute
from torchreid_amd.targets.target import Target
from torchreid_amd.targets.tracing import noise

Step = Callable[[Any, Tensor], Any]


def compiled_step(engine: Any, quick: Target) -> tuple[Step, str]:
    """What an engine's head makes of a batch, compiled for such as it will have; and what was done in words.

    Args:
        engine: an :class:`~torchreid_amd.engine.engine.ImageAMDEngine`, ready for steps.
        quick: the form of its target that makes what is cached, where that is so.
    """
    if count() > 1:
        return engine.step, "not compiled (several processes share them)"
    size, items = engine.config.train.batch_size, engine.train_loader.dataset.train
    head = engine.model.head
    images: Any = noise(size, engine.decomposer.size, engine.device)
    if engine.config.amd.cache:
        images = parts(quick, images, parts_of(head))
    some = [items[n % len(items)] for n in range(size)]
    batch = {"impath": [item[0] for item in some], "dsetid": [item[3] for item in some]}
    labels = torch.from_numpy(engine.labels.train(batch)).to(engine.device)
    training = head.training
    try:
        return compiled(partial(compute, engine.learner), head.train(), images, labels, engine.precision)
    finally:
        head.train(training)


def compiled(
    step: Step, head: nn.Module, images: Any, labels: Tensor, precision: Precision
) -> tuple[Step, str]:
    """A step that is compiled now, on a batch whose effects are taken back; and what was done in words.

    Compiling can fail in many ways that concern nobody's training (there is no C++ compiler, a layer cannot
    be traced …), so whatever is raised is a reason to compute the step as before.

    Args:
        step: images, labels -> tensors with gradient.
        head: what learns in it, in the mode of training.
        images: of the size and the number of those to come.
        labels: (B, M), likewise.
        precision: what steps run in.
    """
    quick: Step = torch.compile(step, dynamic=False)
    before = copy.deepcopy(head.state_dict())
    try:
        with seeded([0]):
            with precision():
                made = quick(images, labels)
            tensors = [t for t in tree.tree_leaves(made) if isinstance(t, Tensor) and t.requires_grad]
            torch.stack([t.float().mean() for t in tensors]).sum().backward()
        return quick, "compiled"
    except Exception as error:  # of the compiler, or of what it calls
        return step, f"not compiled ({_reason(error)})"
    finally:
        head.load_state_dict(before)
        head.zero_grad(set_to_none=True)


def _reason(error: Exception) -> str:
    """What was wrong, in one line: its kind and the first sentence that says something."""
    inner = getattr(error, "inner_exception", None) or error
    said = next((line.strip() for line in str(inner).splitlines() if line.strip()), "")
    return f"{type(inner).__name__}: {said[:100]}" if said else type(inner).__name__
