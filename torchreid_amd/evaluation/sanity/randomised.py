"""Sanity: scores of an interpreter that cannot know anything must fall to chance.

Adebayo et al., *Sanity Checks for Saliency Maps*, NeurIPS 2018, https://arxiv.org/abs/1810.03292.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from torchreid_amd.evaluation.data.decomposed_images import DecomposedImages
from torchreid_amd.evaluation.statistics import Interval, Mean, spearman
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.interpreter import Interpreter, create_interpreter

NOISE_LEVELS = 2.0  #: standard deviation of the noise for stability, in grey levels of 255


def with_randomised_target(interpreter: Interpreter, seed: int = 0) -> Interpreter:
    """A copy whose target's weights are shuffled, each tensor within itself; the head is kept."""
    made = copy.deepcopy(interpreter)
    _shuffle(made.target.model, seed)
    return made.eval()


def with_randomised_head(interpreter: Interpreter, seed: int = 0) -> Interpreter:
    """The same target with a head that was never trained.

    A head that no registry knows gets its weights shuffled instead.
    """
    if not interpreter.head_name:
        head = copy.deepcopy(interpreter.head)
        _shuffle(head, seed)
        return Interpreter(
            interpreter.target, head, interpreter.attributes, interpreter.metric, interpreter.form
        ).eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return create_interpreter(
            interpreter.target,
            interpreter.head_name,
            interpreter.attributes,
            interpreter.metric,
            interpreter.form,
            **interpreter.head_options,
        )


@torch.no_grad()
def _shuffle(module: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for values in module.parameters():
        order = torch.randperm(values.numel(), generator=generator).to(values.device)
        values.copy_(values.flatten()[order].reshape(values.shape))


def with_shuffled_labels(
    query: DecomposedImages, gallery: DecomposedImages, seed: int = 0
) -> tuple[DecomposedImages, DecomposedImages]:
    """The same images with the labels of other people: identities exchange theirs."""
    pids = torch.unique(torch.cat([query.pids, gallery.pids]))
    generator = torch.Generator().manual_seed(seed)
    exchanged = pids[torch.randperm(len(pids), generator=generator)]
    theirs: dict[int, Tensor] = {}
    for side in (query, gallery):
        theirs.update(zip(side.pids.tolist(), side.known_labels, strict=True))
    given = {int(p): theirs[int(other)] for p, other in zip(pids, exchanged, strict=True)}
    query, gallery = (
        DecomposedImages(
            side.embedding,
            side.components,
            side.pids,
            side.camids,
            torch.stack([given[int(p)] for p in side.pids]),
        )
        for side in (query, gallery)
    )
    return query, gallery


def exchanged_attributes(num_attributes: int, seed: int = 0) -> list[int]:
    """An order of the attributes in which none stays in its place."""
    order = torch.randperm(num_attributes, generator=torch.Generator().manual_seed(seed)).tolist()
    moved = [0] * num_attributes
    for k, following in zip(order, order[1:] + order[:1], strict=True):
        moved[k] = following
    return moved


def fell(interval: Interval | None, chance: float | None) -> bool | None:
    """Whether a score is no better than chance: its interval does not lie above it."""
    return None if interval is None or chance is None else interval[0] <= chance


class Stability:
    """How alike the contributions of a pair are with and without a little noise in the pixels.

    ``moved``: ½ Σ |p_k − p'_k|, the part of the whole that changes attribute, in percent;
    ``spearman``: rank correlation of the shares.
    """

    def __init__(self) -> None:
        self.mean = Mean(2)

    @torch.no_grad()
    def update(self, decomposer: Decomposer, images: Tensor, identity: int, seed: int = 0) -> None:
        """Add one pair of images (2, 3, H, W)."""
        generator = torch.Generator().manual_seed(seed)
        std = torch.tensor(decomposer.norm_std).view(1, 3, 1, 1)
        noise = torch.randn(images.shape, generator=generator) * NOISE_LEVELS / 255 / std
        shares = []
        for seen in (images, images + noise.to(images.device)):
            out = decomposer.decompose(seen)
            shares.append(decomposer.interpreter.compare(out[0], out[1]).shares[0].double().cpu())
        moved = 50 * (shares[0] - shares[1]).abs().sum()
        rho = spearman(shares[0].numpy(), shares[1].numpy())
        self.mean.update(torch.tensor([[float(moved), rho]]), identity=torch.tensor([identity]))

    def record(self) -> dict[str, object]:
        """Values and intervals, JSON-ready."""
        names = ("moved", "spearman")
        return {
            "noise": NOISE_LEVELS,
            "values": dict(zip(names, self.mean.values, strict=True)),
            "intervals": dict(zip(names, self.mean.intervals, strict=True)),
        }
