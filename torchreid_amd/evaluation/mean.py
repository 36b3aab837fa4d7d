"""A mean kept as a sum and a count, so that blocks and processes can be merged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


class Mean:
    """Weighted mean of what it was given, in float64.

    Args:
        size: number of means kept side by side (one per attribute); None for a single one.
    """

    def __init__(self, size: int | None = None) -> None:
        shape = () if size is None else (size,)
        self.total = torch.zeros(shape, dtype=torch.float64)
        self.count = torch.zeros(shape, dtype=torch.float64)

    def update(self, values: Tensor, weight: Tensor | None = None) -> None:
        """Add values.

        Args:
            values: (P,), or (P, size).
            weight: how often each value counts, of a shape that broadcasts to it; a mask is one.
                Every value counts once where it is None.
        """
        values = values.double()
        weights = torch.ones_like(values) if weight is None else weight.double().expand_as(values)
        self.total += (values * weights).sum(0).cpu()
        self.count += weights.sum(0).cpu()

    def merge(self, other: Mean) -> Mean:
        """Add the state of another process or block; gives itself."""
        self.total += other.total
        self.count += other.count
        return self

    @property
    def value(self) -> float | None:
        """The mean of a single one; None where nothing was counted."""
        return float(self.total / self.count) if self.count > 0 else None

    @property
    def values(self) -> list[float | None]:
        """The means of several, None for those where nothing was counted."""
        pairs = zip(self.total.tolist(), self.count.tolist(), strict=True)
        return [total / count if count > 0 else None for total, count in pairs]

    def to_dict(self) -> dict[str, Any]:
        """The state, JSON-ready; :meth:`from_dict` reads it back."""
        return {"total": self.total.tolist(), "count": self.count.tolist()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Mean:
        """Read what :meth:`to_dict` wrote."""
        mean = cls()
        mean.total = torch.tensor(state["total"], dtype=torch.float64)
        mean.count = torch.tensor(state["count"], dtype=torch.float64)
        return mean
