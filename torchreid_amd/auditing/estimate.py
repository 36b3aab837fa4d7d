"""A number of an audit with its interval over persons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchreid_amd.evaluation.statistics import IdentitySums, Interval, bootstrap_intervals

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Estimate:
    """A mean over pairs, or a difference or ratio of two.

    Attributes:
        value: None where there is nothing to take a mean of.
        interval: 95 %, from drawing the persons of the queries again; None with fewer than two of them.
        pairs: how many pairs it rests on; of a difference or ratio, the smaller number.
    """

    value: float | None
    interval: Interval | None
    pairs: int

    @property
    def clear(self) -> int:
        """1 where it is surely above 0, −1 where it is surely below, else 0."""
        return 0 if self.interval is None else int(self.interval[0] > 0) - int(self.interval[1] < 0)

    def beside(self, other: float) -> int:
        """1 where it is surely above another number, −1 where it is surely below, else 0."""
        if self.interval is None:
            return 0
        return int(self.interval[0] > other) - int(self.interval[1] < other)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        interval = None if self.interval is None else list(self.interval)
        return {"value": self.value, "interval": interval, "pairs": self.pairs}


def mean_of(values: Floats, persons: Tensor, kept: Mask | None = None) -> Estimate:
    """Mean of N values over the pairs that are kept.

    Args:
        values: (N,).
        persons: (N,) whose pair each is.
        kept: (N,) which count; all where it is not given.
    """
    kept = np.ones(len(values), bool) if kept is None else kept
    return _of_two(values, persons, kept, kept, lambda a, b: a)


def difference_of(values: Floats, persons: Tensor, kept: Mask, other: Mask) -> Estimate:
    """Mean over some pairs less the mean over others."""
    return _of_two(values, persons, kept, other, lambda a, b: a - b)


def _of_two(values: Floats, persons: Tensor, kept: Mask, other: Mask, combine: Any) -> Estimate:
    pairs = int(min(kept.sum(), other.sum()))
    if not pairs:
        return Estimate(None, None, 0)
    used = kept | other
    masks = np.stack([kept, other], 1).astype(float)
    rows = np.stack([values[:, None] * masks, masks], 1)[used]
    return ratio_of_sums(
        rows, persons[torch.from_numpy(used)], lambda sums: combine(*(sums[:, 0] / sums[:, 1]).T), pairs
    )


def ratio_of_sums(rows: Floats, persons: Tensor, statistic: Any, pairs: int) -> Estimate:
    """A statistic of sums over pairs.

    Args:
        rows: (N, …) what is added up.
        persons: (N,) whose pair each is.
        statistic: (draws, …) sums -> (draws,) values, NaN where there is none.
        pairs: how many pairs it rests on.
    """
    sums = IdentitySums(rows.shape[1:])
    sums.add(torch.from_numpy(np.ascontiguousarray(rows)), persons)
    value = float(statistic(sums.total[None])[0])
    if value != value:
        return Estimate(None, None, pairs)
    flat = sums.rows.flatten(1)
    shape = sums.rows.shape[1:]
    (interval,) = bootstrap_intervals(lambda times: statistic((times @ flat).unflatten(1, shape)), len(sums))
    return Estimate(value, interval, pairs)
