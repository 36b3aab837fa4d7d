"""Values of players in a game: by hand, against all orders, sampled."""

import numpy as np
import pytest

from torchreid_amd.account.shapley import (
    antithetic_orders,
    coalitions_of,
    exact_values,
    sampled_values,
    shapley_values,
)


def worths_of(players, seed=0):
    return np.random.default_rng(seed).normal(size=1 << players)


def literal_values(worths, players):
    """Mean gain over all orders, one after the other."""
    from itertools import permutations

    total, orders = np.zeros(players), list(permutations(range(players)))
    for order in orders:
        there = 0
        for k in order:
            total[k] += worths[there | 1 << k] - worths[there]
            there |= 1 << k
    return total / len(orders)


def test_values_of_a_game_by_hand():
    # gloves: player 0 has a left one, 1 and 2 have right ones, a pair is worth 6. Player 0 comes last
    # or second in 4 of 6 orders and then gains 6; players 1 and 2 gain it in one order each.
    worths = [6.0 * (c & 1 and c & 6 != 0) for c in range(8)]
    np.testing.assert_allclose(exact_values(np.array(worths)), [4, 1, 1])


@pytest.mark.parametrize("players", [1, 2, 4, 5])
def test_values_are_those_of_all_orders(players):
    worths = worths_of(players)
    values = exact_values(worths)
    np.testing.assert_allclose(values, literal_values(worths, players), atol=1e-12)
    assert values.sum() == pytest.approx(worths[-1] - worths[0])


def test_an_additive_game_gives_each_player_its_own_and_a_dummy_nothing():
    own = np.array([3.0, 0.0, -1.0, 0.5])
    worths = np.array([sum(own[k] for k in range(4) if c >> k & 1) for c in range(16)])
    np.testing.assert_allclose(exact_values(worths), own, atol=1e-12)
    np.testing.assert_allclose(exact_values(np.stack([worths, 2 * worths])), [own, 2 * own], atol=1e-12)


def test_sampled_values_are_the_exact_ones_within_their_error_and_add_up():
    players, worths = 6, worths_of(6, 3)
    orders = antithetic_orders(players, 200, 0)
    assert orders[1] == orders[0][::-1] and orders == antithetic_orders(players, 200, 0)
    found = sampled_values(dict(enumerate(worths)), orders)
    assert found.values.sum() == pytest.approx(worths[-1] - worths[0])
    exact = exact_values(worths)
    assert (np.abs(found.values - exact) < 4 * found.errors).all() and (found.errors > 0).all()
    fewer = sampled_values(dict(enumerate(worths)), orders[:100])
    assert fewer.errors.mean() > found.errors.mean()


def test_eight_players_are_sampled_and_each_coalition_is_asked_for_once():
    own, asked = np.arange(8.0), []

    def worths(coalitions):
        asked.extend(coalitions)
        return np.array([sum(own[k] for k in range(8) if c >> k & 1) for c in coalitions])

    found = shapley_values(8, worths, pairs=4)
    np.testing.assert_allclose(found.values, own, atol=1e-12)
    assert len(asked) == len(set(asked)) < 256
    assert list(coalitions_of([1, 0])) == [0, 2, 3]
