"""What labels alone say of every pair of a block of photographs, found once for all rankings of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class LabelledBlock:
    """Queries × gallery.

    Attributes:
        labels_i, labels_j: (q, M) and (g, M) int, 1 yes, 0 no, −1 unknown.
        kept: (q, g) bool, which pairs count; none in which no attribute is known of both.
        identity: (q,) of the queries.
    """

    labels_i: Tensor
    labels_j: Tensor
    kept: Tensor
    identity: Tensor

    @cached_property
    def known(self) -> KnownLabels | None:
        """What can be counted at once; None where an image is known in some attributes and not in others."""
        for known in (self.labels_i >= 0, self.labels_j >= 0):
            if not torch.equal(known.any(1), known.all(1)):
                return None
        return KnownLabels.of(self.labels_i, self.labels_j, self.kept)


@dataclass(frozen=True)
class KnownLabels:
    """Counts of a block whose images are known in every attribute or in none.

    Attributes:
        yes_i, yes_j: (q, M) and (g, M) uint8, 1 yes and 0 no; 0 where nothing is known.
        exclusive: (q, g) uint8, N: in how many attributes the two differ; M + 1 where a pair does not count.
        counts: (q, 4 + 2M) float64: how many pairs of a query count for each of the scores.
    """

    yes_i: Tensor
    yes_j: Tensor
    exclusive: Tensor
    counts: Tensor

    @classmethod
    def of(cls, labels_i: Tensor, labels_j: Tensor, kept: Tensor) -> KnownLabels:
        """Those of a :class:`LabelledBlock`."""
        yes_i, yes_j = (labels.clamp_min(0).float() for labels in (labels_i, labels_j))
        attributes = yes_i.shape[1]
        n = torch.addmm(yes_j.sum(1), yes_i, yes_j.T, alpha=-2).add_(yes_i.sum(1, keepdim=True))
        exclusive = n.masked_fill_(~kept, attributes + 1).to(torch.uint8)
        number = kept.sum(1)
        some, common = (number - (exclusive == none).sum(1) for none in (0, attributes))
        one, has = kept.float(), yes_i > 0
        with_yes, with_no = one @ yes_j, one @ (1 - yes_j)
        by_attribute = [torch.where(has, with_no, with_yes), torch.where(has, with_yes, with_no)]
        counts = torch.cat([torch.stack([some, common, some, some + common - number], 1), *by_attribute], 1)
        return cls(yes_i.to(torch.uint8), yes_j.to(torch.uint8), exclusive, counts.double())
