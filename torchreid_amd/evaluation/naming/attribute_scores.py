"""X-mAP_e, X-mAP_c and the hit rates: does the interpreter name the right attributes?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from torchreid_amd.attributes.exclusive import pair_labels
from torchreid_amd.evaluation.naming.block_sums import Shares, block_sums, shares_of_block
from torchreid_amd.evaluation.naming.chance import random_average_precision, random_hits
from torchreid_amd.evaluation.naming.counted_places import MOST
from torchreid_amd.evaluation.naming.labelled_block import LabelledBlock
from torchreid_amd.evaluation.naming.ranked_pairs import (
    common_average_precision,
    common_hits,
    exclusive_average_precision,
    exclusive_hits,
    rank_pairs,
)
from torchreid_amd.evaluation.pairs.blocks import slices
from torchreid_amd.evaluation.statistics import Interval, Mean, percent

NAMES = ("X-mAP_e", "X-mAP_c", "exclusive_hit_rate", "common_hit_rate")

PAIRS = 2**16  #: ranked at a time on a GPU, and where labels are known in part


class AttributeScores:
    """Sums and counts of the attribute scores over annotated pairs, by the query's identity.

    A pair counts for X-mAP_e and the exclusive hit rate where it has an exclusive attribute, for
    X-mAP_c where it has a common one, for the common hit rate where it has both, and for nothing
    where no attribute is known of both persons.

    Args:
        num_attributes: M.
    """

    def __init__(self, num_attributes: int) -> None:
        self.num_attributes = num_attributes
        self.mean = Mean(len(NAMES) + 2 * num_attributes)

    def update(
        self,
        shares: Tensor,
        labels_i: Tensor,
        labels_j: Tensor,
        weight: Tensor | None = None,
        identity: Tensor | None = None,
    ) -> None:
        """Add pairs.

        Args:
            shares: (P, M) shares, or anything proportional to them within a pair.
            labels_i, labels_j: (P, M) 1 yes, 0 no, −1 unknown.
            weight: (P,) how often each pair counts; once where it is None.
            identity: (P,) the query's identity, for the intervals.
        """
        ranked = rank_pairs(shares, labels_i, labels_j)
        precision = (exclusive_average_precision(ranked), common_average_precision(ranked))
        hits = (exclusive_hits(ranked), common_hits(ranked))
        self._add(precision, hits, labels_i, labels_j, weight, identity)

    def update_block(self, shares: Shares | Tensor, block: LabelledBlock) -> None:
        """Add every pair of a block, as :meth:`update` does pair by pair.

        Args:
            shares: (M, q, g) as there, with the attributes first, of which the size counts, not the sign; or
                what writes their sizes where they are looked at.
            block: labels of the same pairs. A query without a pair counts for nobody.
        """
        write = shares_of_block(shares) if isinstance(shares, Tensor) else shares
        if block.kept.device.type == "cpu" and self.num_attributes <= MOST and block.known is not None:
            found = torch.stack([torch.from_numpy(block_sums(write, block.known)), block.known.counts], 1)
            rows = block.kept.any(1)
            self.mean.sums.add(found[rows], block.identity[rows])
            return
        queries, gallery = block.kept.shape
        for some in slices(queries, max(1, PAIRS // max(1, gallery))):
            kept = block.kept[some]
            looked_at = torch.empty(self.num_attributes, *kept.shape, device=kept.device)
            write(some, slice(None), looked_at)
            i, j = kept.nonzero().unbind(1)
            labels_i, identity = block.labels_i[some][i], block.identity[some][i]
            self.update(looked_at[:, i, j].T, labels_i, block.labels_j[j], None, identity)

    def update_random(
        self,
        labels_i: Tensor,
        labels_j: Tensor,
        weight: Tensor | None = None,
        identity: Tensor | None = None,
    ) -> None:
        """Add pairs as a random order is expected to score on them.

        A random order has no shares, so the rule for N = 0 finds no error there.
        """
        exclusive, known = pair_labels(labels_i, labels_j)
        n, m = exclusive.sum(1), known.sum(1)
        precision = (random_average_precision(n, m), random_average_precision(m - n, m))
        kept = (1 - n / m.clamp_min(1)).unsqueeze(1)  # probability not to be among the first N
        hits = (random_hits(labels_i, labels_j), (known & ~exclusive) * kept)
        self._add(precision, hits, labels_i, labels_j, weight, identity)

    def _add(
        self,
        precision: tuple[Tensor, Tensor],
        hits: tuple[Tensor, Tensor],
        labels_i: Tensor,
        labels_j: Tensor,
        weight: Tensor | None,
        identity: Tensor | None,
    ) -> None:
        exclusive, known = pair_labels(labels_i, labels_j)
        common = known & ~exclusive
        n, rest = exclusive.sum(1), common.sum(1)
        rates = (hits[0].sum(1) / n.clamp_min(1), hits[1].sum(1) / rest.clamp_min(1))
        counts = torch.stack([n > 0, rest > 0, n > 0, (n > 0) & (rest > 0)], 1)
        values = torch.cat([torch.stack([*precision, *rates], 1), *hits], 1)
        weights = torch.cat([counts, exclusive, common], 1)
        if weight is not None:
            weights = weights * weight.unsqueeze(1)
        self.mean.update(values, weights, identity)

    def merge(self, other: AttributeScores) -> AttributeScores:
        """Add the state of another process or block; gives itself."""
        self.mean.merge(other.mean)
        return self

    def percent(self) -> dict[str, float | None]:
        """``X-mAP_e``, ``X-mAP_c`` and the two hit rates in percent; None without pairs.

        The exclusive hit rate is the mean over pairs of the share of the top N that is exclusive,
        the common one that of the share of the others that is common.
        """
        return dict(zip(NAMES, _percents(self.mean.values), strict=False))

    def intervals(self) -> dict[str, Interval | None]:
        """95 % intervals of :meth:`percent`, over the queries' identities."""
        return {name: percent(i) for name, i in zip(NAMES, self.mean.intervals, strict=False)}

    def percent_by_attribute(self) -> list[float | None]:
        """M hit rates in percent: of the pairs that differ in it, where is it among the top N?"""
        return _percents(self.mean.values)[len(NAMES) :][: self.num_attributes]

    def common_percent_by_attribute(self) -> list[float | None]:
        """M hit rates in percent: of the pairs that agree in it, where is it not among the top N?"""
        return _percents(self.mean.values)[len(NAMES) + self.num_attributes :]

    def intervals_by_attribute(self) -> list[Interval | None]:
        """95 % intervals of :meth:`percent_by_attribute`."""
        return [percent(i) for i in self.mean.intervals[len(NAMES) :][: self.num_attributes]]

    @property
    def pairs(self) -> tuple[int, int]:
        """How many pairs X-mAP_e and X-mAP_c average over."""
        return int(self.mean.count[0]), int(self.mean.count[1])

    @property
    def pairs_by_attribute(self) -> list[int]:
        """M numbers of pairs that differ in the attribute."""
        return [int(n) for n in self.mean.count[len(NAMES) :][: self.num_attributes]]

    def to_dict(self) -> dict[str, Any]:
        """The state, JSON-ready; :meth:`from_dict` reads it back."""
        return {"attributes": self.num_attributes, "mean": self.mean.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AttributeScores:
        """Read what :meth:`to_dict` wrote."""
        scores = cls(int(data["attributes"]))
        scores.mean = Mean.from_dict(data["mean"])
        return scores


def _percents(values: list[float | None]) -> list[float | None]:
    return [None if value is None else 100 * value for value in values]
