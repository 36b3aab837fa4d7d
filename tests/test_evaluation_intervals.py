"""Sums by identity: intervals, merging, two real processes, and the full size of Market-1501."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from literal_scores import side
from two_processes import GALLERY, QUERY, RATES

from torchreid_amd.evaluation import Mean, evaluate_decomposition, score_pairs, spearman
from torchreid_amd.evaluation.completeness import Quantile
from torchreid_amd.evaluation.retrieval import GalleryRankCorrelation
from torchreid_amd.evaluation.statistics import (
    IdentitySums,
    ascending,
    bootstrap_intervals,
    drawn_identities,
)
from torchreid_amd.interpreter.distances import get_distance


def flat(data: Any, path: str = "") -> dict[str, Any]:
    """The numbers in nested dictionaries and lists, by where they stand."""
    if isinstance(data, dict):
        return {k: v for name, part in data.items() for k, v in flat(part, f"{path}/{name}").items()}
    if isinstance(data, list):
        return {k: v for n, part in enumerate(data) for k, v in flat(part, f"{path}/{n}").items()}
    return {} if isinstance(data, str) else {path: data}


def test_sums_by_identity_by_hand():
    sums = IdentitySums((2,))
    sums.add(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), torch.tensor([7, 2, 7]))
    assert sums.identities.tolist() == [2, 7] and sums.rows.tolist() == [[3, 4], [6, 8]]
    sums.add(torch.tensor([[1.0, 1.0]]), torch.tensor([7]))  # an identity that is there
    sums.merge(IdentitySums.from_dict(json.loads(json.dumps(sums.to_dict()))))
    other = IdentitySums((2,))
    other.add(torch.tensor([[9.0, 9.0]]), torch.tensor([4]))
    assert sums.merge(other).identities.tolist() == [2, 4, 7]
    assert sums.rows.tolist() == [[6, 8], [9, 9], [14, 18]] and sums.total.tolist() == [29, 35]


def test_identities_are_drawn_not_pairs():
    # two identities, one always 0 and one always 1, with a thousand pairs each: a draw holds
    # neither, one or both of the ones, so the interval is everything; over pairs it would be ±3 %
    mean = Mean()
    mean.update(torch.tensor([0.0, 1.0] * 1000), identity=torch.tensor([3, 8] * 1000))
    assert mean.value == 0.5 and mean.interval == (0, 1)
    mean = Mean()
    mean.update(torch.tensor([0.0, 1.0] * 1000))
    assert mean.interval is None  # nobody's pairs have no interval


def test_intervals_cover_the_truth_as_often_as_they_say():
    generator = torch.Generator().manual_seed(0)
    covered = 0
    for _ in range(300):
        people = torch.randn(40, generator=generator)  # what an identity adds to all its pairs
        values = people.repeat_interleave(25) + torch.randn(1000, generator=generator)
        mean = Mean()
        mean.update(values, identity=torch.arange(40).repeat_interleave(25))
        low, high = mean.interval
        covered += low <= 0 <= high
    assert 0.90 <= covered / 300 <= 0.98


def test_drawn_identities_are_seeded_and_whole():
    times = drawn_identities(9, draws=50)
    assert times.sum(1).tolist() == [9] * 50
    assert torch.equal(times, drawn_identities(9, draws=50))
    assert bootstrap_intervals(lambda t: t.sum(1) * float("nan"), 9) == [None]


@pytest.mark.parametrize("count", [40, 5000])
def test_quantile_is_that_of_the_sorted_values(count: int):
    values = 10 ** (torch.randn(count) * 0.7 - 1.5)
    whole, first, second = Quantile(), Quantile(), Quantile()
    identity = torch.randint(0, 9, (count,))
    whole.update(values)
    first.update(values[:17], identity[:17])
    second.update(values[17:], identity[17:])
    found = first.merge(Quantile.from_dict(json.loads(json.dumps(second.to_dict())))).value
    assert found == pytest.approx(whole.value)
    expected = np.quantile(values.numpy(), 0.95, method="inverted_cdf")
    assert found == pytest.approx(expected, rel=0.03)
    low, high = first.interval
    assert low <= found <= high


def test_rank_correlation_by_hand():
    # ranks 1 2 3 4 and 1 3 2 4: 1 − 6·(0 + 1 + 1 + 0) / (4·15) = 0.8; ties share 2.5; constant: 0
    assert spearman(np.array([1.0, 2, 3, 9]), np.array([0.1, 0.3, 0.2, 0.4])) == pytest.approx(0.8)
    assert spearman(np.array([1.0, 2, 2, 3]), np.array([1.0, 2, 2, 3])) == pytest.approx(1)
    assert spearman(np.array([1.0, 1, 1]), np.array([1.0, 2, 3])) == 0
    assert spearman(np.array([1.0]), np.array([1.0])) == 0
    correlation = GalleryRankCorrelation()
    first = np.array([[1.0, 2, 3, 9], [1.0, 2, 3, 4]])
    second = np.array([[0.1, 0.3, 0.2, 0.0], [4.0, 3, 2, 1]])
    kept = np.array([[True, True, True, False], [True, True, True, True]])
    correlation.update(first, second, kept, np.array([5, 6]))
    assert correlation.mean.value == pytest.approx((0.5 - 1) / 2)  # 1 − 6·2/24 = 0.5, and −1


def test_ascending_is_stable_for_both_precisions():
    values = np.random.default_rng(0).integers(-5, 6, 3000) / 4
    for kind in (np.float32, np.float64):
        found = ascending(values.astype(kind))
        assert found.tolist() == sorted(range(3000), key=lambda n: (values[n], n))


def test_ranks_of_many_ties_are_mean_ranks():
    random = np.random.default_rng(0)
    x, y = random.integers(0, 7, 200).astype(np.float32), random.integers(-3, 3, 200).astype(np.float32)
    a, b = ([(z < v).sum() + ((z == v).sum() + 1) / 2 for v in z] for z in (x, y))
    assert spearman(x, y) == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-12)


def test_parts_of_the_queries_merge_to_the_whole():
    query, gallery = side(*QUERY), side(*GALLERY)
    whole = score_pairs(query, gallery, get_distance("cosine"), rates=RATES).scores(list("vwxyz"))
    parts = [
        score_pairs(query.part(rows), gallery, get_distance("cosine"), rates=RATES)
        for rows in (slice(0, 1), slice(1, 20), slice(20, None))
    ]
    merged = parts[0].merge(parts[1]).merge(parts[2]).merge_processes().scores(list("vwxyz"))
    assert flat(merged.to_dict()) == pytest.approx(flat(whole.to_dict()), rel=1e-6)


def test_two_processes_give_the_scores_of_one(tmp_path: Path):
    script = Path(__file__).with_name("two_processes.py")
    output = tmp_path / "merged.json"
    commands = [[sys.executable, str(script), str(r), str(tmp_path / "address"), str(output)] for r in (0, 1)]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE) for command in commands]
    for process in started:
        errors = process.communicate(timeout=300)[1]
        assert process.returncode == 0, errors.decode()
    alone = evaluate_decomposition(
        side(*QUERY), side(*GALLERY), get_distance("euclidean"), attributes=list("vwxyz"), rates=RATES
    )
    assert flat(json.loads(output.read_text())) == pytest.approx(flat(alone.to_dict()), rel=1e-6)


def test_every_score_has_an_interval_around_it():
    query, gallery = side(*QUERY), side(*GALLERY)
    rankers = {"probe": (torch.rand(31, 5), torch.rand(43, 5))}
    others = [get_distance("cosine"), get_distance("squared_euclidean"), get_distance("euclidean")]
    scores = evaluate_decomposition(
        query, gallery, get_distance("euclidean"), rates=RATES, others=others, rankers=rankers
    )
    rows = {"target": scores.target, "interpreter": scores.interpreter, "prior": scores.prior}
    rows |= {"random": scores.random, "probe": scores.baselines["probe"]}
    for row, values in rows.items():
        for name, value in values.items():
            if "max" not in name and "p95" not in name:  # of few identities a percentile can lie outside
                low, high = scores.intervals[row][name]
                assert low <= value <= high, (row, name)
    assert {"ADRE (cosine)", "ADRE p95 (squared_euclidean)"} <= set(scores.interpreter)
    assert "ADRE (euclidean)" not in scores.interpreter


@pytest.mark.parametrize("form", ["mean", "sum", "additive"])
@pytest.mark.parametrize("metric", ["euclidean", "squared_euclidean", "cosine"])
def test_further_distances_have_the_adre_of_their_own_evaluation(form: str, metric: str):
    query, gallery = side(*QUERY), side(*GALLERY)
    others = [get_distance(name) for name in ("euclidean", "squared_euclidean", "cosine") if name != metric]
    both = evaluate_decomposition(query, gallery, get_distance(metric), form, others=others)
    for other in others:
        alone = evaluate_decomposition(query, gallery, other, form)
        for name in ("ADRE", "ADRE p95", "ADRE max"):
            found, expected = both.interpreter[f"{name} ({other.name})"], alone.interpreter[name]
            if form == "additive":  # rounding alone
                assert found < 0.1 and expected < 0.1
            else:
                assert found == pytest.approx(expected, rel=1e-5) and found > 1


def test_distractors_count_as_no_only_when_asked():
    query, gallery = side(*QUERY), side(*GALLERY)  # identity 0 has no labels
    switched = gallery.with_distractors_as_no()
    strangers = gallery.pids == 0
    assert strangers.any() and (switched.known_labels[strangers] == 0).all()
    assert torch.equal(switched.known_labels[~strangers], gallery.known_labels[~strangers])
    left_out = evaluate_decomposition(query, gallery, get_distance("euclidean")).pairs["annotated"]
    counted = evaluate_decomposition(query, switched, get_distance("euclidean")).pairs["annotated"]
    known = int((query.pids != 0).sum())
    assert counted - left_out == known * int(strangers.sum())


def test_retrieval_at_the_full_size_of_market1501(real_file: Callable[[str], Path]):
    """The official identities and cameras, seeded distances, 40 of the queries."""
    from scipy.io import loadmat

    from torchreid_amd.core import host
    from torchreid_amd.evaluation import Retrieval

    ids = {name: loadmat(real_file(f"market_eval_{name}.mat")) for name in ("queryID", "queryCam")}
    ids |= {name: loadmat(real_file(f"market_eval_{name}.mat")) for name in ("testID", "testCam")}
    q, qc, g, gc = (
        next(v for k, v in ids[name].items() if not k.startswith("_")).ravel().astype(int)
        for name in ("queryID", "queryCam", "testID", "testCam")
    )
    assert (len(q), len(g)) == (3368, 19732) and (g == 0).sum() == 2798
    kept = g >= 0
    g, gc = g[kept], gc[kept]
    rows = np.random.default_rng(0).permutation(3368)[:40]
    distances = np.random.default_rng(1).random((40, len(g)), dtype=np.float32)
    distances -= 0.3 * (q[rows, None] == g)
    retrieval = Retrieval()
    retrieval.update(distances, q[rows], g, qc[rows], gc)
    cmc, mean_ap = host.torchreid().metrics.evaluate_rank(distances, q[rows], g, qc[rows], gc, max_rank=20)
    found = retrieval.percent()
    assert found["mAP"] == pytest.approx(100 * mean_ap, abs=1e-4)
    assert [found[f"rank-{k}"] for k in (1, 5, 10, 20)] == pytest.approx(
        [100 * float(cmc[k - 1]) for k in (1, 5, 10, 20)], abs=1e-4
    )
