"""Scores of attributes, place and effect of interpreters that cannot know: did they fall to chance?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from torchreid_amd.core.progress_bar import progress
from torchreid_amd.evaluation.baselines.titles import TITLES
from torchreid_amd.evaluation.counterfactual.effect import EffectScores, PairEffect, score_effects
from torchreid_amd.evaluation.counterfactual.record import effect_pairs
from torchreid_amd.evaluation.data.decomposed_images import DecomposedImages
from torchreid_amd.evaluation.data.labelled_images import LabelledImages
from torchreid_amd.evaluation.data.testbed import Testbed, decomposed
from torchreid_amd.evaluation.localisation.record import localisation_scores
from torchreid_amd.evaluation.pairs.score_pairs import evaluate_decomposition
from torchreid_amd.evaluation.sanity.randomised import (
    Stability,
    exchanged_attributes,
    fell,
    with_randomised_head,
    with_randomised_target,
    with_shuffled_labels,
)
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.distances import get_distance

QUERIES, GALLERY, IMAGES, PAIRS = 120, 240, 120, 60  #: sample sizes
CHANCE = {
    "X-mAP_e": TITLES["prior"],
    "pointing": "area of the region, or the average map of the same interpreter",
    "spearman": "number of attributes in the group",
}


def sanity_record(testbed: Testbed, rates: torch.Tensor) -> dict[str, Any]:
    """Everything about sanity, JSON-ready.

    ``chance`` says what a score is held against. ``rows`` hold for the interpreter itself and for
    each variant ``X-mAP_e``, ``pointing`` and ``spearman`` with ``value``, ``interval``, ``chance``
    and ``fell``: whether the score is no better than what needs no interpreter. That is the
    image-free prior for X-mAP_e (or a random order, where that is better), for pointing the area (or
    one map for all images, the average of that interpreter's own, where that is better), and
    counting attributes for the effects. Shuffled labels are those of other people for X-mAP_e,
    those of other attributes else.

    Args:
        testbed: what to look at.
        rates: (M,) share of "yes" in training, for the prior.
    """
    queries = testbed.query.sample(QUERIES, testbed.seed)
    gallery = testbed.gallery.sample(GALLERY, testbed.seed)
    interpreter = testbed.decomposer.interpreter
    variants = {
        "trained": testbed.decomposer,
        "randomised target": testbed.decomposer.of(with_randomised_target(interpreter, testbed.seed)),
        "randomised interpreter": testbed.decomposer.of(with_randomised_head(interpreter, testbed.seed)),
    }
    rows: dict[str, dict[str, Any]] = {}
    labelled = bool((queries.labels >= 0).any() and (gallery.labels >= 0).any())
    for name, decomposer in variants.items():
        rows[name] = {}
        if labelled:
            sides = decomposed(decomposer, queries), decomposed(decomposer, gallery)
            rows[name]["X-mAP_e"] = _named(decomposer, *sides, rates)
            if name == "trained":
                shuffled = with_shuffled_labels(*sides, seed=testbed.seed)
                rows["shuffled labels"] = {"X-mAP_e": _named(decomposer, *shuffled, rates)}
        if testbed.truth is not None:
            rows[name] |= _placed_and_effective(testbed, decomposer, name, rows)
    stability = Stability()
    for i, j in progress(testbed.pairs(PAIRS, 0), "adding noise to pairs"):
        images = testbed.decomposer.read([testbed.query.paths[i], testbed.gallery.paths[j]])
        stability.update(testbed.decomposer, images, int(testbed.query.pids[i]), testbed.seed)
    return {
        "sample": {"queries": len(queries), "gallery": len(gallery), "images": IMAGES, "pairs": PAIRS},
        "chance": CHANCE,
        "rows": rows,
        "stability": stability.record(),
    }


def _named(
    decomposer: Decomposer, query: DecomposedImages, gallery: DecomposedImages, rates: torch.Tensor
) -> dict[str, Any]:
    interpreter = decomposer.interpreter
    distance = get_distance(interpreter.metric)
    scores = evaluate_decomposition(query, gallery, distance, interpreter.form, rates=rates)
    guesses = [v for v in (scores.prior["X-mAP_e"], scores.random["X-mAP_e"]) if v is not None]
    interval = scores.intervals["interpreter"]["X-mAP_e"]
    return _row(scores.interpreter["X-mAP_e"], interval, max(guesses, default=None))


def _placed_and_effective(
    testbed: Testbed, decomposer: Decomposer, name: str, rows: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    images = testbed.photographs(IMAGES)
    found = {"pointing": _pointing(testbed, images, decomposer, None)}
    effects = effect_pairs(testbed, PAIRS, decomposer, baselines=False)
    found["spearman"] = _effective(effects)
    if name == "trained":
        order = exchanged_attributes(len(decomposer.interpreter.attributes), testbed.seed)
        shuffled = rows.setdefault("shuffled labels", {})
        shuffled["pointing"] = _pointing(testbed, images, decomposer, order)
        shuffled["spearman"] = _effective([_exchanged(pair, testbed.seed) for pair in effects])
    return found


def _pointing(
    testbed: Testbed, images: LabelledImages, decomposer: Decomposer, order: Sequence[int] | None
) -> dict[str, Any]:
    scores = localisation_scores(testbed, images, decomposer, order, baselines=False)
    own, average = scores["interpreter"], scores["average map"].percent()["pointing"]
    values, intervals = own.percent(), own.intervals()
    guesses = [v for v in (values["area"], average) if v is not None]
    return _row(values["pointing"], intervals["pointing"], max(guesses, default=None))


def _effective(effects: Sequence[PairEffect]) -> dict[str, Any]:
    scores = score_effects(effects)["interpreter"]
    counting = EffectScores()
    for pair in effects:
        counting.update(pair.predicted["count"], pair.drops, pair.identity)
    return _row(scores.values()["spearman"], scores.intervals()["spearman"], counting.values()["spearman"])


def _exchanged(pair: PairEffect, seed: int) -> PairEffect:
    """The contributions of a pair given to other changes."""
    order = np.random.default_rng([seed, len(pair.drops)]).permutation(len(pair.drops))
    predicted = {**pair.predicted, "interpreter": pair.predicted["interpreter"][order]}
    return PairEffect(pair.identity, pair.names, pair.drops, predicted)


def _row(value: float | None, interval: Any, chance: float | None) -> dict[str, Any]:
    return {"value": value, "interval": interval, "chance": chance, "fell": fell(interval, chance)}
