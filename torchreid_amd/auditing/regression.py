"""What others do: distances explained by label differences, and labels permuted over persons.

Neither changes a photograph. A regression of the distance of two persons on whether their labels differ
says how much farther apart those are who differ; permuting one label over persons says by how much worse the
regression then is. Psalta et al., *What really matters for person re-identification?* (MoSAIC-ReID),
arXiv 2512.08697, ask generalized linear models and permutation importance so, on a model of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchreid_amd.account.division import Entry
from torchreid_amd.attributes.schema import UNKNOWN, AttributeSchema
from torchreid_amd.auditing.audited_set import AuditedSet
from torchreid_amd.auditing.estimate import Estimate, Floats, mean_of, ratio_of_sums
from torchreid_amd.auditing.pairs import distance_blocks
from torchreid_amd.interpreter.distances import Distance

PERMUTATIONS = 20  #: of each label
LEAST_PERSONS = 10  #: with labels, for a regression
LEAST_ALIKE = 10  #: pairs of persons alike in everything, for their mean distance


@dataclass(frozen=True)
class Persons:
    """Distances of the query persons of one data set from its gallery persons.

    Attributes:
        distances: (I, J) mean over their photographs.
        rows, columns: (I,) and (J,) identities.
        labels: by identity, (M,) what most of its photographs are labelled.
    """

    distances: Floats
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    labels: dict[int, NDArray[np.int8]]


@dataclass(frozen=True)
class Regression:
    """Distances of different persons on label differences.

    Attributes:
        entries: the K entries in which some persons differ and some agree.
        effects: by how much farther apart two are who differ in it, as a share of the mean distance.
        importance: by how much R² drops when its labels are permuted over persons.
        explained: R².
        unexplained: how far apart two are who differ in nothing, as a share of the mean distance: the
            intercept.
        alike: the same of pairs whose labels are all known and equal; value None with too few of them.
        pairs: of persons.
    """

    entries: tuple[str, ...]
    effects: dict[str, Estimate]
    importance: dict[str, Estimate]
    explained: Estimate
    unexplained: Estimate
    alike: Estimate
    pairs: int

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "pairs_of_persons": self.pairs,
            "explained": self.explained.to_dict(),
            "unexplained": self.unexplained.to_dict(),
            "alike": self.alike.to_dict(),
            "effects": {name: one.to_dict() for name, one in self.effects.items()},
            "importance": {name: one.to_dict() for name, one in self.importance.items()},
        }


def persons_apart(
    metric: Distance, embeddings: tuple[Tensor, Tensor], data: AuditedSet, schema: AttributeSchema
) -> Persons:
    """The mean distance of any two persons, and what is known of them.

    Args:
        metric: the distance.
        embeddings: of query (Q, D) and gallery (G, D).
        data: who is on them.
        schema: M attributes.
    """
    labels = data.labels(schema)
    rows, row_of = np.unique(data.query.pids, return_inverse=True)
    columns, column_of = np.unique(data.gallery.pids, return_inverse=True)
    spread = np.zeros((len(columns), len(column_of)))
    spread[column_of, np.arange(len(column_of))] = 1 / np.bincount(column_of)[column_of]
    sums = np.zeros((len(rows), len(columns)))
    for block, distances in distance_blocks(metric, *embeddings):
        np.add.at(sums, row_of[block], distances @ spread.T)
    known: dict[int, list[NDArray[np.int8]]] = {}
    for pids, side in ((data.query.pids, labels[0]), (data.gallery.pids, labels[1])):
        for pid in np.unique(pids).tolist():
            known.setdefault(pid, []).append(side[pids == pid])
    return Persons(
        sums / np.bincount(row_of)[:, None],
        rows,
        columns,
        {pid: _most(np.concatenate(found)) for pid, found in known.items()},
    )


def _most(labels: NDArray[np.int8]) -> NDArray[np.int8]:
    """(M,) the more frequent of 1 and 0 in (n, M), 1 where both are; −1 where neither is."""
    yes, no = (labels == 1).sum(0), (labels == 0).sum(0)
    return np.where(yes + no == 0, UNKNOWN, yes >= no).astype(np.int8)


def regress(data: Sequence[Persons], entries: Sequence[Entry], seed: int) -> Regression | None:
    """Regress distances on label differences; None without enough labelled persons.

    Args:
        data: of each data set.
        entries: attributes and groups, a group counting once.
        seed: of the permutations.
    """
    sides = [_Side.of(one, entries) for one in data]
    sides = [side for side in sides if min(side.distances.shape) >= LEAST_PERSONS]
    if not sides:
        return None
    differs = np.concatenate([side.differs(side.codes) for side in sides])  # (N, E)
    used = [e for e in range(len(entries)) if 0 < differs[:, e].mean() < 1]
    if not used:
        return None
    y = np.concatenate([side.distances[side.kept] for side in sides])
    persons = torch.from_numpy(np.concatenate([side.persons(n) for n, side in enumerate(sides)]))
    x = np.concatenate([np.ones((len(y), 1)), differs[:, used]], 1)
    rows = np.concatenate(
        [(x[:, :, None] * x[:, None, :]).reshape(len(y), -1), x * y[:, None], (y * y)[:, None]], 1
    )
    size = len(used) + 1

    def asked(which: int) -> Estimate:
        return ratio_of_sums(rows, persons, lambda sums: _fit(sums, size)[:, which], len(y))

    fitted = _fit(torch.from_numpy(rows.sum(0))[None], size)[0].numpy()
    beta = fitted[: len(used) + 1] * y.mean()
    residual = y - x @ beta
    names = [entries[e].name for e in used]
    importance = {}
    rng = np.random.default_rng(seed)
    spread = (y - y.mean()) ** 2
    for name, e, weight in zip(names, used, beta[1:], strict=True):
        worse = np.zeros(len(y))
        for _ in range(PERMUTATIONS):
            moved = np.concatenate([side.differs(side.permuted(e, rng))[:, e] for side in sides])
            worse += (residual + weight * (differs[:, e].astype(float) - moved)) ** 2 - residual**2
        drop = np.stack([worse / PERMUTATIONS, spread], 1)
        importance[name] = ratio_of_sums(drop, persons, lambda sums: sums[:, 0] / sums[:, 1], len(y))
    equal = np.logical_not(differs.any(1))
    alike = (
        mean_of(y / y.mean(), persons, equal)
        if equal.sum() >= LEAST_ALIKE
        else Estimate(None, None, int(equal.sum()))
    )
    return Regression(
        tuple(names),
        {name: asked(k + 1) for k, name in enumerate(names)},
        importance,
        asked(size),
        asked(0),
        alike,
        len(y),
    )


def _fit(sums: Tensor, size: int) -> Tensor:
    """(draws, …) sums of xxᵀ, xy and y² -> (draws, size + 1): coefficients over the mean of y, and R²."""
    draws = len(sums)
    gram = sums[:, : size * size].reshape(draws, size, size)
    xy, yy = sums[:, size * size : -1], sums[:, -1]
    beta = (torch.linalg.pinv(gram, hermitian=True) @ xy[..., None])[..., 0]
    count, total = gram[:, 0, 0], xy[:, 0]
    left = yy - (beta * xy).sum(1)
    explained = 1 - left / (yy - total * total / count)
    return torch.cat([beta / (total / count)[:, None], explained[:, None]], 1)


@dataclass(frozen=True)
class _Side:
    """Persons of one data set whose labels are known: their distances and codes of what they have."""

    distances: Floats  # (I, J)
    rows: NDArray[np.int64]  # (I,) positions in codes
    columns: NDArray[np.int64]  # (J,)
    codes: NDArray[np.int64]  # (persons, E): equal where two agree in an entry

    @classmethod
    def of(cls, one: Persons, entries: Sequence[Entry]) -> _Side:
        members = [k for entry in entries for k in entry.members]
        known = [pid for pid, row in sorted(one.labels.items()) if (row[members] != UNKNOWN).all()]
        place = {pid: n for n, pid in enumerate(known)}
        rows = [n for n, pid in enumerate(one.rows.tolist()) if pid in place]
        columns = [n for n, pid in enumerate(one.columns.tolist()) if pid in place]
        codes = np.zeros((len(known), len(entries)), np.int64)
        for e, entry in enumerate(entries):
            patterns = [tuple(one.labels[pid][list(entry.members)].tolist()) for pid in known]
            number = {pattern: n for n, pattern in enumerate(sorted(set(patterns)))}
            codes[:, e] = [number[pattern] for pattern in patterns]
        return cls(
            one.distances[np.ix_(rows, columns)],
            np.array([place[one.rows[n]] for n in rows], np.int64),
            np.array([place[one.columns[n]] for n in columns], np.int64),
            codes,
        )

    @property
    def kept(self) -> NDArray[np.bool_]:
        """(I, J): pairs of different persons."""
        return self.rows[:, None] != self.columns[None, :]

    def differs(self, codes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(N, E): in what the two of each kept pair differ."""
        return (codes[self.rows][:, None] != codes[self.columns][None])[self.kept]

    def persons(self, number: int) -> NDArray[np.int64]:
        """(N,) the query person of each kept pair, another number in each data set."""
        whole = np.repeat(self.rows[:, None], len(self.columns), 1)[self.kept]
        return whole + number * 10_000_000

    def permuted(self, e: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Codes with those of one entry permuted over persons."""
        codes = self.codes.copy()
        codes[:, e] = rng.permutation(codes[:, e])
        return codes
