"""Calibrated probabilities of attributes, read off what a target shows of a photograph.

Each attribute is a ridge regression of its labels on standardised features. What a regression says of
people who taught it is too sure; so it is fitted once without each fifth of the people, and what it
says of those left out fits a logistic curve, which makes a probability of it (Platt, *Probabilistic
outputs for support vector machines*, 1999), and the penalty.

Two people are then as far apart as their log-odds are, in units of how much those vary between
photographs of one person (the within-class covariance; Fisher, *The use of multiple measurements in
taxonomic problems*, 1936): an attribute counts by how well it tells people apart, and two that say the
same count once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from torchreid_amd.core.errors import InputError

FOLDS = 5  #: parts of the people, each left out once
PENALTIES = (0.3, 1.0, 3.0, 10.0)  #: candidates, for features of variance 1
SHRINKAGE = 0.05  #: share of the mean variance that is added to the within-person covariance
_STEPS = 25  #: of Newton's method; it has converged long before
_FLAT = 1e-4  #: penalty on the slope of a calibration, against attributes that hardly anybody has
_SURE = 12.0  #: bound of log-odds


@dataclass(frozen=True)
class AttributeReadouts:
    """M attributes, read off features.

    Attributes:
        centre, scale: (F,) by which features are standardised.
        weight: (M, F), bias: (M,) of the regressions.
        slope, shift: (M,) of the logistic curves.
        apart: (M, M) log-odds times it are coordinates whose Euclidean distance tells people apart.
        penalty: the one that was chosen.
        known: (M,) bool: attributes that somebody has and somebody has not; others are not read.
    """

    centre: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor
    slope: Tensor
    shift: Tensor
    apart: Tensor
    penalty: float
    known: Tensor

    def __len__(self) -> int:
        return len(self.weight)

    def log_odds(self, features: Tensor) -> Tensor:
        """(N, F) -> (N, M) calibrated log-odds; 0 where nothing is known of an attribute.

        Raises:
            InputError: features of another length.
        """
        if features.ndim != 2 or features.shape[1] != len(self.centre):
            raise InputError(
                f"features have shape {tuple(features.shape)}; expected (N, {len(self.centre)}), those of "
                "the model that these readouts were fitted for"
            )
        unit = (features.double() - self.centre) / self.scale
        return self.calibrated(unit @ self.weight.T + self.bias)

    def calibrated(self, scores: Tensor) -> Tensor:
        """What regressions say (N, M) -> log-odds (N, M)."""
        odds = scores * self.slope + self.shift
        return torch.where(self.known, odds.clamp(-_SURE, _SURE), 0.0)

    def probabilities(self, features: Tensor) -> Tensor:
        """(N, F) -> (N, M) float32 in (0, 1): how probable "yes" is; ½ where nothing is known."""
        return self.log_odds(features).sigmoid().float()

    def coordinates(self, features: Tensor) -> Tensor:
        """(N, F) -> (N, M) float32, whose Euclidean distance is that of recognised attributes."""
        return (self.log_odds(features) @ self.apart).float()


@dataclass(frozen=True)
class OutOfFold:
    """What regressions say of people who did not teach them.

    Attributes:
        scores: (N, M).
        fold: (N,) which part of the people a photograph belongs to.
    """

    scores: Tensor
    fold: Tensor


def fit_readouts(
    features: Tensor, labels: Tensor, people: Tensor, penalties: Sequence[float] = PENALTIES
) -> tuple[AttributeReadouts, OutOfFold]:
    """Readouts of attributes, and what they say of people left out.

    Args:
        features: (N, F).
        labels: (N, M) 1 yes, 0 no, −1 unknown.
        people: (N,) identities.
        penalties: candidates; the one whose squared error on people left out is smallest is taken.

    Raises:
        InputError: shapes that do not fit, or fewer than :data:`FOLDS` labelled people.
    """
    if features.ndim != 2 or labels.ndim != 2 or not len(features) == len(labels) == len(people):
        raise InputError(
            f"features {tuple(features.shape)}, labels {tuple(labels.shape)} and people "
            f"{tuple(people.shape)} do not fit; expected (N, F), (N, M) and (N,)"
        )
    labelled = (labels >= 0).any(1)
    count = len(torch.unique(people[labelled]))
    if count < FOLDS or not penalties:
        raise InputError(
            f"attributes are to be learnt from {count} people with labels, with {len(penalties)} penalties; "
            f"expected at least {FOLDS} people and one penalty"
        )
    fold = folds_of(people, labelled)
    shape = (len(penalties), len(features), labels.shape[1])
    scores = torch.zeros(shape, dtype=torch.float64)
    for part in range(FOLDS):
        out = fold == part
        for tried, found in zip(scores, _regressions(features[~out], labels[~out], penalties), strict=True):
            tried[out] = (features[out].double() - found.centre) / found.scale @ found.weight.T + found.bias
    missed = torch.where(labels >= 0, (scores - labels).square(), 0.0).sum((1, 2))
    best = int(missed.argmin())
    whole = _regressions(features, labels, penalties[best : best + 1])[0]
    return calibrate(whole, scores[best], labels, people), OutOfFold(scores[best], fold)


def folds_of(people: Tensor, labelled: Tensor) -> Tensor:
    """(N,) one of :data:`FOLDS` parts of the people, in their order; those with labels first."""
    order = torch.unique(people[labelled])
    other = torch.unique(people[~torch.isin(people, order)])
    place = {int(p): n % FOLDS for n, p in enumerate(torch.cat([order, other]).tolist())}
    return torch.tensor([place[int(p)] for p in people.tolist()])


def calibrate(
    readouts: AttributeReadouts, scores: Tensor, labels: Tensor, people: Tensor
) -> AttributeReadouts:
    """Logistic curves, and the distance of recognised attributes, from what regressions say.

    Args:
        readouts: whose curves and distance are replaced.
        scores: (N, M) of people who did not teach the regressions.
        labels: (N, M) 1 yes, 0 no, −1 unknown.
        people: (N,) identities.
    """
    slope, shift = _logistic(scores, labels)
    found = replace(readouts, slope=slope, shift=shift)
    return replace(found, apart=_apart(found.calibrated(scores), people, found.known))


def _regressions(features: Tensor, labels: Tensor, penalties: Sequence[float]) -> list[AttributeReadouts]:
    """Ridge regressions, one for each penalty; an unknown label counts as the mean."""
    x = features.double()
    centre, scale = x.mean(0), x.std(0, unbiased=False)
    scale = torch.where(scale > 1e-8, scale, 1.0)
    x = (x - centre) / scale
    there = labels >= 0
    bias = (labels * there).sum(0, dtype=torch.float64) / there.sum(0).clamp_min(1)
    wanted = torch.where(there, labels.double() - bias, 0.0)
    wide = x.shape[1] > len(x)  # then the same is found among photographs, not among features
    square = (x @ x.T if wide else x.T @ x) / len(x)
    cross = (wanted if wide else x.T @ wanted) / len(x)
    known = (labels == 1).any(0) & (labels == 0).any(0)
    ones, apart = torch.ones_like(bias), torch.eye(len(bias), dtype=torch.float64)
    found = []
    for penalty in map(float, penalties):
        ridge = square.clone()
        ridge.diagonal().add_(penalty)
        solved = torch.linalg.solve(ridge, cross)
        weight = (x.T @ solved if wide else solved).T
        found.append(AttributeReadouts(centre, scale, weight, bias, ones, 0 * ones, apart, penalty, known))
    return found


def _logistic(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Slope and shift (M,) of log-odds on scores, by Newton's method; unknown labels are left out."""
    there = (labels >= 0).double()
    count = there.sum(0).clamp_min(1)
    centre = (scores * there).sum(0) / count
    spread = ((scores - centre).square() * there).sum(0).div(count).sqrt().clamp_min(1e-8)
    x, y = (scores - centre) / spread, labels.double()
    slope, shift = torch.zeros_like(centre), torch.zeros_like(centre)
    for _ in range(_STEPS):
        p = (x * slope + shift).sigmoid()
        error, h = (p - y) * there / count, p * (1 - p) * there / count
        g0, g1 = (error * x).sum(0) + _FLAT * slope, error.sum(0)
        a, b, c = (h * x * x).sum(0) + _FLAT, (h * x).sum(0), h.sum(0) + 1e-6
        det = a * c - b * b
        slope = slope - ((c * g0 - b * g1) / det).clamp(-2, 2)
        shift = shift - ((a * g1 - b * g0) / det).clamp(-2, 2)
    slope = slope.clamp_min(0) / spread  # a regression that is worse than none says nothing
    return slope, shift - slope * centre


def _apart(odds: Tensor, people: Tensor, known: Tensor) -> Tensor:
    """(M, M) that turns log-odds into coordinates of equal, independent variation within a person."""
    names, index, count = torch.unique(people, return_inverse=True, return_counts=True)
    sums = torch.zeros(len(names), odds.shape[1], dtype=torch.float64).index_add_(0, index, odds)
    rest = odds - (sums / count[:, None])[index]
    free = len(odds) - len(names)
    within = rest.T @ rest / max(free, 1) if free else torch.eye(odds.shape[1], dtype=torch.float64)
    mean = within.diagonal()[known].mean() if known.any() else torch.tensor(1.0, dtype=torch.float64)
    within = within + (SHRINKAGE * mean.clamp_min(1e-9)) * torch.eye(len(within), dtype=torch.float64)
    apart = torch.linalg.cholesky(torch.linalg.inv(within))
    return apart * known[:, None]
