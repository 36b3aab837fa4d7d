"""Shapley values: what each player adds to a worth, averaged over all orders in which they may come.

Shapley, *A Value for n-Person Games*, 1953. A coalition is a bit mask: player k is in it where bit k
is set. Exact values need the worth of all 2ⁿ coalitions; beyond :data:`EXACT` players orders are drawn,
each followed by its reverse (antithetic), whose errors largely cancel: Mitchell et al., *Sampling
Permutations for Shapley Value Estimation*, JMLR 2022, https://arxiv.org/abs/2104.12199. Either way the
values add up to the worth of all players less that of none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import factorial, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

EXACT = 7  #: players up to which all coalitions are asked for
Floats = NDArray[np.floating[Any]]


@lru_cache(maxsize=16)
def shapley_weights(players: int) -> NDArray[np.float64]:
    """(n, 2ⁿ): values are this times the worths of all coalitions, in the order of their masks."""
    weights = np.zeros((players, 1 << players))
    for coalition in range(1 << players):
        size = coalition.bit_count()
        for k in range(players):
            if coalition >> k & 1:
                weights[k, coalition] = factorial(size - 1) * factorial(players - size)
            else:
                weights[k, coalition] = -factorial(size) * factorial(players - size - 1)
    return weights / factorial(players)


def exact_values(worths: Floats) -> NDArray[np.float64]:
    """Shapley values of one or many games.

    Args:
        worths: (…, 2ⁿ) of every coalition, by mask.

    Returns:
        (…, n), which add up to ``worths[…, -1] − worths[…, 0]``.
    """
    players = worths.shape[-1].bit_length() - 1
    values: NDArray[np.float64] = np.asarray(worths, np.float64) @ shapley_weights(players).T
    return values


def antithetic_orders(players: int, pairs: int, seed: int | Sequence[int]) -> list[list[int]]:
    """``2·pairs`` orders of n players: drawn ones, each followed by its reverse."""
    rng = np.random.default_rng(seed)
    drawn = (rng.permutation(players).tolist() for _ in range(pairs))
    return [order for one in drawn for order in (one, one[::-1])]


def coalitions_of(order: Sequence[int]) -> Iterator[int]:
    """The n + 1 coalitions that grow along an order, from nobody to everybody."""
    coalition = 0
    yield coalition
    for k in order:
        coalition |= 1 << k
        yield coalition


@dataclass(frozen=True)
class Estimate:
    """Shapley values from orders.

    Attributes:
        values: (n,), which add up exactly.
        errors: (n,) their standard errors; NaN with a single pair of orders.
    """

    values: NDArray[np.float64]
    errors: NDArray[np.float64]


def sampled_values(worths: Mapping[int, float], orders: Sequence[Sequence[int]]) -> Estimate:
    """Shapley values from antithetic orders.

    Args:
        worths: by coalition; those of all orders.
        orders: as of :func:`antithetic_orders`.
    """
    gains = np.zeros((len(orders), len(orders[0])))
    for row, order in zip(gains, orders, strict=True):
        along = [worths[c] for c in coalitions_of(order)]
        row[list(order)] = np.diff(along)
    pairs = gains.reshape(-1, 2, gains.shape[1]).mean(1)
    spread = pairs.std(0, ddof=1) if len(pairs) > 1 else np.full(pairs.shape[1], np.nan)
    return Estimate(pairs.mean(0), spread / sqrt(len(pairs)))


def shapley_values(
    players: int,
    worths: Callable[[list[int]], Floats],
    pairs: int = 16,
    seed: int = 0,
) -> Estimate:
    """Shapley values of a game: exact for up to :data:`EXACT` players, from drawn orders beyond.

    Args:
        players: n.
        worths: of some coalitions (K,), asked for once, without repetition.
        pairs: of antithetic orders, where they are drawn.
        seed: of the draw.
    """
    if players <= EXACT:
        values = exact_values(worths(list(range(1 << players))))
        return Estimate(values, np.zeros(players))
    orders = antithetic_orders(players, pairs, seed)
    wanted = sorted({c for order in orders for c in coalitions_of(order)})
    return sampled_values(dict(zip(wanted, worths(wanted).tolist(), strict=True)), orders)
