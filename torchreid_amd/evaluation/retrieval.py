"""CMC and mAP by torchreid's own function, a few queries at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from torchreid_amd import host
from torchreid_amd.evaluation.mean import Mean

RANKS = (1, 5, 10, 20)


class Retrieval:
    """Sums over queries of what ``torchreid.metrics.evaluate_rank`` says about them.

    Gallery images of the query's identity under the query's camera are removed, and a query
    without any other image of its identity does not count, as in torchreid.

    Args:
        ranks: the ranks k at which the CMC curve is read.
    """

    def __init__(self, ranks: Sequence[int] = RANKS) -> None:
        self.ranks = tuple(ranks)
        self.cmc = Mean(len(self.ranks))
        self.average_precision = Mean()

    def update(
        self,
        distances: np.ndarray,
        query_pids: np.ndarray,
        gallery_pids: np.ndarray,
        query_camids: np.ndarray,
        gallery_camids: np.ndarray,
    ) -> None:
        """Add queries, each against the whole gallery.

        Args:
            distances: (Q, G) of any distance, smaller meaning nearer.
            query_pids, query_camids: (Q,) identities and cameras of the queries.
            gallery_pids, gallery_camids: (G,) the same of the gallery.
        """
        same = query_pids[:, None] == gallery_pids
        valid = int((same & (query_camids[:, None] != gallery_camids)).any(1).sum())
        if not valid:  # torchreid asserts that there is one
            return
        kept = (~same | (query_camids[:, None] != gallery_camids)).sum(1).min()
        missing = max(0, max(self.ranks) - int(kept))
        if missing:  # torchreid needs max_rank images for every query: strangers, farther than all
            stranger = min(gallery_pids.min(), query_pids.min()) - 1
            distances = np.pad(distances, ((0, 0), (0, missing)), constant_values=np.inf)
            gallery_pids = np.append(gallery_pids, np.full(missing, stranger))
            gallery_camids = np.append(gallery_camids, np.zeros(missing, gallery_camids.dtype))
        cmc, mean_ap = host.torchreid().metrics.evaluate_rank(
            distances, query_pids, gallery_pids, query_camids, gallery_camids, max_rank=max(self.ranks)
        )
        for i, rank in enumerate(self.ranks):
            self.cmc.total[i] += float(cmc[rank - 1]) * valid
        self.cmc.count += valid
        self.average_precision.total += float(mean_ap) * valid
        self.average_precision.count += valid

    def merge(self, other: Retrieval) -> Retrieval:
        """Add the state of another process or block of queries; gives itself."""
        self.cmc.merge(other.cmc)
        self.average_precision.merge(other.average_precision)
        return self

    def percent(self) -> dict[str, float | None]:
        """``rank-k`` for each rank and ``mAP``, in percent; None where no query counts."""
        values = [*self.cmc.values, self.average_precision.value]
        names = [*(f"rank-{rank}" for rank in self.ranks), "mAP"]
        return {n: None if v is None else 100 * v for n, v in zip(names, values, strict=True)}

    def to_dict(self) -> dict[str, Any]:
        """The state, JSON-ready; :meth:`from_dict` reads it back."""
        return {
            "ranks": list(self.ranks),
            "cmc": self.cmc.to_dict(),
            "average_precision": self.average_precision.to_dict(),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Retrieval:
        """Read what :meth:`to_dict` wrote."""
        retrieval = cls(state["ranks"])
        retrieval.cmc = Mean.from_dict(state["cmc"])
        retrieval.average_precision = Mean.from_dict(state["average_precision"])
        return retrieval
