"""Scores beside slow, literal formulas in plain Python, and beside torchreid's own function."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from torchreid_amd import host
from torchreid_amd.distances import get_distance
from torchreid_amd.errors import InputError
from torchreid_amd.evaluation import (
    ADRE,
    AttributeScores,
    DecomposedImages,
    DecompositionScores,
    Mean,
    Retrieval,
    common_average_precision,
    evaluate_decomposition,
    exclusive_average_precision,
    exclusive_hits,
    prior_shares,
    random_average_precision,
    random_hits,
    rank_pairs,
    relative_error,
    score_table,
)
from torchreid_amd.evaluation.blocks import block_sizes, label_pairs

# ---------------------------------------------------------------- the literal formulas


def literal_ap(relevant: list[bool]) -> float:
    found, total = 0, 0.0
    for place, hit in enumerate(relevant, start=1):
        if hit:
            found += 1
            total += found / place
    return total / found


def literal_pair(p: list[float], a: list[int], b: list[int]) -> dict[str, Any]:
    """Scores of one pair: None where it does not count."""
    known = [k for k in range(len(p)) if a[k] >= 0 and b[k] >= 0]
    exclusive = {k for k in known if a[k] != b[k]}
    n, m = len(exclusive), len(known)
    ranking = sorted(known, key=lambda k: (-p[k], k))
    ascending = ranking[::-1]
    found: dict[str, Any] = {"e": None, "c": None, "hit": None, "top": exclusive & set(ranking[:n])}
    found["exclusive"] = exclusive
    if n > 0:
        found["e"] = literal_ap([k in exclusive for k in ranking])
        found["hit"] = len(found["top"]) / n
    if n < m and n > 0:
        found["c"] = literal_ap([k not in exclusive for k in ascending])
    elif n < m:
        total = sum(p[k] for k in known)
        wrong = [k for k in known if p[k] / total > 2 / m]
        found["c"] = literal_ap([False] * len(wrong) + [True] * (m - len(wrong)))
    return found


def literal_scores(
    query: DecomposedImages, gallery: DecomposedImages, metric: str, form: str, rates: list[float]
) -> dict[str, Any]:
    """Every pair, one after the other, in float64."""

    def distance(x: Tensor, y: Tensor) -> float:
        x, y = x.double(), y.double()
        if metric == "cosine":
            return 1 - float((x * y).sum() / (x.norm() * y.norm()))
        squared = float(((x - y) ** 2).sum())
        return squared if metric == "squared_euclidean" else math.sqrt(squared)

    names = ("adre", "e", "c", "hit", "prior e", "prior c", "prior hit")
    values: dict[str, list[float]] = {name: [] for name in names}
    per_attribute = [[0, 0] for _ in range(query.attributes)]
    counts = {"all": 0, "removed": 0, "used": 0, "zero_distance": 0, "annotated": 0}
    for i in range(len(query)):
        for j in range(len(gallery)):
            counts["all"] += 1
            if query.pids[i] == gallery.pids[j] and query.camids[i] == gallery.camids[j]:
                counts["removed"] += 1
                continue
            counts["used"] += 1
            d = distance(query.embedding[i], gallery.embedding[j])
            parts = [
                distance(query.components[i, k], gallery.components[j, k]) for k in range(query.attributes)
            ]
            whole = sum(parts) / len(parts) if form == "mean" else sum(parts)
            if d == 0:
                counts["zero_distance"] += 1
            else:
                values["adre"].append(abs(d - whole) / d)
            a, b = query.known_labels[i].tolist(), gallery.known_labels[j].tolist()
            counts["annotated"] += any(x >= 0 and y >= 0 for x, y in zip(a, b, strict=True))
            pair = literal_pair(parts, a, b)
            guess = literal_pair([r * (1 - r) for r in rates], a, b)
            for name in ("e", "c", "hit"):
                if pair[name] is not None:
                    values[name].append(pair[name])
                    values[f"prior {name}"].append(guess[name])
            for k in pair["exclusive"]:
                per_attribute[k][0] += k in pair["top"]
                per_attribute[k][1] += 1
    means = {name: 100 * sum(v) / len(v) for name, v in values.items()}
    return means | {"per_attribute": per_attribute, "counts": counts}


def side(images: int, attributes: int, dimension: int, seed: int, half: bool = False) -> DecomposedImages:
    """Random images of 6 identities under 3 cameras; identity 0 has no labels, others miss some."""
    generator = torch.Generator().manual_seed(seed)
    pids = torch.randint(0, 6, (images,), generator=generator)
    labels = torch.randint(0, 2, (6, attributes), generator=torch.Generator().manual_seed(1))
    labels[torch.rand(6, attributes, generator=torch.Generator().manual_seed(2)) < 0.15] = -1
    labels[0] = -1
    labels[5] = labels[4]  # two identities that agree in everything
    components = torch.rand(images, attributes, dimension, generator=generator)
    components *= torch.rand(attributes, 1, generator=torch.Generator().manual_seed(3)) ** 3  # N = 0: errors
    return DecomposedImages(
        torch.rand(images, dimension, generator=generator),
        components.half() if half else components,
        pids,
        torch.randint(0, 3, (images,), generator=generator),
        labels[pids],
    )


# ---------------------------------------------------------------- one pair


def test_average_precision_by_hand():
    # shares  0.4  0.1  0.3  0.2   descending: 0, 2, 3, 1
    # labels  excl comm comm excl  exclusive stand at places 1 and 3: (1/1 + 2/3) / 2 = 5/6
    #                              ascending 1, 3, 2, 0: common at 1 and 3: (1/1 + 2/3) / 2 = 5/6
    # N = 2, the two largest are 0 and 2: one hit, attribute 0
    ranked = rank_pairs(
        torch.tensor([[0.4, 0.1, 0.3, 0.2]]), torch.tensor([[1, 0, 1, 1]]), torch.tensor([[0, 0, 1, 0]])
    )
    assert ranked.order.tolist() == [[0, 2, 3, 1]]
    assert exclusive_average_precision(ranked).item() == pytest.approx(5 / 6)
    assert common_average_precision(ranked).item() == pytest.approx(5 / 6)
    assert exclusive_hits(ranked).tolist() == [[True, False, False, False]]


def test_all_common_counts_large_shares_as_errors_by_hand():
    # M = 5, N = 0, bound 2/5: one share of 0.6 is an error placed first, four positives follow it:
    # (1/2 + 2/3 + 3/4 + 4/5) / 4 = 0.679167; without such a share everything is right
    same = torch.ones(2, 5, dtype=torch.int8)
    ranked = rank_pairs(torch.tensor([[0.6, 0.1, 0.1, 0.1, 0.1], [0.39, 0.31, 0.1, 0.1, 0.1]]), same, same)
    assert common_average_precision(ranked).tolist() == pytest.approx([0.6791667, 1.0])
    assert exclusive_average_precision(ranked).tolist() == [0, 0]


def test_unknown_attributes_are_taken_out_of_the_ranking():
    # the largest share is unknown of one person: the exclusive attribute is first among the others
    ranked = rank_pairs(
        torch.tensor([[0.7, 0.2, 0.1]]), torch.tensor([[-1, 1, 0]]), torch.tensor([[1, 0, 0]])
    )
    assert (ranked.known_count.item(), ranked.exclusive_count.item()) == (2, 1)
    assert exclusive_average_precision(ranked).item() == 1
    assert common_average_precision(ranked).item() == 1


def test_unknown_attributes_stand_behind_known_ones_without_any_share():
    ranked = rank_pairs(
        torch.tensor([[0.5, 0.5, 0.0]]), torch.tensor([[-1, 1, 0]]), torch.tensor([[1, 1, 1]])
    )
    assert ranked.order.tolist() == [[1, 2, 0]]
    assert exclusive_average_precision(ranked).item() == 0.5
    assert common_average_precision(ranked).item() == 0.5


def test_ties_follow_the_order_of_the_attributes():
    # four equal shares are ranked 0, 1, 2, 3, and 3, 2, 1, 0 from the other end
    ranked = rank_pairs(torch.zeros(1, 4), torch.tensor([[0, 0, 1, 0]]), torch.zeros(1, 4, dtype=torch.int8))
    assert ranked.order.tolist() == [[0, 1, 2, 3]]
    assert exclusive_average_precision(ranked).item() == pytest.approx(1 / 3)
    assert common_average_precision(ranked).item() == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_pairs_equal_the_literal_formulas():
    rng = random.Random(0)
    for attributes in (1, 2, 7):
        a = torch.tensor([[rng.choice([-1, 0, 1]) for _ in range(attributes)] for _ in range(300)])
        b = torch.tensor([[rng.choice([-1, 0, 1, 1]) for _ in range(attributes)] for _ in range(300)])
        a[:40] = b[:40]  # all common
        shares = torch.tensor([[rng.random() ** 4 for _ in range(attributes)] for _ in range(300)])
        ranked = rank_pairs(shares, a, b)
        ap_e, ap_c = exclusive_average_precision(ranked), common_average_precision(ranked)
        hits = exclusive_hits(ranked)
        for row in range(300):
            expected = literal_pair(shares[row].tolist(), a[row].tolist(), b[row].tolist())
            assert ap_e[row].item() == pytest.approx(expected["e"] or 0, abs=1e-6)
            assert ap_c[row].item() == pytest.approx(expected["c"] or 0, abs=1e-6)
            assert set(hits[row].nonzero()[:, 0].tolist()) == expected["top"]


def test_a_perfect_ranking_scores_hundred():
    a = torch.randint(0, 2, (50, 9))
    b = torch.randint(0, 2, (50, 9))
    b[0] = a[0]
    shares = torch.where(a != b, 0.9, 0.1) + 0.01 * torch.rand(50, 9)
    shares[0] = 1 / 9
    scores = AttributeScores(9)
    scores.update(shares, a, b)
    assert scores.percent() == pytest.approx({"X-mAP_e": 100, "X-mAP_c": 100, "exclusive_hit_rate": 100})
    assert scores.percent_by_attribute() == pytest.approx([100] * 9)


# ---------------------------------------------------------------- baselines


def test_random_expectation_by_hand():
    # one positive of two: first (AP 1) or second (AP 1/2), 3/4 on average; all positive: 1; none: 0
    n, m = torch.tensor([1, 2, 0, 1, 0]), torch.tensor([2, 2, 2, 1, 0])
    assert random_average_precision(n, m).tolist() == pytest.approx([0.75, 1, 0, 1, 0])


@pytest.mark.parametrize(("positives", "total"), [(1, 5), (3, 8), (7, 8), (6, 26)])
def test_random_expectation_equals_the_mean_of_random_orders(positives: int, total: int):
    rng = random.Random(positives)
    relevant = [k < positives for k in range(total)]
    found = []
    for _ in range(20000):
        rng.shuffle(relevant)
        found.append(literal_ap(relevant))
    expected = random_average_precision(torch.tensor(positives), torch.tensor(total)).item()
    assert expected == pytest.approx(sum(found) / len(found), abs=0.006)


def test_random_hits_equal_the_mean_of_random_orders():
    a, b = torch.tensor([[1, 1, 0, 0, -1, 1]]), torch.tensor([[0, 0, 0, 0, 1, 1]])
    generator = torch.Generator().manual_seed(0)
    shares = torch.rand(20000, 6, generator=generator)
    measured = exclusive_hits(rank_pairs(shares, a.expand(20000, -1), b.expand(20000, -1)))
    expected = random_hits(a, b)[0]
    assert expected.tolist() == pytest.approx([0.4, 0.4, 0, 0, 0, 0])  # N = 2 of M = 5 known
    torch.testing.assert_close(measured.float().mean(0), expected, atol=0.015, rtol=0)


def test_prior_ranks_by_how_often_two_persons_differ():
    # r(1−r): 0.25, 0.09, 0.09, nothing known
    shares = prior_shares(torch.tensor([0.5, 0.1, 0.9, float("nan")]))
    assert shares.tolist() == pytest.approx([0.25 / 0.43, 0.09 / 0.43, 0.09 / 0.43, 0])


# ---------------------------------------------------------------- accumulators


def test_relative_error_leaves_distance_zero_out():
    error, valid = relative_error(torch.tensor([2.0, 4.0, 0.0]), torch.tensor([3.0, 3.0, 1.0]))
    assert error.tolist() == [0.5, 0.25, 0] and valid.tolist() == [True, True, False]
    adre = ADRE()
    assert adre.value is None
    adre.update(torch.tensor([2.0, 4.0, 0.0]), torch.tensor([3.0, 3.0, 1.0]))
    assert adre.value == pytest.approx(37.5) and adre.left_out == 1


def test_accumulators_merge_and_survive_json():
    a, b = torch.randint(-1, 2, (80, 6)), torch.randint(-1, 2, (80, 6))
    shares, d = torch.rand(80, 6), torch.rand(80)
    whole, first, second = AttributeScores(6), AttributeScores(6), AttributeScores(6)
    whole.update(shares, a, b)
    first.update(shares[:31], a[:31], b[:31])
    second.update(shares[31:], a[31:], b[31:])
    merged = first.merge(AttributeScores.from_dict(json.loads(json.dumps(second.to_dict()))))
    assert merged.percent() == pytest.approx(whole.percent())
    assert merged.percent_by_attribute() == pytest.approx(whole.percent_by_attribute())
    adre, left, right = ADRE(), ADRE(), ADRE()
    adre.update(d, shares.mean(1))
    left.update(d[:5], shares[:5].mean(1))
    right.update(d[5:], shares[5:].mean(1))
    assert left.merge(ADRE.from_dict(json.loads(json.dumps(right.to_dict())))).value == pytest.approx(
        adre.value
    )


def test_mean_counts_by_weight():
    mean = Mean()
    mean.update(torch.tensor([1.0, 5.0, 9.0]), torch.tensor([3, 1, 0]))
    assert mean.value == 2  # (3·1 + 1·5) / 4
    assert Mean(2).values == [None, None]


def test_weights_are_repetitions():
    a, b, shares = torch.randint(0, 2, (5, 4)), torch.randint(0, 2, (5, 4)), torch.rand(5, 4)
    times = torch.tensor([3, 0, 1, 2, 5])
    weighted, repeated = AttributeScores(4), AttributeScores(4)
    weighted.update(shares, a, b, times)
    repeated.update(*(x.repeat_interleave(times, 0) for x in (shares, a, b)))
    assert weighted.percent() == pytest.approx(repeated.percent())
    weighted.update_random(a, b, times)
    repeated.update_random(*(x.repeat_interleave(times, 0) for x in (a, b)))
    assert weighted.percent() == pytest.approx(repeated.percent())


# ---------------------------------------------------------------- retrieval


def torchreid_percent(distances: np.ndarray, q: DecomposedImages, g: DecomposedImages) -> dict[str, float]:
    cmc, mean_ap = host.torchreid().metrics.evaluate_rank(
        distances, q.pids.numpy(), g.pids.numpy(), q.camids.numpy(), g.camids.numpy(), max_rank=20
    )
    return {f"rank-{k}": 100 * float(cmc[k - 1]) for k in (1, 5, 10, 20)} | {"mAP": 100 * float(mean_ap)}


def test_retrieval_equals_torchreid_in_one_block_and_in_several():
    query, gallery = side(40, 3, 4, seed=0), side(60, 3, 4, seed=1)
    distances = np.random.default_rng(0).random((40, 60)).astype(np.float32)
    expected = torchreid_percent(distances, query, gallery)

    def part(rows: slice) -> Retrieval:
        retrieval = Retrieval()
        who = (query.pids[rows], gallery.pids, query.camids[rows], gallery.camids)
        retrieval.update(distances[rows], *(x.numpy() for x in who))
        return retrieval

    assert part(slice(None)).percent() == pytest.approx(expected, abs=1e-9)
    merged = part(slice(0, 1)).merge(part(slice(1, 17)))
    merged.merge(Retrieval.from_dict(json.loads(json.dumps(part(slice(17, 40)).to_dict()))))
    assert merged.percent() == pytest.approx(expected, abs=1e-4)


def test_retrieval_with_few_gallery_images_by_hand():
    # Query 7: its own camera is removed, then right, wrong, right by distance: AP (1 + 2/3) / 2.
    # Query 8: wrong, wrong, wrong, right: AP 1/4. Query 9: no image of it, does not count.
    distances = np.array([[0.1, 0.2, 0.3, 0.4], [0.3, 0.2, 0.1, 0.9], [1, 2, 3, 4]], dtype=np.float32)
    gallery_pids, gallery_camids = np.array([7, 7, 5, 7]), np.array([0, 1, 1, 1])
    retrieval = Retrieval()
    retrieval.update(distances[:1], np.array([7]), gallery_pids, np.array([0]), gallery_camids)
    retrieval.update(
        distances[1:], np.array([8, 9]), np.array([7, 7, 5, 8]), np.array([0, 0]), gallery_camids
    )
    percent = retrieval.percent()
    assert percent["mAP"] == pytest.approx(100 * (5 / 6 + 1 / 4) / 2)
    assert (percent["rank-1"], percent["rank-5"], percent["rank-20"]) == (50, 100, 100)


def test_retrieval_without_any_valid_query_has_no_value():
    retrieval = Retrieval()
    one = np.array([1])
    retrieval.update(np.zeros((1, 1), np.float32), one, one, one, one)
    assert retrieval.percent()["mAP"] is None


# ---------------------------------------------------------------- everything, in blocks


@pytest.mark.parametrize("metric", ["euclidean", "squared_euclidean", "cosine"])
@pytest.mark.parametrize(("form", "memory"), [("mean", 2**28), ("sum", 24_000), ("mean", 1)])
def test_blocks_equal_the_literal_formulas(metric: str, form: str, memory: int):
    query, gallery = side(17, 5, 6, seed=4), side(23, 5, 6, seed=5, half=True)
    gallery.embedding[3] = 0
    query.embedding[2] = 0  # a pair at distance 0, whatever the rounding
    if metric == "cosine":
        gallery.embedding[3] = query.embedding[2] = torch.eye(6)[0]
    rates = [0.5, 0.05, 0.8, 0.3, 0.95]
    scores = evaluate_decomposition(
        query, gallery, get_distance(metric), form, list("vwxyz"), rates, memory=memory
    )
    expected = literal_scores(query, gallery, metric, form, rates)
    found = scores.interpreter
    assert found["ADRE"] == pytest.approx(expected["adre"], rel=1e-4)
    for row, prefix in ((found, ""), (scores.prior, "prior ")):
        assert row["X-mAP_e"] == pytest.approx(expected[f"{prefix}e"], abs=1e-3)
        assert row["X-mAP_c"] == pytest.approx(expected[f"{prefix}c"], abs=1e-3)
        assert row["exclusive_hit_rate"] == pytest.approx(expected[f"{prefix}hit"], abs=1e-3)
    assert list(scores.per_attribute) == list("vwxyz")
    for row, (hits, total) in zip(scores.per_attribute.values(), expected["per_attribute"], strict=True):
        assert row["exclusive_pairs"] == total
        assert row["interpreter"] == pytest.approx(100 * hits / total)
    assert expected["counts"]["zero_distance"] == 1
    assert {k: scores.pairs[k] for k in expected["counts"]} == expected["counts"]

    d = get_distance(metric).matrix(query.embedding, gallery.embedding)
    parts = get_distance(metric).matrix(
        query.components.transpose(0, 1), gallery.components.float().transpose(0, 1)
    )
    assert scores.target == pytest.approx(torchreid_percent(d.numpy(), query, gallery), abs=1e-4)
    decomposed = torchreid_percent(parts.mean(0).numpy(), query, gallery)
    assert {k: found[k] for k in decomposed} == pytest.approx(decomposed, abs=1e-4)


@pytest.mark.parametrize("memory", [2**28, 2000])
def test_label_pairs_count_each_kept_annotated_pair(memory: int):
    query, gallery = side(17, 5, 2, seed=4), side(23, 5, 2, seed=5)
    found: dict[Any, int] = {}
    for a, b, weight in label_pairs(query, gallery, memory):
        for row in range(len(weight)):
            key = (*a[row].tolist(), *b[row].tolist())
            assert key not in found
            found[key] = int(weight[row])
    expected: dict[Any, int] = {}
    for i in range(17):
        for j in range(23):
            kept = query.pids[i] != gallery.pids[j] or query.camids[i] != gallery.camids[j]
            a, b = query.known_labels[i].tolist(), gallery.known_labels[j].tolist()
            if kept and max(a) >= 0 and max(b) >= 0:
                expected[(*a, *b)] = expected.get((*a, *b), 0) + 1
    assert found == expected


def test_block_sizes_stay_within_the_memory_they_were_given():
    for queries, gallery, attributes, dimension in (
        (3368, 15913, 26, 2048),
        (700, 900, 26, 512),
        (5, 9, 1, 1),
    ):
        for memory in (2**20, 2**26, 2**30):
            q, g = block_sizes(queries, gallery, attributes, dimension, memory)
            assert 1 <= q <= queries and 1 <= g <= gallery
            if q > 1 and g > 1:
                ranking, images = q * g * attributes * 64, (q + g) * attributes * dimension * 16
                assert ranking + images + q * gallery * 64 <= memory
    assert block_sizes(700, 900, 26, 512, 2**40) == (700, 900)


def test_without_labels_or_rates_only_what_needs_none_is_scored():
    plain = side(12, 3, 4, seed=0)
    query = DecomposedImages(plain.embedding, plain.components, plain.pids, plain.camids)
    scores = evaluate_decomposition(query, side(15, 3, 4, seed=1), get_distance("euclidean"))
    assert scores.interpreter["ADRE"] is not None and scores.target["mAP"] is not None
    assert scores.interpreter["X-mAP_e"] is None and scores.random["X-mAP_c"] is None
    assert scores.prior == {"X-mAP_e": None, "X-mAP_c": None, "exclusive_hit_rate": None}
    assert scores.pairs["annotated"] == 0 and scores.pairs["unannotated"] == scores.pairs["used"]


def test_scores_survive_json_and_make_a_table():
    query, gallery = side(12, 3, 4, seed=0), side(15, 3, 4, seed=1)
    scores = evaluate_decomposition(query, gallery, get_distance("euclidean"), rates=[0.5, 0.2, 0.9])
    again = json.loads(json.dumps(scores.to_dict()))
    assert DecompositionScores.from_dict(again) == scores
    table = score_table(again)
    assert table == score_table(scores)
    lines = table.splitlines()
    assert [line[:16].strip() for line in lines[2:6]] == [
        "target",
        "interpreter",
        "image-free prior",
        "random order",
    ]
    assert len({len(line) for line in lines[:6]}) == 1
    assert lines[2].split()[-4:] == ["–"] * 4  # ADRE and the attribute scores of the target
    assert lines[3].split()[3] == f"{scores.interpreter['ADRE']:.2f}"
    assert lines[5].split()[-3] == f"{scores.random['X-mAP_e']:.2f}"
    with pytest.raises(InputError, match="scores lack 'metric'"):
        score_table({})


def test_bad_input_is_named():
    good = side(4, 3, 2, seed=0)
    euclidean = get_distance("euclidean")
    with pytest.raises(InputError, match=r"pids has shape \(3,\); expected \(4,\)"):
        DecomposedImages(good.embedding, good.components, good.pids[:3], good.camids)
    with pytest.raises(InputError, match=r"components have shape \(4, 2\)"):
        DecomposedImages(good.embedding, good.embedding, good.pids, good.camids)
    with pytest.raises(InputError, match="did you mean 'mean'"):
        evaluate_decomposition(good, good, euclidean, "mena")
    with pytest.raises(InputError, match=r"\(M, D\) = \(3, 2\)"):
        evaluate_decomposition(good, side(4, 2, 2, seed=0), euclidean)
    with pytest.raises(InputError, match="2 training rates were given; expected M = 3"):
        evaluate_decomposition(good, good, euclidean, rates=[0.1, 0.2])
    with pytest.raises(InputError, match="1 attribute names"):
        evaluate_decomposition(good, good, euclidean, attributes=["hat"])
    with pytest.raises(InputError, match="0 query"):
        evaluate_decomposition(side(0, 3, 2, seed=0), good, euclidean)
    broken = side(4, 3, 2, seed=0)
    broken.components[1, 1, 1] = float("nan")
    with pytest.raises(InputError, match="not finite"):
        evaluate_decomposition(broken, good, euclidean)
    with pytest.raises(InputError, match=r"expected \(P, M\) three times"):
        rank_pairs(torch.ones(2, 3), torch.ones(2, 3), torch.ones(2, 4))
