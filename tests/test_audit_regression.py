"""Beside an audit, what others do: regression and permutation, held against slow loops of their own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from made_audits import ENTRIES, METRIC, SCHEMA, embedded, findings_of, measured_of, pairs_of, people

from torchreid_amd.auditing.audited_set import AuditedSet
from torchreid_amd.auditing.regression import PERMUTATIONS, persons_apart, regress
from torchreid_amd.evaluation.statistics import spearman


@pytest.fixture(scope="module")
def regressed():
    data = people(14)
    both = embedded(data)
    apart = persons_apart(METRIC, both, data, SCHEMA)
    return data, both, apart, regress([apart], ENTRIES, 0)


def slow_rows(data: AuditedSet, both) -> list[tuple[int, int, float]]:
    """(query person, gallery person, mean distance) by four loops."""
    rows = []
    for i, j in itertools.product(range(1, 15), repeat=2):
        of_i, of_j = (
            both[0][torch.from_numpy(data.query.pids == i)],
            both[1][torch.from_numpy(data.gallery.pids == j)],
        )
        rows.append((i, j, float(np.mean([float((a - b).norm()) for a in of_i for b in of_j]))))
    return [row for row in rows if row[0] != row[1]]


def test_regression_by_slow_loops(regressed) -> None:
    data, both, _, found = regressed
    rows = slow_rows(data, both)
    labels = {pid: data.query.labels[2 * (pid - 1)] for pid in range(1, 15)}

    def differ(i: int, j: int, deal: dict[int, int] | None = None, which: int = -1) -> list[float]:
        return [
            float(
                any(
                    labels[(deal[i] if e == which and deal else i)][k]
                    != labels[(deal[j] if e == which and deal else j)][k]
                    for k in entry.members
                )
            )
            for e, entry in enumerate(ENTRIES)
        ]

    x = np.array([[1.0, *differ(i, j)] for i, j, _ in rows])
    y = np.array([d for *_, d in rows])
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    left = ((y - x @ beta) ** 2).sum()
    spread = ((y - y.mean()) ** 2).sum()
    assert found.pairs == 14 * 13
    assert found.explained.value == pytest.approx(1 - left / spread, rel=1e-6)
    assert found.unexplained.value == pytest.approx(beta[0] / y.mean(), rel=1e-6)
    for e, entry in enumerate(ENTRIES):
        assert found.effects[entry.name].value == pytest.approx(beta[e + 1] / y.mean(), rel=1e-5)
    # permuted over persons: each keeps its distances and gets somebody's label
    rng = np.random.default_rng(0)
    for e, entry in enumerate(ENTRIES):
        drops = []
        for _ in range(PERMUTATIONS):
            deal = dict(zip(range(1, 15), (1 + rng.permutation(14)).tolist(), strict=True))
            moved = np.array([[1.0, *differ(i, j, deal, e)] for i, j, _ in rows])
            drops.append((((y - moved @ beta) ** 2).sum() - left) / spread)
        # permuting positions is permuting the labels at them
        assert found.importance[entry.name].value == pytest.approx(np.mean(drops), rel=1e-6)
    equal = [d for row, d in zip(x, y, strict=True) if not row[1:].any()]
    assert found.alike.pairs == len(equal)
    if len(equal) >= 10:
        assert found.alike.value == pytest.approx(np.mean(equal) / y.mean())
    else:
        assert found.alike.value is None


def test_a_regression_needs_labels(regressed) -> None:
    data, both, apart, _ = regressed
    assert regress([persons_apart(METRIC, both, data, SCHEMA)], (), 0) is None
    few = people(5)
    assert regress([persons_apart(METRIC, embedded(few), few, SCHEMA)], ENTRIES, 0) is None
    unknown = {pid: np.full(6, -1, np.int8) if pid < 3 else row for pid, row in apart.labels.items()}
    known = regress([type(apart)(apart.distances, apart.rows, apart.columns, unknown)], ENTRIES, 0)
    assert known is not None and known.pairs == 12 * 11


def test_persons_of_two_data_sets_are_regressed_together(regressed) -> None:
    *_, apart, one = regressed
    two = regress([apart, apart], ENTRIES, 0)
    assert two is not None and two.pairs == 2 * one.pairs
    assert two.unexplained.value == pytest.approx(one.unexplained.value)
    assert two.unexplained.interval[1] - two.unexplained.interval[0] < (
        one.unexplained.interval[1] - one.unexplained.interval[0]
    )  # twice as many persons


def test_agreement_is_of_three_orders() -> None:
    data = [people(14)]
    found = findings_of(data, measured_of(data, pairs_of(data, 28)))
    regression = found.regression
    assert regression is not None
    effect = [f.effect.value for f in found.attributes if f.effect]
    often = [f.tells_apart for f in found.attributes]
    regressed = [regression.effects[f.name].value for f in found.attributes]
    permuted = [regression.importance[f.name].value for f in found.attributes]
    assert found.agreement == {
        "attributes": 5,
        "effect": pytest.approx(spearman(np.array(effect), np.array(regressed))),
        "importance": pytest.approx(spearman(np.multiply(effect, often), np.array(permuted))),
        "regression_and_permutation": pytest.approx(
            spearman(np.multiply(regressed, often), np.array(permuted))
        ),
    }
    assert found.labelled == pytest.approx(np.dot(effect, often))
