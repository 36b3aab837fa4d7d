"""Training steps for examples/benchmark.py: the package's, and those of the published loop."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import torchreid_amd as amd
from torchreid_amd.core import host
from torchreid_amd.engine.cache.parts import StoredTarget, compute, parts_of
from torchreid_amd.engine.learner import precision, quick_interpreter, with_target
from torchreid_amd.interpreter.contributions import shares_of
from torchreid_amd.interpreter.distances import get_distance
from torchreid_amd.interpreter.interpreter import Interpreter
from torchreid_amd.losses import AttributePriorLoss, MetricDistillationLoss, batch_pairs

Sides = tuple[Callable[[], Tensor], Callable[[], Tensor] | None]


def step(
    device: str, images: int, model: str, head: str, height: int, width: int, half: bool, cached: bool
) -> Sides:
    """A step without the optimizer: amd.fast, or from a cache; the published loop (additive: unfolded)."""
    batch, labels = batch_of(device, images, height, width)
    network = host.build_model(model)
    with torch.no_grad():  # batch statistics that fit, or all embeddings would be nearly the same
        network.train()(batch[:8].cpu())
    interpreter = amd.create_interpreter(network, head, name=model).to(device)
    plain = copy.deepcopy(interpreter).train()
    quick, layout, _ = quick_interpreter(interpreter, half)
    given: Any = batch
    if cached:
        given = compute(quick.target, batch, parts_of(quick.head))
        quick = with_target(interpreter, StoredTarget(interpreter.target, layout))
    quick.train()
    context, _ = precision(torch.device(device), half)

    def ours() -> Tensor:
        with context():
            if hasattr(quick.head, "loss"):
                return stepped(quick, torch.stack([*quick.head.loss(quick.target, given, labels).values()]))
            out = quick(given)
        return stepped(quick, losses(out.embedding, out.components, labels))

    def unfolded() -> Tensor:
        return stepped(plain, torch.stack([*plain.head.loss(plain.target, batch, labels).values()]))

    if hasattr(plain.head, "loss"):
        return ours, unfolded
    plain.target.model.requires_grad_(True)  # as published: gradients go through frozen layers
    return ours, lambda: stepped(plain, losses(*published(plain, batch), labels))


def batch_of(device: str, images: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Photographs of noise and labels of chance (B, 26)."""
    batch = torch.rand(images, 3, height, width, device=device)
    return batch, torch.randint(0, 2, (images, 26), device=device)


def published(interpreter: Interpreter, images: Tensor) -> tuple[Tensor, Tensor]:
    """Embeddings and components as the authors' loop computes them: a pass through the tail for each map."""
    target = interpreter.target
    early = target.stem(images)
    features = target.body(early)
    maps = interpreter.head(early, features)
    parts = [target.tail(maps[:, k : k + 1] * features) for k in range(maps.shape[1])]
    return target.tail(features), torch.stack(parts, 1)


def losses(embedding: Tensor, components: Tensor, labels: Tensor) -> Tensor:
    """Metric distillation and attribute prior (2,) of all pairs of a batch."""
    distance = get_distance("euclidean")
    i, j = batch_pairs(len(labels), labels.device)
    whole = distance.matrix(embedding, embedding)[i, j]
    parts = distance.matrix(*[components.transpose(0, 1)] * 2)[:, i, j].T
    distillation, prior = MetricDistillationLoss(), AttributePriorLoss()
    return torch.stack(
        [
            distillation.total(distillation(whole, parts)),
            prior.total(prior(shares_of(parts), labels[i], labels[j])),
        ]
    )


def stepped(interpreter: Interpreter, terms: Tensor) -> Tensor:
    """The losses, after their gradients were computed."""
    interpreter.zero_grad()
    terms.sum().backward()
    return terms.detach()
