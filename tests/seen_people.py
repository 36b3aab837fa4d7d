"""People with attributes, and what a made-up target shows of their photographs."""

from __future__ import annotations

import torch
from torch import Tensor

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.gallery.seen import Seen

SCHEMA = AttributeSchema(
    "toy", ("hat", "red", "bag", "coat", "short", "dress"), words={"hat": ("hat", "no hat")}
)


def seen_people(
    count: int = 40, each: int = 4, noise: float = 1.0, blind: float = 3.0, seed: int = 0
) -> tuple[Seen, Tensor, Tensor, Tensor]:
    """Features that show six attributes, an embedding that shows little of who it is.

    Args:
        count: people.
        each: photographs of one, under two cameras in turn.
        noise: of the features.
        blind: noise of the embedding, whose signal has length 1 a number.
        seed: of everything.

    Returns:
        What is seen, labels (N, 6), people and cameras (N,).
    """
    draw = torch.Generator().manual_seed(seed)
    labels = (torch.rand(count, 6, generator=draw) < 0.5).to(torch.int8)
    people = torch.arange(count).repeat_interleave(each)
    rows = labels[people].float()
    mixed = (rows - 0.5) @ torch.randn(6, 20, generator=torch.Generator().manual_seed(99))
    features = mixed + noise * torch.randn(len(people), 20, generator=draw)
    who = torch.randn(count, 8, generator=draw)[people]
    embedding = who + blind * torch.randn(len(people), 8, generator=draw)
    return Seen(embedding, features), labels[people], people, torch.arange(len(people)) % 2
