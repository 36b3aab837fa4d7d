"""CMC, mAP and mINP under torchreid's protocol, a query at a time.

CMC and mAP are torchreid's ``evaluate_rank`` to rounding. mINP: Ye et al., *Deep Learning for
Person Re-identification: A Survey and Outlook*, TPAMI 2021, https://arxiv.org/abs/2001.04193.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from torchreid_amd.core.errors import InputError
from torchreid_amd.evaluation.data.decomposed_images import DecomposedImages
from torchreid_amd.evaluation.statistics import Interval, Mean, ascending, percent, spearman

_log = logging.getLogger(__name__)
RANKS = (1, 5, 10, 20)


def retrieval_of_places(places: NDArray[np.integer], ranks: Sequence[int]) -> list[float]:
    """CMC at the ranks, average precision and inverse negative penalty of one query.

    Args:
        places: ranks 1, 2, … at which the query's person comes up, ascending; at least one.
        ranks: where the CMC curve is read.

    Returns:
        For each rank k 1 if the first place is within k, else 0; then the mean of n / place of the
        n-th; then the number of places divided by the last of them.
    """
    numbers = np.arange(1, len(places) + 1)
    hits = [float(places[0] <= rank) for rank in ranks]
    return [*hits, float((numbers / places).mean()), len(places) / float(places[-1])]


class Retrieval:
    """Sums over queries, by identity.

    Gallery images of the query's identity under the query's camera are removed, and a query
    without any other image of its identity does not count, as in torchreid. Equal distances rank in
    the order of the gallery.

    Args:
        ranks: the ranks k at which the CMC curve is read.
    """

    def __init__(self, ranks: Sequence[int] = RANKS) -> None:
        self.ranks = tuple(ranks)
        self.mean = Mean(len(self.ranks) + 2)

    def update(
        self,
        distances: NDArray[np.floating],
        query_pids: NDArray[np.integer],
        gallery_pids: NDArray[np.integer],
        query_camids: NDArray[np.integer],
        gallery_camids: NDArray[np.integer],
    ) -> None:
        """Add queries, each against the whole gallery.

        Args:
            distances: (Q, G) of any distance, smaller meaning nearer.
            query_pids, query_camids: (Q,) identities and cameras of the queries.
            gallery_pids, gallery_camids: (G,) the same of the gallery.
        """
        rows, identities = [], []
        for row, pid, camid in zip(distances, query_pids, query_camids, strict=True):
            same = gallery_pids == pid
            if (gallery_camids[same] == camid).all():
                continue
            order = ascending(row)
            own = np.flatnonzero(same.take(order))  # where the query's person comes up
            gone = gallery_camids[order[own]] == camid
            places = (own - gone.cumsum())[~gone] + 1
            rows.append(retrieval_of_places(places, self.ranks))
            identities.append(int(pid))
        if rows:
            self.mean.update(torch.tensor(rows, dtype=torch.float64), identity=torch.tensor(identities))

    def merge(self, other: Retrieval) -> Retrieval:
        """Add the state of another process or block of queries; gives itself."""
        self.mean.merge(other.mean)
        return self

    @property
    def names(self) -> list[str]:
        """``rank-k`` for each rank, ``mAP`` and ``mINP``."""
        return [*(f"rank-{rank}" for rank in self.ranks), "mAP", "mINP"]

    def percent(self) -> dict[str, float | None]:
        """:attr:`names` in percent; None where no query counts."""
        values = zip(self.names, self.mean.values, strict=True)
        return {name: None if value is None else 100 * value for name, value in values}

    def intervals(self) -> dict[str, Interval | None]:
        """95 % intervals of :meth:`percent`, over identities."""
        return {n: percent(i) for n, i in zip(self.names, self.mean.intervals, strict=True)}

    def to_dict(self) -> dict[str, Any]:
        """The state, JSON-ready; :meth:`from_dict` reads it back."""
        return {"ranks": list(self.ranks), "mean": self.mean.to_dict()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Retrieval:
        """Read what :meth:`to_dict` wrote."""
        retrieval = cls(state["ranks"])
        retrieval.mean = Mean.from_dict(state["mean"])
        return retrieval


def gain(before: Retrieval, after: Retrieval) -> Mean:
    """After minus before, query by query, with intervals over identities.

    Args:
        before, after: of the same queries.
    """
    a, b = before.mean.sums, after.mean.sums
    if not torch.equal(a.identities, b.identities) or not torch.equal(a.rows[:, 1], b.rows[:, 1]):
        raise InputError("the two scores are of different queries; expected the same ones in both")
    difference = Mean(before.mean.size)
    difference.sums.identities = a.identities
    difference.sums.rows = torch.stack([b.rows[:, 0] - a.rows[:, 0], a.rows[:, 1]], 1)
    return difference


def gain_record(before: Retrieval, after: Retrieval) -> dict[str, Any]:
    """:func:`gain` in percent, JSON-ready: ``values`` and ``intervals`` by score."""
    difference = gain(before, after)
    values = zip(before.names, difference.values, strict=True)
    intervals = zip(before.names, difference.intervals, strict=True)
    return {
        "values": {name: None if value is None else 100 * value for name, value in values},
        "intervals": {
            name: None if ends is None else [100 * end for end in ends] for name, ends in intervals
        },
    }


def why_nothing_counts(
    query_pids: NDArray[np.integer],
    gallery_pids: NDArray[np.integer],
    query_camids: NDArray[np.integer],
    gallery_camids: NDArray[np.integer],
) -> str:
    """Why no query counts, in words; ``''`` where one does. Arguments are those of :class:`Retrieval`."""
    seen = {(int(p), int(c)) for p, c in zip(gallery_pids, gallery_camids, strict=True)}
    people = {p for p, _ in seen}
    if not people & {int(p) for p in query_pids}:
        return "nobody of the query is in the gallery"
    cameras: dict[int, set[int]] = {}
    for person, camera in seen:
        cameras.setdefault(person, set()).add(camera)
    pairs = zip(query_pids, query_camids, strict=True)
    if any(cameras.get(int(p), set()) - {int(c)} for p, c in pairs):
        return ""
    return (
        "the gallery shows everybody of the query under the query's own camera alone, and such photographs "
        "do not count; give each camera its own number (camid)"
    )


def warn_where_nothing_counts(query: DecomposedImages, gallery: DecomposedImages) -> None:
    """Log why there are no retrieval scores, where there are none."""
    sides = (query.pids.numpy(), gallery.pids.numpy(), query.camids.numpy(), gallery.camids.numpy())
    if reason := why_nothing_counts(*sides):
        _log.warning(f"rank-1, mAP and mINP are not scored: {reason}")


class GalleryRankCorrelation:
    """Mean over queries of the rank correlation, over the query's gallery, of two distances."""

    def __init__(self) -> None:
        self.mean = Mean()

    def update(
        self,
        first: NDArray[np.floating],
        second: NDArray[np.floating],
        kept: NDArray[np.bool_],
        pids: NDArray[np.integer],
    ) -> None:
        """Add queries: two distances (Q, G), which pairs count (Q, G), and identities (Q,)."""
        found = [spearman(a[k], b[k]) for a, b, k in zip(first, second, kept, strict=True) if k.sum() > 1]
        counts = torch.as_tensor(kept.sum(1) > 1)
        self.mean.update(torch.tensor(found, dtype=torch.float64), identity=torch.as_tensor(pids)[counts])

    def merge(self, other: GalleryRankCorrelation) -> GalleryRankCorrelation:
        """Add the state of another process or block; gives itself."""
        self.mean.merge(other.mean)
        return self
