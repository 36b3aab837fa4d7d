"""Quantiles of many positive numbers from a histogram, so that processes can be merged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from torchreid_amd.evaluation.bootstrap import Interval, bootstrap_intervals
from torchreid_amd.evaluation.by_identity import IdentitySums

LOWEST, HIGHEST, PER_DECADE = -5, 2, 80  # powers of ten the bins span; a bin is 2.9 % wide
BINS = (HIGHEST - LOWEST) * PER_DECADE


class Quantile:
    """One quantile of what it was given, to about 1 %.

    Bins are even in the logarithm from 10⁻⁵ to 10²; what is smaller or larger counts at the end.

    Args:
        level: which one; 0.95 for the 95th percentile.
    """

    def __init__(self, level: float = 0.95) -> None:
        self.level = level
        self.histogram = IdentitySums((BINS,))

    def update(self, values: Tensor, identity: Tensor | None = None) -> None:
        """Add values (P,) of the identities (P,)."""
        if not len(values):
            return
        place = ((values.double().clamp_min(1e-30).log10() - LOWEST) * PER_DECADE).floor()
        place = place.clamp(0, BINS - 1).long()
        if identity is None:
            self.histogram.add(torch.bincount(place, minlength=BINS).unsqueeze(0))
            return
        identities, index = torch.unique(identity.to(place.device), return_inverse=True)
        counts = torch.bincount(index * BINS + place, minlength=len(identities) * BINS)
        self.histogram.add(counts.reshape(-1, BINS), identities)

    def merge(self, other: Quantile) -> Quantile:
        """Add the state of another process or block; gives itself."""
        self.histogram.merge(other.histogram)
        return self

    @property
    def value(self) -> float | None:
        """The quantile; None where nothing was added."""
        if not len(self.histogram):
            return None
        return float(self._quantile(self.histogram.total.unsqueeze(0))[0])

    @property
    def interval(self) -> Interval | None:
        """95 % interval over identities."""
        return bootstrap_intervals(lambda t: self._quantile(t @ self.histogram.rows), len(self.histogram))[0]

    def _quantile(self, counts: Tensor) -> Tensor:
        """(draws, BINS) -> (draws,), even in the logarithm within a bin."""
        below = counts.cumsum(1)
        wanted = self.level * below[:, -1:]
        place = torch.searchsorted(below, wanted).clamp_max(BINS - 1)
        inside = counts.gather(1, place)
        share = (wanted - (below.gather(1, place) - inside)) / inside.clamp_min(1)
        return torch.pow(10.0, LOWEST + (place + share) / PER_DECADE).squeeze(1)

    def to_dict(self) -> dict[str, Any]:
        """The state, JSON-ready; :meth:`from_dict` reads it back."""
        return {"level": self.level, "histogram": self.histogram.to_dict()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Quantile:
        """Read what :meth:`to_dict` wrote."""
        quantile = cls(state["level"])
        quantile.histogram = IdentitySums.from_dict(state["histogram"])
        return quantile
