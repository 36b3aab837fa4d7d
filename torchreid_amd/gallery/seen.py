"""What a target's own layers show of a photograph: its embedding, and its feature maps row by row.

A person stands upright in the box, so the mean of each channel over a row of the map says what is
seen at the height of the head, the chest, the legs. The early maps keep colours and textures that the
embedding of a model trained elsewhere has thrown away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.images import ImageLike, image_name
from torchreid_amd.core.progress_bar import progress
from torchreid_amd.interpreter.decomposer import BATCH, Decomposer
from torchreid_amd.targets.target import Target

ROWS = 8  #: of a feature map, at most
MOST = 1024  #: numbers that a feature map gives, unless it has more channels: a map of many has fewer rows


@dataclass(frozen=True)
class Seen:
    """What is seen of N photographs.

    Attributes:
        embedding: (N, D) the target's embeddings.
        features: (N, F) means of the target's feature maps over rows of cells.
    """

    embedding: Tensor
    features: Tensor

    def __len__(self) -> int:
        return len(self.embedding)

    def normalized(self) -> Seen:
        """Embeddings at unit length (torchreid's ``normalize_feature``)."""
        return Seen(functional.normalize(self.embedding), self.features)

    def part(self, rows: Tensor | slice) -> Seen:
        """Some of the photographs: a slice, indices or a mask."""
        return Seen(self.embedding[rows], self.features[rows])


@torch.no_grad()
def rows_of(target: Target, images: Tensor) -> Seen:
    """What a target shows of images (B, 3, H, W) in its own precision."""
    levels, features = target.levels(images)
    parts = [
        functional.adaptive_avg_pool2d(m, (min(m.shape[2], max(1, min(ROWS, MOST // m.shape[1]))), 1))
        for m in levels
    ]
    return Seen(target.tail(features), torch.cat([part.flatten(1) for part in parts], 1))


def look(decomposer: Decomposer, photographs: Sequence[ImageLike], batch_size: int = BATCH) -> Seen:
    """What the target shows of photographs, on the CPU in float32; a batch of them is held at a time.

    Raises:
        InputError: there is none, one cannot be read, or what is seen of it is not finite.
    """
    if not len(photographs):
        raise InputError("no photograph was given; expected at least one")
    parts = []
    starts = range(0, len(photographs), batch_size)
    for start in progress(starts, "looking at photographs", len(photographs), batch_size):
        given = photographs[start : start + batch_size]
        found = rows_of(decomposer.interpreter.target, decomposer.read(given))
        found = Seen(found.embedding.float().cpu(), found.features.float().cpu())
        wrong = ~(found.embedding.isfinite().all(1) & found.features.isfinite().all(1))
        if wrong.any():
            at = int(wrong.nonzero()[0])
            name = image_name(given[at]) or f"photograph {start + at + 1}"
            raise InputError(f"the model's features of {name!r} are not finite; check the target's weights")
        parts.append(found)
    return joined(parts)


def joined(parts: Iterable[Seen]) -> Seen:
    """Photographs one after the other."""
    every = list(parts)
    return Seen(torch.cat([p.embedding for p in every]), torch.cat([p.features for p in every]))
