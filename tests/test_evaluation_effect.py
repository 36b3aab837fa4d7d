"""What would happen: by hand, and on a toy whose embedding is made of attribute regions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from region_toy import SCHEMA, ToyTruth, perfect_decomposer, random_decomposer, toy_people

from torchreid_amd.evaluation.baselines.class_activation import distance_activations
from torchreid_amd.evaluation.baselines.linear_probe import fit_regression
from torchreid_amd.evaluation.counterfactual.effect import (
    EffectScores,
    changes_of,
    largest_agrees,
    score_effects,
    signs_agree,
    together,
)
from torchreid_amd.evaluation.counterfactual.measure import measure_effects
from torchreid_amd.evaluation.data.ground_truth import Change
from torchreid_amd.evaluation.data.labelled_images import sample_pairs
from torchreid_amd.interpreter.distances import get_distance


def test_changes_by_hand():
    # hat, red and blue shirt (exclusive), bag
    assert SCHEMA.attributes == ("hat", "red", "blue", "bag")
    assert changes_of(SCHEMA, [1, 1, 0, 0], [0, 0, 1, 0]) == [
        Change("hat", (0,), "hat", 0),
        Change("shirt", (1, 2), "blue", 1),  # one change: the colour of the other
    ]
    assert changes_of(SCHEMA, [0, 1, 0, 0], [0, 0, 0, 1]) == [
        Change("bag", (3,), "bag", 1),
        Change("shirt", (1,), "red", 0),  # the other wears neither: the worn one goes
    ]
    assert changes_of(SCHEMA, [1, 0, 0, -1], [-1, 0, 0, 1]) == []  # unknown


def test_scores_of_effects_by_hand():
    changes = [Change("a", (0,), "a", 1), Change("b", (1, 2), "b", 1)]
    assert together(torch.tensor([1.0, 2.0, 3.0]), changes).tolist() == [1, 5]
    assert largest_agrees(np.array([1.0, 2, 2]), np.array([0.0, 5, 1])) == 0.5  # two are the largest
    assert largest_agrees(np.array([3.0, 2, 2]), np.array([0.0, 5, 1])) == 0
    assert signs_agree(np.array([1.0, 1, 0, -2]), np.array([2.0, -1, 4, -1])) == (1 + 0 + 0.5 + 1) / 4
    scores = EffectScores()
    scores.update(np.array([1.0, 2, 3]), np.array([1.0, 3, 2]), 1)  # rank correlation 1 − 6·2/24 = 0.5
    scores.update(np.array([1.0, 2]), np.array([3.0, 5]), 2)  # too few for one
    found = scores.values()
    assert found["spearman"] == pytest.approx(0.5)
    assert (found["largest"], found["signs"]) == (50, 100)
    assert found["largest_chance"] == pytest.approx(100 * (1 / 3 + 1 / 2) / 2)
    slope, intercept = np.polyfit([1, 2, 3, 1, 2], [1, 3, 2, 3, 5], 1)
    errors = np.array([1, 3, 2, 3, 5]) - (slope * np.array([1, 2, 3, 1, 2]) + intercept)
    assert found["slope"] == pytest.approx(slope)
    assert found["r2"] == pytest.approx(1 - errors.var() / np.var([1, 3, 2, 3, 5]))


def test_equal_predictions_explain_nothing():
    scores = EffectScores()
    for pid in range(4):
        scores.update(np.ones(3), np.random.default_rng(pid).random(3), pid)
    found = scores.values()
    assert (found["spearman"], found["slope"], found["r2"]) == (0, None, 0)
    assert found["largest"] == pytest.approx(100 / 3)


def test_a_perfect_interpreter_predicts_everything_and_a_random_one_nothing(tmp_path: Path):
    people = toy_people(60, 0, tmp_path)
    pairs = sample_pairs(people, people, 80, seed=0)
    perfect = score_effects(measure_effects(perfect_decomposer(), people, people, pairs, ToyTruth(people)))
    found = perfect["interpreter"].values()
    assert found["spearman"] == pytest.approx(1) and found["largest"] == 100 and found["signs"] == 100
    assert found["slope"] == pytest.approx(1, abs=1e-3) and found["r2"] == pytest.approx(1, abs=1e-4)
    random = measure_effects(random_decomposer(), people, people, pairs, ToyTruth(people), baselines=False)
    low, high = score_effects(random)["interpreter"].intervals()["spearman"]
    assert low < 1 and high < 0.9
    assert set(perfect) == {"interpreter", "count", "area", "occlusion", "Grad-CAM", "LayerCAM"}


def test_linear_regression_predicts_a_linear_toy(tmp_path: Path):
    people = toy_people(60, 0, tmp_path)
    decomposer = perfect_decomposer()
    regression = fit_regression(torch.from_numpy(people.labels), decomposer.embed_files(people.paths), 1e-6)
    pairs = sample_pairs(people, people, 40, seed=1)
    effects = measure_effects(decomposer, people, people, pairs, ToyTruth(people), regression)
    assert score_effects(effects)["regression"].values()["spearman"] > 0.9


def test_pairs_are_seeded_and_of_different_persons(tmp_path: Path):
    people = toy_people(30, 0, tmp_path)
    pairs = sample_pairs(people, people, 50, seed=3)
    assert pairs == sample_pairs(people, people, 50, seed=3) and len(pairs) == 50
    assert pairs != sample_pairs(people, people, 50, seed=4)
    assert all(people.pids[i] != people.pids[j] for i, j in pairs)


def test_activations_of_the_distance_by_hand():
    # squared distance of two embeddings e = mean of a map: gradient with respect to each cell of
    # channel c is 2 (e_c − e'_c) / cells
    decomposer = perfect_decomposer()
    a, b = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)
    target = decomposer.interpreter.target
    maps = distance_activations(target, a, b, get_distance("squared_euclidean"))
    f, g = (target.features(x)[1] for x in (a, b))
    gap = (f.mean((2, 3)) - g.mean((2, 3)))[0]
    slopes = 2 * gap / f[0, 0].numel()
    expected = (slopes[:, None, None] * f[0]).sum(0).clamp_min(0)
    torch.testing.assert_close(maps["Grad-CAM"][0], expected)
    layer = (slopes.clamp_min(0)[:, None, None] * f[0]).sum(0)
    torch.testing.assert_close(maps["LayerCAM"][0], layer)
