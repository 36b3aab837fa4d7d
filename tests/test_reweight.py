"""Re-weighted retrieval: the formula, what weights are fitted to, how λ is chosen, gains with intervals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

import torchreid_amd as amd
from torchreid_amd.core.errors import InputError
from torchreid_amd.evaluation import DecomposedImages
from torchreid_amd.evaluation.pairs.pair_shares import NEAREST, same_and_nearest
from torchreid_amd.evaluation.report.tables import report_table
from torchreid_amd.evaluation.retrieval import Retrieval
from torchreid_amd.evaluation.reweighting import (
    Reweighting,
    fit_reweighting,
    gain,
    reweighting_record,
    score_reweightings,
)
from torchreid_amd.interpreter.distances import get_distance

EUCLIDEAN = get_distance("euclidean")


def random_images(people: int, each: int = 4, seed: int = 0, attributes: int = 5) -> DecomposedImages:
    draw = torch.Generator().manual_seed(seed)
    pids = torch.arange(1, people + 1).repeat_interleave(each)
    cameras = torch.arange(each).repeat(people) % 2
    shape = (len(pids), attributes, 6)
    return DecomposedImages(
        torch.randn(len(pids), 6, generator=draw), torch.randn(shape, generator=draw), pids, cameras
    )


def clothed(people: int, seed: int, nuisance: float = 2.5) -> DecomposedImages:
    """Attribute 0 is who somebody is, attribute 1 only the moment: a target that minds both alike."""
    draw = np.random.default_rng(seed)
    pids = np.repeat(np.arange(1, people + 1), 6)
    who = draw.normal(size=(people, 4))[pids - 1] + 0.15 * draw.normal(size=(len(pids), 4))
    moment = nuisance * draw.normal(size=(len(pids), 4)) * draw.random((len(pids), 1)) ** 2
    components = np.zeros((len(pids), 2, 8))
    components[:, 0, :4], components[:, 1, 4:] = who, moment
    return DecomposedImages(
        torch.tensor(components.sum(1)).float(),
        torch.tensor(components).float(),
        torch.tensor(pids),
        torch.tensor(np.tile([0, 0, 1, 1, 2, 2], people)),
    )


# --- the formula


def test_the_module_is_public() -> None:
    assert amd.reweight.Reweighting is Reweighting


def test_a_distance_by_hand() -> None:
    """Shares (3/4, 1/4), w = (1, −1), λ = 0.2: the factor is 1 + 0.2 · (3/4 − 1/4) = 1.1."""
    reweighting = Reweighting(torch.tensor([1.0, -1.0]), 0.2)
    assert float(reweighting.factor(torch.tensor([0.75, 0.25]))) == pytest.approx(1.1)
    assert float(reweighting.factor(torch.tensor([0.0, 1.0]))) == pytest.approx(0.8)
    assert float(Reweighting(torch.tensor([-9.0, 0.0]), 1.0).factor(torch.tensor([1.0, 0.0]))) == 0


def literal(
    query: DecomposedImages, gallery: DecomposedImages, w: Tensor, strength: float, form: str
) -> Retrieval:
    """A pair at a time, as the formula stands; contributions with signs give shares of their size."""
    whole = np.zeros((len(query), len(gallery)))
    for i in range(len(query)):
        for j in range(len(gallery)):
            d = float((query.embedding[i] - gallery.embedding[j]).norm())
            steps = query.components[i] - gallery.components[j]
            parts = [float(step.norm()) for step in steps]
            if form == "additive":
                parts = [abs(float(step @ (query.embedding[i] - gallery.embedding[j]))) for step in steps]
            shares = [part / sum(parts) for part in parts]
            whole[i, j] = d * (1 + strength * sum(x * p for x, p in zip(w.tolist(), shares, strict=True)))
    scores = Retrieval()
    scores.update(whole, *(x.numpy() for x in (query.pids, gallery.pids, query.camids, gallery.camids)))
    return scores


@pytest.mark.parametrize(
    ("memory", "form"), [(2**28, "mean"), (2**14, "sum"), (1, "mean"), (2**14, "additive")]
)
def test_blocks_give_what_the_formula_gives(memory: int, form: str) -> None:
    query, gallery = random_images(6, 2), random_images(6, 4, seed=1)
    w = torch.tensor([0.5, -0.3, 0.8, -1.0, 0.1])
    tried = [Reweighting(w, 0.4), Reweighting(w, 0.0), Reweighting(w, 0.1)]
    found = score_reweightings(query, gallery, EUCLIDEAN, tried, form, memory=memory)
    for reweighting, scores in zip(tried, found, strict=True):
        expected = literal(query, gallery, w, reweighting.strength, form)
        assert scores.percent() == pytest.approx(expected.percent())


@pytest.mark.parametrize("memory", [2**28, 1])
def test_pairs_that_are_told_apart(memory: int) -> None:
    images = random_images(8)
    same, other = same_and_nearest(images, EUCLIDEAN, "mean", torch.device("cpu"), memory)
    d = torch.cdist(images.embedding, images.embedding)
    one = images.pids[:, None] == images.pids
    apart = images.camids[:, None] != images.camids
    assert sorted(same[:, 0].exp().tolist()) == pytest.approx(sorted(d[one & apart].tolist()), rel=1e-3)
    nearest = d.masked_fill(one, torch.inf).sort(1).values[:, :NEAREST].flatten()
    assert sorted(other[:, 0].exp().tolist()) == pytest.approx(sorted(nearest.tolist()), rel=1e-3)
    for rows in (same, other):
        assert rows[:, 1:].sum(1).tolist() == pytest.approx([1.0] * len(rows), abs=1e-5)


# --- fitting and choosing


def test_what_only_the_moment_shows_is_weighted_down() -> None:
    train = clothed(30, 0)
    chosen = fit_reweighting(train, EUCLIDEAN)
    assert chosen.weights[0] > 0 > chosen.weights[1]
    assert chosen.strength > 0
    tried = {(penalty, strength): score for penalty, strength, score in chosen.held_out}
    assert tried[chosen.penalty, chosen.strength] == max(tried.values())
    both = clothed(40, 3)
    asked = torch.arange(len(both)) % 3 == 0
    record = reweighting_record(chosen, both.part(asked), both.part(~asked), EUCLIDEAN, ["who", "moment"])
    low, _ = record["rows"]["gain"]["intervals"]["mAP"]
    assert low > 0
    assert record["identities"] == {"fit": 24, "held_out": 6}
    assert set(record["weights"]) == {"who", "moment"}


def test_no_gain_is_zero_and_the_distance_stays() -> None:
    """Only noise in the components: the chosen λ may be 0, and then nothing at all changes."""
    train = clothed(20, 0, nuisance=0.0)
    chosen = fit_reweighting(train, EUCLIDEAN)
    assert chosen.held_out[0][1] == 0
    assert chosen.strength == 0  # the target is perfect there: ties go to λ = 0
    record = reweighting_record(chosen, train, train, EUCLIDEAN, ["who", "moment"])
    assert set(record["rows"]["gain"]["values"].values()) == {0.0}
    assert record["rows"]["gain"]["intervals"]["mAP"] == [0.0, 0.0]


def test_a_gain_that_may_be_luck_is_no_gain() -> None:
    """Components that say nothing: some λ is a little better on the held-out, by chance."""
    worn = clothed(30, 5, nuisance=1.0)
    noise = torch.randn(len(worn), 3, 8, generator=torch.Generator().manual_seed(1))
    chosen = fit_reweighting(DecomposedImages(worn.embedding, noise, worn.pids, worn.camids), EUCLIDEAN)
    scores = [score for _, _, score in chosen.held_out]
    assert max(scores) > scores[0]
    assert chosen.strength == 0


def test_labels_are_not_looked_at() -> None:
    plain = clothed(15, 4)
    labelled = DecomposedImages(
        plain.embedding, plain.components, plain.pids, plain.camids, torch.ones(len(plain), 2)
    )
    one, other = (fit_reweighting(images, EUCLIDEAN) for images in (plain, labelled))
    assert torch.equal(one.weights, other.weights)
    assert one.held_out == other.held_out


def test_zero_is_always_a_candidate() -> None:
    chosen = fit_reweighting(clothed(15, 4), EUCLIDEAN, strengths=[0.5], penalties=[1.0])
    assert [strength for _, strength, _ in chosen.held_out] == [0.0, 0.5]


def test_weights_are_fitted_without_the_people_who_choose() -> None:
    """Every fifth training identity chooses λ: whatever they look like, the weights are the same."""
    train = clothed(20, 0)
    noise = torch.randn(train.components.shape, generator=torch.Generator().manual_seed(1))

    def weights_where(people: Tensor) -> Tensor:
        components = torch.where(people[:, None, None], 3 * noise, train.components)
        changed = DecomposedImages(components.sum(1), components, train.pids, train.camids)
        return fit_reweighting(changed, EUCLIDEAN, strengths=[1.0], penalties=[1.0]).weights

    plain = weights_where(torch.zeros(len(train), dtype=torch.bool))
    assert torch.equal(weights_where(train.pids % 5 == 0), plain)
    assert not torch.allclose(weights_where(train.pids % 5 == 4), plain, rtol=0.01)


def test_the_people_who_choose_are_the_queries_and_all_are_the_gallery() -> None:
    train = clothed(20, 0)
    held = train.pids % 5 == 0
    chosen = fit_reweighting(train, EUCLIDEAN, strengths=[1.0], penalties=[1.0])
    scores = score_reweightings(
        train.part(held), train, EUCLIDEAN, [Reweighting(chosen.weights, s) for s in (0.0, 1.0)]
    )
    assert [score for _, _, score in chosen.held_out] == pytest.approx([s.percent()["mAP"] for s in scores])


def test_gain_by_hand() -> None:
    """Person 1 rises from place 2 to 1, person 2 stays at 1: AP ½ → 1 and 1 → 1, a mean gain of ¼."""
    before, after = Retrieval(), Retrieval()
    who = np.array([1, 2]), np.array([1, 2]), np.array([0, 0]), np.array([1, 1])
    before.update(np.array([[2.0, 1.0], [2.0, 1.0]]), *who)
    after.update(np.array([[1.0, 2.0], [2.0, 1.0]]), *who)
    difference = gain(before, after)
    assert difference.values[before.names.index("mAP")] == pytest.approx(0.25)
    assert difference.values[before.names.index("rank-1")] == pytest.approx(0.5)
    low, high = difference.intervals[before.names.index("mAP")] or (None, None)
    assert (low, high) == (0.0, 0.5)  # either person drawn twice


# --- bad input


def test_scores_of_other_queries_are_refused() -> None:
    a, b = Retrieval(), Retrieval()
    a.update(np.eye(2), np.array([1, 2]), np.array([1, 2]), np.zeros(2, int), np.ones(2, int))
    with pytest.raises(InputError, match="different queries"):
        gain(a, b)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (random_images(4), "at least 5 identities"),
        (random_images(12, each=1), "several of both"),
    ],
)
def test_too_little_to_fit_on(images: DecomposedImages, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        fit_reweighting(images, EUCLIDEAN)
    assert "\n" not in str(caught.value)


def test_held_out_people_under_one_camera_are_refused() -> None:
    images = random_images(10)
    lonely = images.pids % 5 == 0
    cameras = torch.where(lonely, 0, images.camids)
    with pytest.raises(InputError, match="held-out"):
        fit_reweighting(
            DecomposedImages(images.embedding, images.components, images.pids, cameras), EUCLIDEAN
        )


def test_the_report_says_what_was_chosen() -> None:
    both = clothed(10, 3)
    scores = {"rows": {}, "not_scored": "too few"}
    base = {
        "metric": "euclidean", "form": "mean", "target": {}, "interpreter": {}, "prior": {}, "random": {},
        "per_attribute": {"who": {}, "moment": {}}, "pairs": {"annotated": 0},
    }  # fmt: skip
    assert "Not scored: too few" in report_table(base | {"reweight": scores})
    record = reweighting_record(
        fit_reweighting(clothed(30, 0), EUCLIDEAN), both, both, EUCLIDEAN, ["who", "moment"]
    )
    text = report_table(base | {"reweight": record, "labelled": []})
    assert f"λ = {record['strength']:g}, chosen on 6 held-out" in text
    assert "no attribute labels are known" in text
    assert "1 of 2 attributes" in report_table(base | {"labelled": ["who"]})
