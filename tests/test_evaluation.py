"""All pairs in blocks beside the literal formulas, and beside torchreid's own function."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from literal_scores import literal_scores, side

from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.evaluation import (
    DecomposedImages,
    DecompositionScores,
    Retrieval,
    evaluate_decomposition,
    score_table,
)
from torchreid_amd.evaluation.pairs.blocks import block_sizes, label_pairs
from torchreid_amd.interpreter.distances import get_distance

# ---------------------------------------------------------------- retrieval


def torchreid_percent(distances: np.ndarray, q: DecomposedImages, g: DecomposedImages) -> dict[str, float]:
    cmc, mean_ap = host.torchreid().metrics.evaluate_rank(
        distances, q.pids.numpy(), g.pids.numpy(), q.camids.numpy(), g.camids.numpy(), max_rank=20
    )
    return {f"rank-{k}": 100 * float(cmc[k - 1]) for k in (1, 5, 10, 20)} | {"mAP": 100 * float(mean_ap)}


def without_minp(percent: dict[str, float | None]) -> dict[str, float | None]:
    return {name: value for name, value in percent.items() if name != "mINP"}


def test_retrieval_equals_torchreid_in_one_block_and_in_several():
    query, gallery = side(40, 3, 4, seed=0), side(60, 3, 4, seed=1)
    distances = np.random.default_rng(0).random((40, 60)).astype(np.float32)
    expected = torchreid_percent(distances, query, gallery)

    def part(rows: slice) -> Retrieval:
        retrieval = Retrieval()
        who = (query.pids[rows], gallery.pids, query.camids[rows], gallery.camids)
        retrieval.update(distances[rows], *(x.numpy() for x in who))
        return retrieval

    whole = part(slice(None))
    assert without_minp(whole.percent()) == pytest.approx(expected, abs=1e-5)  # its CMC is float32
    merged = part(slice(0, 1)).merge(part(slice(1, 17)))
    merged.merge(Retrieval.from_dict(json.loads(json.dumps(part(slice(17, 40)).to_dict()))))
    assert merged.percent() == pytest.approx(whole.percent(), abs=1e-9)
    assert merged.intervals() == {k: pytest.approx(v) for k, v in whole.intervals().items()}


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
    assert percent["mINP"] == pytest.approx(100 * (2 / 3 + 1 / 4) / 2)  # n / place of the last


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_equal_distances_rank_in_the_order_of_the_gallery(kind: type):
    # −0 and 0 are equal, and negative distances are nearer: places of person 7 are 2 (behind −1), 4 and 6
    distances = np.array([[0.0, -0.0, 0.0, -1.0, 5.0, 5.0]], dtype=kind)
    retrieval = Retrieval()
    people = np.array([7, 5, 7, 5, 5, 7])
    retrieval.update(distances, np.array([7]), people, np.array([0]), np.ones(6, int))
    assert retrieval.percent()["mAP"] == pytest.approx(100 * (1 / 2 + 2 / 4 + 3 / 6) / 3)
    assert retrieval.percent()["rank-1"] == 0


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
        assert row["common_hit_rate"] == pytest.approx(expected[f"{prefix}common hit"], abs=1e-3)
    assert found["ADRE max"] == pytest.approx(expected["max"], rel=1e-4)
    assert found["ADRE p95"] == pytest.approx(expected["p95"], rel=0.06)  # between neighbours of few pairs
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
    assert without_minp(scores.target) == pytest.approx(
        torchreid_percent(d.numpy(), query, gallery), abs=1e-4
    )
    decomposed = torchreid_percent(parts.mean(0).numpy(), query, gallery)
    assert {k: found[k] for k in decomposed} == pytest.approx(decomposed, abs=1e-4)


@pytest.mark.parametrize("memory", [2**28, 2000])
def test_label_pairs_count_each_kept_annotated_pair(memory: int):
    query, gallery = side(17, 5, 2, seed=4), side(23, 5, 2, seed=5)
    found: dict[Any, int] = {}
    for a, b, weight, pid in label_pairs(query, gallery, memory):
        for row in range(len(weight)):
            key = (int(pid[row]), *a[row].tolist(), *b[row].tolist())
            assert key not in found
            found[key] = int(weight[row])
    expected: dict[Any, int] = {}
    for i in range(17):
        for j in range(23):
            kept = query.pids[i] != gallery.pids[j] or query.camids[i] != gallery.camids[j]
            a, b = query.known_labels[i].tolist(), gallery.known_labels[j].tolist()
            if kept and max(a) >= 0 and max(b) >= 0:
                key = (int(query.pids[i]), *a, *b)
                expected[key] = expected.get(key, 0) + 1
    assert found == expected


def test_block_sizes_stay_within_the_memory_they_were_given():
    for queries, gallery, attributes, dimension in (
        (3368, 15913, 26, 2048),
        (700, 900, 26, 512),
        (5, 9, 1, 1),
    ):
        for memory in (2**20, 2**26, 2**31):
            q, g = block_sizes(queries, gallery, attributes, dimension, memory)
            assert 1 <= q <= queries and 1 <= g <= gallery
            if q > 1 and g > 1:
                ranking, images = q * g * attributes * 64, (q + g) * attributes * dimension * 12
                assert ranking + images + q * gallery * 16 <= memory
    assert block_sizes(700, 900, 26, 512, 2**40) == (700, 900)
    # at full size the gallery is read twice, not once for every few queries, in blocks of a quick width
    assert block_sizes(3368, 15913, 26, 512, per_share=12) == (1684, 768)


def test_without_labels_or_rates_only_what_needs_none_is_scored():
    plain = side(12, 3, 4, seed=0)
    query = DecomposedImages(plain.embedding, plain.components, plain.pids, plain.camids)
    scores = evaluate_decomposition(query, side(15, 3, 4, seed=1), get_distance("euclidean"))
    assert scores.interpreter["ADRE"] is not None and scores.target["mAP"] is not None
    assert scores.interpreter["X-mAP_e"] is None and scores.random["X-mAP_c"] is None
    assert set(scores.prior.values()) == {None} and "X-mAP_e" in scores.prior
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
    assert lines[3].split()[4] == f"{scores.interpreter['ADRE']:.2f}"
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


def test_a_large_negative_contribution_ranks_first():
    # Δe = (1, 0), d = 1: contributions ⟨Δe_k, Δe⟩ / d are −3, 1 and ½. The first attribute alone differs.
    # By size it stands first: AP 1 and, from the other end, 1. By sign it would stand last: AP 1/3, and
    # (1/2 + 2/3) / 2 for the common ones.
    steps = torch.tensor([[[-3.0, 0.0], [1.0, 0.0], [0.5, 0.0]]])
    one, other = torch.tensor([[1, 0, 1]]), torch.tensor([[0, 0, 1]])
    query = DecomposedImages(torch.tensor([[1.0, 0.0]]), steps, [1], [0], one)
    gallery = DecomposedImages(torch.zeros(1, 2), torch.zeros(1, 3, 2), [2], [1], other)
    found = evaluate_decomposition(query, gallery, get_distance("euclidean"), "additive").interpreter
    assert (found["X-mAP_e"], found["X-mAP_c"]) == pytest.approx((100, 100))
    assert (found["exclusive_hit_rate"], found["common_hit_rate"]) == pytest.approx((100, 100))
    assert found["explained"] == pytest.approx(-150) and found["ADRE"] == pytest.approx(0, abs=1e-4)
