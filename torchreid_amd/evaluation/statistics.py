"""A mean kept as sums and counts by identity, so that it can be merged and has an interval."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

DRAWS = 1000  #: how often the identities are drawn again
LEVEL = 0.95  #: share of the draws inside an interval
SEED = 0  #: of the draws
NOBODY = -1  #: the identity of what was added without one

Interval = tuple[float, float]


class Mean:
    """Weighted mean of what it was given, in float64.

    Args:
        size: number of means kept side by side (one per attribute); None for a single one.
    """

    def __init__(self, size: int | None = None) -> None:
        self.size = size
        shape = () if size is None else (size,)
        self.sums = IdentitySums((2, *shape))  # totals and counts

    def update(self, values: Tensor, weight: Tensor | None = None, identity: Tensor | None = None) -> None:
        """Add values.

        Args:
            values: (P,), or (P, size).
            weight: how often each value counts, of a shape that broadcasts to it; a mask is one.
                Every value counts once where it is None.
            identity: (P,) whose value it is, for the interval.
        """
        values = values.double()
        weights = torch.ones_like(values) if weight is None else weight.double().expand_as(values)
        identity = None if identity is None else identity.to(values.device)
        self.sums.add(torch.stack([values * weights, weights], 1), identity)

    def merge(self, other: Mean) -> Mean:
        """Add the state of another process or block; gives itself."""
        self.sums.merge(other.sums)
        return self

    @property
    def total(self) -> Tensor:
        """Weighted sum, () or (size,)."""
        return self.sums.total[0]

    @property
    def count(self) -> Tensor:
        """Sum of the weights, () or (size,)."""
        return self.sums.total[1]

    @property
    def value(self) -> float | None:
        """The mean of a single one; None where nothing was counted."""
        return float(self.total / self.count) if self.count > 0 else None

    @property
    def values(self) -> list[float | None]:
        """The means of several, None for those where nothing was counted."""
        pairs = zip(self.total.tolist(), self.count.tolist(), strict=True)
        return [total / count if count > 0 else None for total, count in pairs]

    @property
    def interval(self) -> Interval | None:
        """95 % interval of a single one, over identities; None with fewer than two."""
        return self.intervals[0]

    @property
    def intervals(self) -> list[Interval | None]:
        """95 % intervals of several, over identities."""

        def means(times: Tensor) -> Tensor:
            total, count = (times @ part for part in self.sums.rows.unbind(1))
            return total / count  # 0 / 0 is NaN: no value in that draw

        return bootstrap_intervals(means, len(self.sums))

    def to_dict(self) -> dict[str, Any]:
        """The state, JSON-ready; :meth:`from_dict` reads it back."""
        return self.sums.to_dict() | {"size": self.size}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Mean:
        """Read what :meth:`to_dict` wrote."""
        mean = cls(state["size"])
        mean.sums = IdentitySums.from_dict(state)
        return mean


def percent(interval: Interval | None) -> Interval | None:
    """An interval of fractions in percent."""
    return None if interval is None else (100 * interval[0], 100 * interval[1])


def spearman(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """Spearman's rank correlation of two lists; equal values share their mean rank.

    0 where one of them is constant or has fewer than two values: it orders nothing.
    """
    if len(x) < 2:
        return 0.0
    order = ascending(x)
    y = y.take(order)  # so that ranks of x need not be carried back to where x stood
    across = ascending(y)
    a, b = _ranks(x.take(order)).take(across), _ranks(y.take(across))
    a, b = a - a.mean(), b - b.mean()
    # not as matrix products: threads that wait for so few numbers cost more than they bring
    own_a, own_b, both = (float(np.einsum("n,n->", p, q)) for p, q in ((a, a), (b, b), (a, b)))
    size = math.sqrt(own_a * own_b)
    return both / size if size > 0 else 0.0


def ascending(x: NDArray[np.floating]) -> NDArray[np.integer]:
    """Positions of the values (n,) from the smallest on; equal values in the order in which they stand.

    Float32 is sorted as whole numbers, its bits above the position: as quick as sorting without positions.
    """
    if x.dtype != np.float32:
        return np.argsort(x, kind="stable")
    keys = np.empty(len(x), np.int64)
    halves = keys.view(np.int32).reshape(-1, 2)
    high = 1 if sys.byteorder == "little" else 0
    bits = (x + np.float32(0)).view(np.int32)  # −0 as 0
    halves[:, high] = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # negative numbers order the other way round
    halves[:, 1 - high] = np.arange(len(x))
    keys.sort()
    return halves[:, 1 - high]


def _ranks(ranked: NDArray[np.floating]) -> NDArray[np.floating]:
    """Ranks from 1 of ascending values; equal values share their mean rank."""
    ranks = np.arange(1.0, len(ranked) + 1)
    tied = np.flatnonzero(ranked[1:] == ranked[:-1])  # equal to the next one
    first = tied[np.diff(tied, prepend=-2) > 1]
    last = tied[np.diff(tied, append=len(ranked) + 1) > 1] + 1
    ranks[tied] = ranks[tied + 1] = np.repeat((first + last) / 2 + 1, last - first)
    return ranks


@lru_cache(maxsize=4)
def drawn_identities(identities: int, draws: int = DRAWS, seed: int = SEED) -> Tensor:
    """(draws, I) float64: how often each identity comes up in each draw of I of them.

    The same numbers for the same I, so scores of the same identities are drawn alike.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(identities, (draws, identities), generator=generator)
    times = torch.zeros(draws, identities, dtype=torch.float64)
    return times.scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.float64))


def bootstrap_intervals(
    statistic: Callable[[Tensor], Tensor], identities: int, draws: int = DRAWS, seed: int = SEED
) -> list[Interval | None]:
    """95 % intervals of one or several statistics.

    Args:
        statistic: ``(draws, I)`` times each identity counts -> ``(draws,)`` or ``(draws, K)``
            values, NaN where a draw has none.
        identities: I.
        draws: how often they are drawn.
        seed: of the draws.

    Returns:
        K times the ends of the interval; None where there are fewer than two identities or no
        draw has a value.
    """
    if identities < 2:
        probe = statistic(torch.ones(1, identities, dtype=torch.float64))
        return [None] * (1 if probe.ndim == 1 else probe.shape[1])
    values = statistic(drawn_identities(identities, draws, seed))
    values = values.unsqueeze(1) if values.ndim == 1 else values
    ends = torch.tensor([(1 - LEVEL) / 2, (1 + LEVEL) / 2], dtype=torch.float64)
    found = torch.nanquantile(values, ends, dim=0).T.tolist()
    return [(low, high) if low == low and high == high else None for low, high in found]


class IdentitySums:
    """Rows of sums, one for each identity, in float64.

    Args:
        shape: of a row; ``()`` for a single number.
    """

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        self.identities = torch.empty(0, dtype=torch.long)
        self.rows = torch.zeros(0, *shape, dtype=torch.float64)

    def __len__(self) -> int:
        return len(self.identities)

    def add(self, values: Tensor, identity: Tensor | None = None) -> None:
        """Add values (P, *shape), each to the row of its identity (P,); to nobody's where it is None."""
        if not len(values):
            return
        if identity is None:
            self._insert(torch.tensor([NOBODY]), values.double().sum(0, keepdim=True).cpu())
            return
        identities, index = torch.unique(identity, return_inverse=True)
        rows = torch.zeros(len(identities), *values.shape[1:], dtype=torch.float64, device=values.device)
        self._insert(identities.cpu().long(), rows.index_add_(0, index, values.double()).cpu())

    def merge(self, other: IdentitySums) -> IdentitySums:
        """Add the rows of another process or block; gives itself."""
        self._insert(other.identities, other.rows)
        return self

    def _insert(self, identities: Tensor, rows: Tensor) -> None:
        place = torch.searchsorted(self.identities, identities)
        found = place < len(self)
        found[found.clone()] = self.identities[place[found]] == identities[found]
        if bool(found.all()):
            self.rows.index_add_(0, place, rows)
            return
        known, index = torch.unique(torch.cat([self.identities, identities]), return_inverse=True)
        everything = torch.cat([self.rows, rows])
        total = torch.zeros(len(known), *everything.shape[1:], dtype=torch.float64)
        self.identities, self.rows = known, total.index_add_(0, index, everything)

    @property
    def total(self) -> Tensor:
        """The sum over all identities, of the shape of a row."""
        return self.rows.sum(0)

    def to_dict(self) -> dict[str, Any]:
        """The state, JSON-ready; :meth:`from_dict` reads it back."""
        return {
            "identities": self.identities.tolist(),
            "shape": list(self.rows.shape[1:]),
            "rows": self.rows.tolist(),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> IdentitySums:
        """Read what :meth:`to_dict` wrote."""
        sums = cls(tuple(state["shape"]))
        sums.identities = torch.tensor(state["identities"], dtype=torch.long)
        shape = (len(sums.identities), *state["shape"])
        sums.rows = torch.tensor(state["rows"], dtype=torch.float64).reshape(shape)
        return sums
