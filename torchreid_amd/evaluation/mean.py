"""A mean kept as sums and counts by identity, so that it can be merged and has an interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from torchreid_amd.evaluation.bootstrap import Interval, bootstrap_intervals
from torchreid_amd.evaluation.by_identity import IdentitySums


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
