"""X-mAP_e, X-mAP_c and the exclusive hit rates: does the interpreter name the right attributes?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from torchreid_amd.evaluation.baselines import random_average_precision, random_hits
from torchreid_amd.evaluation.mean import Mean
from torchreid_amd.evaluation.ranked_pairs import (
    common_average_precision,
    exclusive_average_precision,
    exclusive_hits,
    pair_labels,
    rank_pairs,
)

_STATES = ("exclusive", "common", "hit", "hit_by_attribute")


class AttributeScores:
    """Sums and counts of the attribute scores over annotated pairs.

    A pair counts for X-mAP_e and the hit rates where it has an exclusive attribute, for X-mAP_c
    where it has a common one, and for nothing where no attribute is known of both persons.

    Args:
        attributes: M.
    """

    def __init__(self, attributes: int) -> None:
        self.exclusive = Mean()
        self.common = Mean()
        self.hit = Mean()
        self.hit_by_attribute = Mean(attributes)

    def update(
        self, shares: Tensor, labels_i: Tensor, labels_j: Tensor, weight: Tensor | None = None
    ) -> None:
        """Add pairs.

        Args:
            shares: (P, M) shares, or anything proportional to them within a pair.
            labels_i, labels_j: (P, M) 1 yes, 0 no, −1 unknown.
            weight: (P,) how often each pair counts; once where it is None.
        """
        ranked = rank_pairs(shares, labels_i, labels_j)
        self._add(
            exclusive_average_precision(ranked),
            common_average_precision(ranked),
            exclusive_hits(ranked),
            labels_i,
            labels_j,
            weight,
        )

    def update_random(self, labels_i: Tensor, labels_j: Tensor, weight: Tensor | None = None) -> None:
        """Add pairs as a random order is expected to score on them.

        A random order has no shares, so the rule for N = 0 finds no error there.
        """
        exclusive, known = pair_labels(labels_i, labels_j)
        n, m = exclusive.sum(1), known.sum(1)
        self._add(
            random_average_precision(n, m),
            random_average_precision(m - n, m),
            random_hits(labels_i, labels_j),
            labels_i,
            labels_j,
            weight,
        )

    def _add(
        self,
        exclusive_ap: Tensor,
        common_ap: Tensor,
        hits: Tensor,
        labels_i: Tensor,
        labels_j: Tensor,
        weight: Tensor | None,
    ) -> None:
        exclusive, known = pair_labels(labels_i, labels_j)
        n, m = exclusive.sum(1), known.sum(1)
        times = n.new_ones(n.shape) if weight is None else weight
        self.exclusive.update(exclusive_ap, times * (n > 0))
        self.common.update(common_ap, times * (n < m))
        self.hit.update(hits.sum(1) / n.clamp_min(1), times * (n > 0))
        self.hit_by_attribute.update(hits, times.unsqueeze(1) * exclusive)

    def merge(self, other: AttributeScores) -> AttributeScores:
        """Add the state of another process or block; gives itself."""
        for state in _STATES:
            getattr(self, state).merge(getattr(other, state))
        return self

    def percent(self) -> dict[str, float | None]:
        """``X-mAP_e``, ``X-mAP_c`` and ``exclusive_hit_rate`` in percent; None without pairs.

        The hit rate is the mean over pairs of the share of the top N that is exclusive.
        """
        means = {"X-mAP_e": self.exclusive, "X-mAP_c": self.common, "exclusive_hit_rate": self.hit}
        return {name: None if mean.value is None else 100 * mean.value for name, mean in means.items()}

    def percent_by_attribute(self) -> list[float | None]:
        """M hit rates in percent: of the pairs that differ in it, where is it among the top N?"""
        return [None if value is None else 100 * value for value in self.hit_by_attribute.values]

    def to_dict(self) -> dict[str, Any]:
        """The state, JSON-ready; :meth:`from_dict` reads it back."""
        return {state: getattr(self, state).to_dict() for state in _STATES}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AttributeScores:
        """Read what :meth:`to_dict` wrote."""
        scores = cls(len(data["hit_by_attribute"]["total"]))
        for state in _STATES:
            setattr(scores, state, Mean.from_dict(data[state]))
        return scores
