"""ADRE, the average relative error of the decomposed distance.

Chen et al., ICCV 2021, https://arxiv.org/abs/2103.01451, evaluation protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from torchreid_amd.evaluation.statistics import IdentitySums, Interval, Mean, bootstrap_intervals, percent

LOWEST, HIGHEST, PER_DECADE = -5, 2, 80  # powers of ten the bins span; a bin is 2.9 % wide
BINS = (HIGHEST - LOWEST) * PER_DECADE


def relative_error(distance: Tensor, decomposed: Tensor) -> tuple[Tensor, Tensor]:
    """|d − decomposed d| / d of each pair.

    Args:
        distance: any shape, the target's distance d.
        decomposed: the same shape, the mean or sum of its components.

    Returns:
        The error as a fraction, 0 where d is not positive, and the bool mask of the pairs with
        d > 0. A pair at distance 0 has no relative error and is left out of ADRE.
    """
    valid = distance > 0
    error = (distance - decomposed).abs() / torch.where(valid, distance, 1.0)
    return torch.where(valid, error, 0.0), valid


class ADRE:
    """Mean, 95th percentile and maximum of :func:`relative_error` over pairs, in percent.

    Lower is better.
    """

    def __init__(self) -> None:
        self.error = Mean()
        self.high = Quantile(0.95)
        self.largest = 0.0
        self.left_out = 0  #: pairs at distance 0

    def update(self, distance: Tensor, decomposed: Tensor, identity: Tensor | None = None) -> None:
        """Add pairs; all of one shape."""
        error, valid = relative_error(distance, decomposed)
        error = error[valid]
        identity = None if identity is None else identity[valid]
        self.error.update(error, identity=identity)
        self.high.update(error, identity)
        self.largest = max(self.largest, float(error.max()) if len(error) else 0.0)
        self.left_out += int((~valid).sum())

    def update_rows(self, distance: Tensor, decomposed: Tensor, kept: Tensor, identity: Tensor) -> None:
        """Add queries, each against the whole gallery.

        Args:
            distance, decomposed: (Q, G).
            kept: (Q, G) bool, which pairs count.
            identity: (Q,) of the queries.
        """
        error, valid = relative_error(distance, decomposed)
        valid &= kept
        error.masked_fill_(~valid, 0.0)
        count = valid.sum(1)
        self.error.sums.add(torch.stack([error.sum(1, dtype=torch.float64), count.double()], 1), identity)
        self.high.update_rows(error, valid, identity)
        self.largest = max(self.largest, float(error.max()) if error.numel() else 0.0)
        self.left_out += int(kept.sum()) - int(count.sum())

    def merge(self, other: ADRE) -> ADRE:
        """Add the state of another process or block; gives itself."""
        self.error.merge(other.error)
        self.high.merge(other.high)
        self.largest = max(self.largest, other.largest)
        self.left_out += other.left_out
        return self

    @property
    def value(self) -> float | None:
        """ADRE in percent, None without pairs."""
        return None if self.error.value is None else 100 * self.error.value

    def percent(self) -> dict[str, float | None]:
        """``ADRE``, ``ADRE p95`` and ``ADRE max``; None without pairs."""
        if self.value is None or self.high.value is None:
            return {"ADRE": None, "ADRE p95": None, "ADRE max": None}
        high = min(self.high.value, self.largest)
        return {"ADRE": self.value, "ADRE p95": 100 * high, "ADRE max": 100 * self.largest}

    def intervals(self) -> dict[str, Interval | None]:
        """95 % intervals in percent of mean and percentile; a maximum has none worth having."""
        return {"ADRE": percent(self.error.interval), "ADRE p95": percent(self.high.interval)}

    def to_dict(self) -> dict[str, Any]:
        """The state, JSON-ready; :meth:`from_dict` reads it back."""
        return {
            "error": self.error.to_dict(),
            "high": self.high.to_dict(),
            "largest": self.largest,
            "left_out": self.left_out,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> ADRE:
        """Read what :meth:`to_dict` wrote."""
        adre = cls()
        adre.error, adre.high = Mean.from_dict(state["error"]), Quantile.from_dict(state["high"])
        adre.largest, adre.left_out = float(state["largest"]), int(state["left_out"])
        return adre


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
        place = _bins(values)
        if identity is None:
            self.histogram.add(torch.bincount(place, minlength=BINS).unsqueeze(0))
            return
        identities, index = torch.unique(identity.to(place.device), return_inverse=True)
        counts = torch.bincount(index * BINS + place, minlength=len(identities) * BINS)
        self.histogram.add(counts.reshape(-1, BINS), identities)

    def update_rows(self, values: Tensor, kept: Tensor, identity: Tensor) -> None:
        """Add those values (Q, G) that are kept (Q, G), each row to its identity (Q,)."""
        place = _bins(values).masked_fill_(~kept, BINS)
        place += (BINS + 1) * torch.arange(len(values), device=values.device).unsqueeze(1)
        counts = torch.bincount(place.view(-1), minlength=len(values) * (BINS + 1))
        self.histogram.add(counts.view(-1, BINS + 1)[:, :BINS], identity)

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


def _bins(values: Tensor) -> Tensor:
    """In which bin each value lies, int64 of the same shape."""
    place = values.clamp_min(1e-30).log10_().sub_(LOWEST).mul_(PER_DECADE).floor_()
    return place.clamp_(0, BINS - 1).long()
