"""Does one list of numbers order things as another does? (Spearman, 1904.)"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from torchreid_amd.evaluation.mean import Mean


def spearman(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """Spearman's rank correlation of two lists; equal values share their mean rank.

    0 where one of them is constant or has fewer than two values: it orders nothing.
    """
    if len(x) < 2:
        return 0.0
    a, b = rankdata(x), rankdata(y)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else 0.0


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
