"""Sums over the pairs of a block: places by counting, rankings as bits, beside the literal formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from literal_scores import literal_pair

from torchreid_amd.evaluation import AttributeScores
from torchreid_amd.evaluation.naming import block_sums as naming
from torchreid_amd.evaluation.naming.counted_places import MOST, count_places
from torchreid_amd.evaluation.naming.labelled_block import KnownLabels, LabelledBlock
from torchreid_amd.evaluation.naming.ranked_bits import precision_sums, ranked_bits


def test_places_by_hand() -> None:
    # 0.3 stands behind both 0.5, of which the first attribute comes first; 0 is last
    shares = np.array([[0.5], [0.3], [0.5], [0.0]], np.float32)
    places, room = np.empty((2, 4, 1), np.uint8)
    assert count_places(shares, places, room)[:, 0].tolist() == [0, 2, 1, 3]


@pytest.mark.parametrize("attributes", [1, 2, 26, MOST])
def test_places_are_those_of_a_stable_sort(attributes: int) -> None:
    shares = np.random.default_rng(0).integers(0, 9, (attributes, 300)).astype(np.float32)
    places, room = np.empty((2, *shares.shape), np.uint8)
    expected = np.argsort(np.argsort(-shares, axis=0, kind="stable"), axis=0)
    assert (count_places(shares, places, room) == expected).all()


def test_precisions_by_hand() -> None:
    # from the largest share on: exclusive, common, common, exclusive, so 1/1 + 2/4; from the smallest on
    # the common ones stand at 2 and 3: 1/2 + 2/3
    differs, places = np.array([[1], [0], [1], [0]], np.uint8), np.array([[0], [2], [3], [1]], np.uint8)
    bits = ranked_bits(differs, places)
    assert [b.tolist() for b in bits] == [[0b1001]]
    assert [x.tolist() for x in precision_sums(bits, 4)] == [[1.5], [pytest.approx(7 / 6)]]


@pytest.mark.parametrize("attributes", [1, 2, 13, 14, 26, 27, 40, 64, MOST])
@pytest.mark.parametrize("together", [12288, 45, 10])  # all, two queries and one, a third of a query
def test_a_block_is_the_sum_of_its_pairs(
    attributes: int, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "PAIRS", together)
    generator = torch.Generator().manual_seed(attributes)
    q, g = 5, 22
    shares = torch.randint(1, 5, (attributes, q, g), generator=generator).float()  # many ties
    shares[0, :, ::3] = 3.0 * attributes  # above 2/M
    labels_i, labels_j = (torch.rand(n, attributes, generator=generator) < 0.4 for n in (q, g))
    labels_j[:4], labels_j[4] = labels_i[0], ~labels_i[0]  # N = 0 and N = M
    kept = torch.rand(q, g, generator=generator) < 0.8
    expected = torch.zeros(2, q, 4 + 2 * attributes, dtype=torch.float64)
    for i, j in kept.nonzero().tolist():
        a, b = labels_i[i].int().tolist(), labels_j[j].int().tolist()
        pair = literal_pair(shares[:, i, j].tolist(), a, b)
        for column, name in enumerate(("e", "c", "hit", "common hit")):
            if pair[name] is not None:
                expected[:, i, column] += torch.tensor([pair[name], 1.0])
        for k in range(attributes):
            column, score = (4, "top") if k in pair["exclusive"] else (4 + attributes, "rest")
            expected[:, i, column + k] += torch.tensor([float(k in pair[score]), 1.0])
    signs = torch.where(torch.rand(shares.shape, generator=generator) < 0.5, -1.0, 1.0)
    labels = KnownLabels.of(labels_i.to(torch.int8), labels_j.to(torch.int8), kept)
    found = naming.block_sums(naming.shares_of_block(shares * signs), labels)
    torch.testing.assert_close(torch.from_numpy(found), expected[0], rtol=1e-6, atol=1e-12)
    assert torch.equal(labels.counts, expected[1])


@pytest.mark.parametrize("where", ["too many attributes", "known in part"])
def test_other_blocks_go_pair_by_pair(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("no block of these can be summed at once")

    monkeypatch.setattr("torchreid_amd.evaluation.naming.attribute_scores.block_sums", refuse)
    attributes = MOST + 1 if where == "too many attributes" else 5
    generator = torch.Generator().manual_seed(0)
    shares = torch.rand(attributes, 3, 4, generator=generator) - 0.5
    labels_i, labels_j = (torch.randint(0, 2, (n, attributes), generator=generator) for n in (3, 4))
    labels_j[1, 2] = 1 if where == "too many attributes" else -1
    people = torch.arange(3)
    block, pairs = AttributeScores(attributes), AttributeScores(attributes)
    block.update_block(shares, LabelledBlock(labels_i, labels_j, torch.ones(3, 4, dtype=torch.bool), people))
    i, j = torch.ones(3, 4).nonzero().unbind(1)
    pairs.update(shares.abs()[:, i, j].T, labels_i[i], labels_j[j], None, people[i])
    assert torch.equal(block.mean.sums.rows, pairs.mean.sums.rows)
