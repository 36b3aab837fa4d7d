"""X-mAP, hit rates, baselines and accumulators, by hand and beside literal formulas."""

from __future__ import annotations

import json
import random

import pytest
import torch
from literal_scores import literal_ap, literal_pair

from torchreid_amd.core.errors import InputError
from torchreid_amd.evaluation import (
    ADRE,
    AttributeScores,
    Mean,
    common_average_precision,
    common_hits,
    exclusive_average_precision,
    exclusive_hits,
    prior_shares,
    random_average_precision,
    random_hits,
    rank_pairs,
    relative_error,
)
from torchreid_amd.evaluation.naming.labelled_block import LabelledBlock

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
    assert common_hits(ranked).tolist() == [[False, True, False, False]]


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
            assert set(common_hits(ranked)[row].nonzero()[:, 0].tolist()) == expected["rest"]


def test_a_perfect_ranking_scores_hundred():
    a = torch.randint(0, 2, (50, 9))
    b = torch.randint(0, 2, (50, 9))
    b[0] = a[0]
    shares = torch.where(a != b, 0.9, 0.1) + 0.01 * torch.rand(50, 9)
    shares[0] = 1 / 9
    scores = AttributeScores(9)
    scores.update(shares, a, b)
    assert set(scores.percent()) == {"X-mAP_e", "X-mAP_c", "exclusive_hit_rate", "common_hit_rate"}
    assert list(scores.percent().values()) == pytest.approx([100] * 4)
    assert scores.common_percent_by_attribute() == pytest.approx([100] * 9)
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


def test_bad_input_is_named():
    with pytest.raises(InputError, match=r"expected \(P, M\) three times"):
        rank_pairs(torch.ones(2, 3), torch.ones(2, 3), torch.ones(2, 4))


@pytest.mark.parametrize("unknown", ["nothing", "distractors", "some"])
def test_a_block_adds_what_its_pairs_add(unknown: str) -> None:
    generator = torch.Generator().manual_seed(3)
    q, g, attributes = 7, 40, 6
    shares = torch.randint(0, 5, (q, g, attributes), generator=generator).float()  # with ties
    shares[:, :10] = torch.tensor([9.0, 1, 1, 1, 1, 1])  # above 2/M
    labels_i, labels_j = (
        torch.randint(0, 2, (n, attributes), generator=generator).to(torch.int8) for n in (q, g)
    )
    labels_j[:8], labels_i[1], labels_j[9] = labels_i[0], labels_i[0], 1 - labels_i[0]  # N = 0 and N = M
    if unknown == "distractors":
        labels_j[20:25], labels_i[3] = -1, -1
    if unknown == "some":
        labels_j[::3, 2] = -1
    kept = torch.rand(q, g, generator=generator) < 0.8
    kept &= (labels_i >= 0).any(1, keepdim=True) & (labels_j >= 0).any(1)
    people = torch.tensor([4, 4, 5, 6, 7, 7, 8])
    kept[6] &= unknown == "distractors"  # else a query without a pair
    block, pairs = AttributeScores(attributes), AttributeScores(attributes)
    block.update_block(shares.permute(2, 0, 1), LabelledBlock(labels_i, labels_j, kept, people))
    i, j = kept.nonzero().unbind(1)
    pairs.update(shares[i, j], labels_i[i], labels_j[j], None, people[i])
    mine, theirs = block.mean.sums, pairs.mean.sums
    assert (
        mine.identities.tolist()
        == theirs.identities.tolist()
        == ([4, 5, 7, 8] if unknown == "distractors" else [4, 5, 6, 7])
    )
    torch.testing.assert_close(mine.rows, theirs.rows, rtol=1e-6, atol=1e-6)
    assert block.pairs == pairs.pairs and pairs.pairs[0] < pairs.pairs[1] < int(kept.sum())
