"""How wrong are accounts of a distance, held against the true ones?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchreid_amd.evaluation.statistics import (
    IdentitySums,
    Interval,
    Mean,
    bootstrap_intervals,
    percent,
    spearman,
)

Values = NDArray[np.float64]


def total_variation(predicted: Values, true: Values) -> float:
    """Half the sum of absolute differences of two accounts' shares (K,): 0 is right, 1 all wrong."""
    return float(np.abs(predicted - true).sum() / 2)


class AccountScores:
    """Sums by identity of how well accounts of K entries agree with the true ones.

    Total variation, rank correlation and agreement of the largest entry are means over pairs; the
    correlation of an entry is over all pairs. The last entry, the rest of the picture, is none that could
    be the largest.

    Args:
        entries: K names.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self.entries = tuple(entries)
        self.mean = Mean(3)
        self.sums = IdentitySums((6, len(self.entries)))  # n, Σx, Σy, Σxx, Σxy, Σyy

    def update(self, predicted: Values, true: Values, identity: int) -> None:
        """Add one pair: shares (K,) and the query's identity."""
        who = torch.tensor([identity])
        right = predicted[:-1].argmax() == true[:-1].argmax()
        agreement = [total_variation(predicted, true), spearman(predicted, true), float(right)]
        self.mean.update(torch.tensor([agreement], dtype=torch.float64), identity=who)
        x, y = predicted, true
        self.sums.add(torch.from_numpy(np.stack([np.ones_like(x), x, y, x * x, x * y, y * y]))[None], who)

    def values(self) -> dict[str, Any]:
        """``tv``, ``spearman``, ``largest`` in percent, and by entry ``correlation`` and ``mean`` share."""
        tv, rho, largest = self.mean.values
        sums = self.sums.total
        correlations, means = _correlations(sums[None])[0].tolist(), (sums[1] / sums[0]).tolist()
        return {
            "tv": tv,
            "spearman": rho,
            "largest": None if largest is None else 100 * largest,
            "correlation": {
                n: c if c == c else None for n, c in zip(self.entries, correlations, strict=True)
            },
            "mean": dict(zip(self.entries, means, strict=True)),
        }

    def intervals(self) -> dict[str, Any]:
        """95 % intervals of :meth:`values`, over identities; none of mean shares."""
        tv, rho, largest = self.mean.intervals
        found = bootstrap_intervals(
            lambda times: _correlations(torch.einsum("di,isk->dsk", times, self.sums.rows)), len(self.sums)
        )
        ends: dict[str, Interval | None] = dict(zip(self.entries, found, strict=True))
        return {"tv": tv, "spearman": rho, "largest": percent(largest), "correlation": ends}


def _correlations(sums: Tensor) -> Tensor:
    """Sums (draws, 6, K) -> Pearson's correlation (draws, K); NaN where one side does not vary."""
    n, x, y, xx, xy, yy = sums.double().unbind(1)
    sxx, sxy, syy = n * xx - x * x, n * xy - x * y, n * yy - y * y
    fixed = (sxx <= 1e-9 * n * xx) | (syy <= 1e-9 * n * yy)
    return torch.where(fixed, torch.nan, sxy / torch.where(fixed, 1.0, sxx * syy).sqrt())
