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
        yes_i, yes_j: (q, M) and (g, M) float, 1 yes and 0 no; 0 where nothing is known.
        kept: (q, g) float, 1 where a pair counts.
        exclusive: (q, g) int64, N: in how many attributes the two differ.
        weights: (q, 4, g), each 0 where a pair does not count: 1 where N > 0; 1/N where N > 0; 1/(M − N)
            where N < M; the last where N > 0 as well.
        alike: queries and gallery images (P,) of the pairs that count and have N = 0.
    """

    yes_i: Tensor
    yes_j: Tensor
    kept: Tensor
    exclusive: Tensor
    weights: Tensor
    alike: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, labels_i: Tensor, labels_j: Tensor, kept: Tensor) -> KnownLabels:
        """Those of a :class:`LabelledBlock`."""
        yes_i, yes_j = (labels.clamp_min(0).float() for labels in (labels_i, labels_j))
        attributes = yes_i.shape[1]
        n = torch.addmm(yes_j.sum(1), yes_i, yes_j.T, alpha=-2).add_(yes_i.sum(1, keepdim=True))
        weights = torch.empty(len(yes_i), 4, len(yes_j), device=n.device)
        some, per_exclusive, per_common, per_common_of_both = weights.unbind(1)
        one = kept.float()
        torch.mul(n.clamp_max(1), one, out=some)
        torch.div(some, n.clamp_min(1), out=per_exclusive)
        rest = n.neg().add_(attributes)
        torch.div(rest.clamp_max(1).mul_(one), rest.clamp_min_(1), out=per_common)
        torch.mul(per_common, some, out=per_common_of_both)
        exclusive = n.long()
        alike = ((exclusive == 0) & kept).nonzero().unbind(1)
        return cls(yes_i, yes_j, one, exclusive, weights, (alike[0], alike[1]))

    @cached_property
    def counts(self) -> Tensor:
        """(q, 4 + 2M) float64: how many pairs of a query count for each of the scores."""
        some, _, common, both = (self.weights.sign().sum(2).double()).unbind(1)
        with_yes, with_no = self.kept @ self.yes_j, self.kept @ (1 - self.yes_j)
        has = self.yes_i > 0
        by_attribute = [torch.where(has, with_no, with_yes), torch.where(has, with_yes, with_no)]
        return torch.cat([torch.stack([some, common, some, both], 1), *by_attribute], 1)
