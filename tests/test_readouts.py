"""Readouts of attributes: the regression, the calibration, the distance, and who may be looked at."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from seen_people import seen_people

from torchreid_amd.core.errors import InputError
from torchreid_amd.gallery.readouts import FOLDS, SHRINKAGE, calibrate, fit_readouts, folds_of


def literal_scores(x: np.ndarray, y: np.ndarray, new: np.ndarray, penalty: float) -> np.ndarray:
    """Ridge regression as it stands in a textbook, on features of variance 1."""
    mean, std = x.mean(0), x.std(0)
    z = (x - mean) / std
    weight = np.linalg.inv(z.T @ z + penalty * len(z) * np.eye(z.shape[1])) @ z.T @ (y - y.mean(0))
    return (new - mean) / std @ weight + y.mean(0)


@pytest.mark.parametrize("count", [5, 20])  # 16 photographs teach, of 20 features; and 64
def test_each_person_is_read_by_regressions_that_never_saw_them(count: int) -> None:
    seen, labels, people, _ = seen_people(count, seed=1)
    readouts, left_out = fit_readouts(seen.features, labels, people, [2.0])
    x, y = seen.features.double().numpy(), labels.double().numpy()
    for part in range(FOLDS):
        out = (left_out.fold == part).numpy()
        assert not set(people[out].tolist()) & set(people[~out].tolist())
        assert left_out.scores[out].numpy() == pytest.approx(literal_scores(x[~out], y[~out], x[out], 2.0))
    new = np.random.default_rng(1).normal(size=(3, 20))
    whole = literal_scores(x, y, new, 2.0)
    odds = whole * readouts.slope.numpy() + readouts.shift.numpy()
    assert readouts.log_odds(torch.from_numpy(new)).numpy() == pytest.approx(odds, abs=1e-9)
    expected = 1 / (1 + np.exp(-odds))
    assert readouts.probabilities(torch.from_numpy(new)).numpy() == pytest.approx(expected, abs=1e-6)


def test_probabilities_of_others_are_about_right() -> None:
    """Of those who are said to be it with p in a tenth, about that many are; a raw regression is far off."""
    train, labels, people, _ = seen_people(150, noise=4.0)
    test, truth, _, _ = seen_people(400, noise=4.0, seed=5)
    p = fit_readouts(train.features, labels, people)[0].probabilities(test.features)
    for step in range(1, 9):
        inside = (p >= step / 10) & (p < (step + 1) / 10)
        assert float(truth[inside].float().mean()) == pytest.approx(float(p[inside].mean()), abs=0.08)


def test_the_penalty_with_the_smallest_error_on_others_is_taken() -> None:
    seen, labels, people, _ = seen_people(30, noise=4.0)
    x, y = seen.features.double().numpy(), labels.double().numpy()
    fold = folds_of(people, torch.ones(len(people), dtype=torch.bool)).numpy()
    errors = {}
    for penalty in (1e-6, 0.5, 1e4):
        found = np.zeros_like(y)
        for part in range(FOLDS):
            out = fold == part
            found[out] = literal_scores(x[~out], y[~out], x[out], penalty)
        errors[penalty] = ((found - y) ** 2).sum()
    best = min(errors, key=errors.__getitem__)
    assert fit_readouts(seen.features, labels, people, [1e-6, 0.5, 1e4])[0].penalty == best == 0.5


def test_the_distance_is_mahalanobis_within_a_person() -> None:
    seen, labels, people, _ = seen_people(25)
    readouts, left_out = fit_readouts(seen.features, labels, people)
    odds = readouts.calibrated(left_out.scores).numpy()
    within = np.zeros((6, 6))
    for person in range(25):
        rows = odds[people.numpy() == person]
        within += (rows - rows.mean(0)).T @ (rows - rows.mean(0))
    within /= len(odds) - 25
    within += SHRINKAGE * np.trace(within) / 6 * np.eye(6)
    a, b = readouts.log_odds(seen.features[:2]).numpy()
    expected = np.sqrt((a - b) @ np.linalg.inv(within) @ (a - b))
    x = readouts.coordinates(seen.features[:2])
    assert float((x[0] - x[1]).norm()) == pytest.approx(expected, rel=1e-4)


def test_probabilities_are_neither_too_sure_nor_too_careful() -> None:
    # labels are drawn with log-odds 3 s − 1 and 0.2 s: so sure is what is said of such scores s
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(20000, 2, generator=generator, dtype=torch.float64)
    true = scores * torch.tensor([3.0, 0.2]) + torch.tensor([-1.0, 0.0])
    labels = (torch.rand(true.shape, generator=generator) < true.sigmoid()).long()
    seen, known, people, _ = seen_people(8)
    found = calibrate(
        fit_readouts(seen.features, known[:, :2], people)[0], scores, labels, torch.arange(20000)
    )
    assert found.slope.tolist() == pytest.approx([3.0, 0.2], rel=0.05, abs=0.03)
    assert found.shift.tolist() == pytest.approx([-1.0, 0.0], abs=0.06)


def test_unknown_labels_teach_nothing() -> None:
    seen, labels, people, _ = seen_people(30)
    labels = labels.clone()
    labels[:, 2] = -1  # nobody's is known
    labels[:, 3] = 1  # everybody's is the same
    labels[people >= 20, 0] = -1
    readouts, _ = fit_readouts(seen.features, labels, people)
    p = readouts.probabilities(seen.features)
    assert readouts.known.tolist() == [True, True, False, False, True, True]
    assert (p[:, 2:4] == 0.5).all()
    assert ((p[:, 0] > 0.5) == (seen_people(30)[1][:, 0] == 1)).float().mean() > 0.9
    moved = seen.features.clone()
    moved[people >= 20] += 100 * torch.randn(20, generator=torch.Generator().manual_seed(0))
    assert not readouts.apart[2:4].any()  # and such attributes set nobody apart


@pytest.mark.parametrize("count", [0, 4])
def test_too_few_people(count: int) -> None:
    seen, labels, people, _ = seen_people(8)
    labels = labels.clone()
    labels[people >= count] = -1
    with pytest.raises(InputError, match=f"{count} people with labels.* at least 5"):
        fit_readouts(seen.features, labels, people)


def test_features_that_do_not_fit() -> None:
    seen, labels, people, _ = seen_people(8)
    with pytest.raises(InputError, match="do not fit"):
        fit_readouts(seen.features[1:], labels, people)
    readouts, _ = fit_readouts(seen.features, labels, people)
    with pytest.raises(InputError, match=r"expected \(N, 20\)"):
        readouts.log_odds(seen.features[:, 1:])
