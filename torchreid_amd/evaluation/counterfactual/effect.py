"""Does a contribution say what would happen if the two persons agreed in that attribute?

For a pair each exclusive attribute is set in one photograph to the other person's value; by how much
the target's distance drops is the truth that a contribution is compared with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchreid_amd.attributes.exclusive import pair_labels
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.evaluation.data.ground_truth import Change
from torchreid_amd.evaluation.statistics import (
    IdentitySums,
    Interval,
    Mean,
    bootstrap_intervals,
    percent,
    spearman,
)

LEAST = 3  #: changes a pair must have for a rank correlation

Values = NDArray[np.float64]


def changes_of(schema: AttributeSchema, labels_i: Sequence[int], labels_j: Sequence[int]) -> list[Change]:
    """What makes person i like person j, one change after the other.

    A group of exclusive attributes is one change: person i gets the member that j has, or, where j
    has none, loses the one worn.

    Args:
        schema: of the M attributes.
        labels_i, labels_j: (M,) 1 yes, 0 no, −1 unknown (left out).
    """
    exclusive, _ = pair_labels(np.asarray(labels_i), np.asarray(labels_j))
    grouped = {k for group in schema.group_indices() for k in group}
    found = [
        Change(name, (k,), name, int(labels_j[k]))
        for k, name in enumerate(schema.attributes)
        if exclusive[k] and k not in grouped
    ]
    for name, group in zip(schema.groups, schema.group_indices(), strict=True):
        members = tuple(k for k in group if exclusive[k])
        if members:
            theirs = [k for k in members if labels_j[k] == 1]
            mine = [k for k in members if labels_i[k] == 1]
            k = theirs[0] if theirs else mine[0]
            found.append(Change(name, members, schema.attributes[k], int(bool(theirs))))
    return found


def together(values: Tensor | Values, changes: Sequence[Change]) -> Values:
    """Values (M,) of attributes summed over each change's members: (G,)."""
    array = np.asarray(values, dtype=np.float64)
    return np.array([array[list(change.members)].sum() for change in changes])


def largest_agrees(predicted: Values, true: Values) -> float:
    """1 if the largest prediction is that of the largest drop; of n equal largest ones, 1/n."""
    top = predicted == predicted.max()
    return float(top[true.argmax()]) / float(top.sum())


def signs_agree(predicted: Values, true: Values) -> float:
    """The share of changes whose sign is predicted; a prediction of 0 is right by half."""
    right = np.where(predicted == 0, 0.5, np.sign(predicted) == np.sign(true))
    return float(right.mean())


class EffectScores:
    """Sums by identity of how well predictions say what happens.

    Rank correlation, agreement of the largest and of the signs are means over pairs; slope and R²
    belong to the least-squares line, with intercept, of drop against prediction over all changes.
    """

    def __init__(self) -> None:
        self.mean = Mean(5)  # rank correlation, largest, signs, chance of the last two
        self.line = IdentitySums((6,))  # n, Σx, Σy, Σxx, Σxy, Σyy

    def update(self, predicted: Values, true: Values, identity: int) -> None:
        """Add one pair: predictions and true drops (G,) and the query's identity."""
        count = len(true)
        if not count:
            return
        who = torch.tensor([identity])
        values = [
            spearman(predicted, true),
            largest_agrees(predicted, true),
            signs_agree(predicted, true),
            1 / count,
            signs_agree(np.ones(count), true),
        ]
        weights = [count >= LEAST, count > 1, True, count > 1, True]
        self.mean.update(torch.tensor([values]), torch.tensor([weights]), who)
        x, y = predicted, true
        self.line.add(torch.tensor([[count, x.sum(), y.sum(), x @ x, x @ y, y @ y]]), who)

    def merge(self, other: EffectScores) -> EffectScores:
        """Add the state of another process; gives itself."""
        self.mean.merge(other.mean)
        self.line.merge(other.line)
        return self

    def values(self) -> dict[str, float | None]:
        """``spearman``; ``largest``, ``signs`` and their ``…_chance`` in percent; ``slope``, ``r2``.

        The chance of the signs is what "the distance drops" always gives, since most changes drop it.
        """
        rho, *shares = self.mean.values
        percents = [None if v is None else 100 * v for v in shares]
        slope, r2 = (float(v) for v in _line(self.line.total.unsqueeze(0))[0])
        return {
            "spearman": rho,
            "largest": percents[0],
            "signs": percents[1],
            "largest_chance": percents[2],
            "signs_chance": percents[3],
            "slope": slope if slope == slope else None,
            "r2": r2 if r2 == r2 else None,
        }

    def intervals(self) -> dict[str, Interval | None]:
        """95 % intervals of :meth:`values`, over identities."""
        rho, *shares = self.mean.intervals
        largest, signs, *chances = (percent(i) for i in shares)
        slope, r2 = bootstrap_intervals(lambda times: _line(times @ self.line.rows), len(self.line))
        return {
            "spearman": rho,
            "largest": largest,
            "signs": signs,
            "largest_chance": chances[0],
            "signs_chance": chances[1],
            "slope": slope,
            "r2": r2,
        }


def _line(sums: Tensor) -> Tensor:
    """Sums (draws, 6) -> slope and R² (draws, 2); NaN for a slope over equal predictions, and without any."""
    n, x, y, xx, xy, yy = sums.double().unbind(1)
    sxx, sxy, syy = n * xx - x * x, n * xy - x * y, n * yy - y * y
    fixed = sxx <= 1e-12 * (n * xx).clamp_min(1e-300)
    slope = torch.where(fixed, torch.nan, sxy / torch.where(fixed, 1.0, sxx))
    r2 = torch.where(fixed, 0.0, sxy * sxy / torch.where(fixed, 1.0, sxx) / syy.clamp_min(1e-300))
    return torch.stack([slope, torch.where(n > 0, r2, torch.nan)], 1)


@dataclass(frozen=True)
class PairEffect:
    """One pair with what would happen and what was predicted.

    Attributes:
        identity: of the query.
        names: G changes.
        drops: (G,) by how much the target's distance drops.
        predicted: for each predictor (G,) values.
    """

    identity: int
    names: tuple[str, ...]
    drops: Values
    predicted: Mapping[str, Values]


def score_effects(pairs: Sequence[PairEffect]) -> dict[str, EffectScores]:
    """The scores of each predictor over the same pairs; without pairs the interpreter's, which are None."""
    found = {"interpreter": EffectScores()}
    for pair in pairs:
        for name, values in pair.predicted.items():
            found.setdefault(name, EffectScores()).update(values, pair.drops, pair.identity)
    return found


def effects_record(scores: Mapping[str, EffectScores]) -> dict[str, Any]:
    """Values and intervals of each predictor, JSON-ready."""
    return {name: {"values": each.values(), "intervals": each.intervals()} for name, each in scores.items()}
