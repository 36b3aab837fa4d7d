"""Confidence intervals by drawing identities, not pairs, again.

The pairs of one person are alike, so a bootstrap over pairs gives intervals that are far too
narrow. Here whole query identities are drawn with replacement. (Efron, *Bootstrap methods*,
Annals of Statistics 1979; percentile intervals.)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

DRAWS = 1000  #: how often the identities are drawn again
LEVEL = 0.95  #: share of the draws inside an interval
SEED = 0

Interval = tuple[float, float]


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
