"""What distances are made of on average, by kind of pair, camera and time of day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from torchreid_amd.attributes.parts import PARTS
from torchreid_amd.auditing.audited_set import AuditedSet
from torchreid_amd.auditing.estimate import Estimate, Mask, difference_of, mean_of
from torchreid_amd.auditing.measured import Floats, Measured
from torchreid_amd.auditing.pairs import DIFFERENT, FALSE, KINDS, MISSED, SAME, Pair

#: kinds that are held against each other, and what is asked by it
CONTRASTS = ((SAME, DIFFERENT), (FALSE, DIFFERENT), (FALSE, SAME), (MISSED, SAME))
SHUFFLES = 999  #: of pairs among camera pairs


@dataclass(frozen=True)
class MeanAccount:
    """A mean over pairs.

    Attributes:
        pairs: how many.
        persons: of how many queries' persons.
        one_camera: the share of them that are under one camera.
        distance: their mean distance.
        parts: the mean share of each part.
        subjects: the mean share of clothing, person, things and background.
    """

    pairs: int
    persons: int
    one_camera: float
    distance: Estimate
    parts: Mapping[str, Estimate]
    subjects: Mapping[str, Estimate]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "pairs": self.pairs,
            "persons": self.persons,
            "under_one_camera": self.one_camera,
            "distance": self.distance.to_dict(),
            "parts": as_dicts(self.parts),
            "subjects": as_dicts(self.subjects),
        }


def as_dicts(found: Mapping[str, Estimate]) -> dict[str, Any]:
    """Estimates by name, JSON-ready."""
    return {name: one.to_dict() for name, one in found.items()}


def cameras_of(data: Sequence[AuditedSet], pair: Pair) -> tuple[int, int]:
    """The cameras of a pair, the smaller number first."""
    one = data[pair.number]
    a, b = int(one.query.camids[pair.query]), int(one.gallery.camids[pair.gallery])
    return min(a, b), max(a, b)


def under_one_camera(data: Sequence[AuditedSet], pairs: Sequence[Pair]) -> Mask:
    """(N,) whether both photographs of a pair are under one camera."""
    return np.array([len(set(cameras_of(data, pair))) == 1 for pair in pairs], bool)


def mean_account(found: Measured, kept: Mask, data: Sequence[AuditedSet]) -> MeanAccount | None:
    """The mean account of some pairs; None of no pairs."""
    if not kept.any():
        return None

    def mean(values: Floats) -> Estimate:
        return mean_of(values, found.persons, kept)

    return MeanAccount(
        int(kept.sum()),
        len(found.persons[np.flatnonzero(kept)].unique()),
        float(under_one_camera(data, found.pairs)[kept].mean()),
        mean(found.distances),
        {part: mean(found.part(part)) for part in PARTS},
        {subject: mean(values) for subject, values in found.subjects().items()},
    )


def by_kind(found: Measured, data: Sequence[AuditedSet]) -> dict[str, MeanAccount]:
    """The mean account of each kind of pair that there is."""
    means = {kind: mean_account(found, found.of(kind), data) for kind in KINDS}
    return {kind: one for kind, one in means.items() if one is not None}


def contrasts(found: Measured) -> dict[tuple[str, str], dict[str, Estimate]]:
    """By how much the mean shares of two kinds differ, by part; see :data:`CONTRASTS`."""
    return {
        (one, other): {
            part: difference_of(found.part(part), found.persons, found.of(one), found.of(other))
            for part in PARTS
        }
        for one, other in CONTRASTS
        if found.of(one).any() and found.of(other).any()
    }


def by_domain(found: Measured, data: Sequence[AuditedSet]) -> dict[str, dict[str, MeanAccount]]:
    """The mean account of each kind by time of day; nothing where one time or none is known."""
    times = list(dict.fromkeys(one.domain for one in data if one.domain))
    if len(times) < 2:
        return {}
    of_pair = np.array([data[pair.number].domain for pair in found.pairs])
    means = {
        kind: {time: mean_account(found, found.of(kind) & (of_pair == time), data) for time in times}
        for kind in KINDS
    }
    return {kind: {t: m for t, m in one.items() if m} for kind, one in means.items() if any(one.values())}


def domain_contrasts(found: Measured, data: Sequence[AuditedSet]) -> dict[str, dict[str, Estimate]]:
    """By how much the mean shares at the second time of day differ from those at the first: kind, part."""
    times = list(dict.fromkeys(one.domain for one in data if one.domain))
    if len(times) != 2:
        return {}
    of_pair = np.array([data[pair.number].domain for pair in found.pairs])
    return {
        kind: {
            part: difference_of(
                found.part(part),
                found.persons,
                found.of(kind) & (of_pair == times[1]),
                found.of(kind) & (of_pair == times[0]),
            )
            for part in PARTS
        }
        for kind in KINDS
        if all((found.of(kind) & (of_pair == time)).any() for time in times)
    }


@dataclass(frozen=True)
class CameraPairs:
    """How the account of one kind of pair moves between cameras.

    Attributes:
        cells: (data set, camera, camera) -> the mean share of each part, and ``pairs``.
        chance: by part, how often camera pairs differ as much where pairs are shuffled among them; None with
            a single camera pair.
    """

    cells: Mapping[tuple[str, int, int], dict[str, float]]
    chance: Mapping[str, float | None]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; cameras are numbered from 1."""
        return {
            "cells": [
                {"dataset": name, "cameras": [a + 1, b + 1], **values}
                for (name, a, b), values in self.cells.items()
            ],
            "chance": dict(self.chance),
        }


def by_cameras(found: Measured, data: Sequence[AuditedSet], seed: int) -> dict[str, CameraPairs]:
    """The mean shares between any two cameras, of different persons and of the same person."""
    where = [(data[pair.number].name, *cameras_of(data, pair)) for pair in found.pairs]
    cells = sorted(set(where))
    cell_of = np.array([cells.index(one) for one in where], int)
    means = {}
    for kind in (DIFFERENT, SAME):
        kept = found.of(kind)
        there = [n for n in range(len(cells)) if (kept & (cell_of == n)).any()]
        if not there:
            continue
        values = {}
        for n in there:
            inside = kept & (cell_of == n)
            shares = {part: float(found.part(part)[inside].mean()) for part in PARTS}
            values[cells[n]] = {"pairs": int(inside.sum()), **shares}
        chance = {part: _chance(found.part(part)[kept], cell_of[kept], seed) for part in PARTS}
        means[kind] = CameraPairs(values, chance)
    return means


def _chance(values: Floats, cell: np.ndarray, seed: int) -> float | None:
    """How often cells of shuffled values differ as much as these: the variance between their means."""
    _, place, count = np.unique(cell, return_inverse=True, return_counts=True)
    if len(count) < 2:
        return None

    def between(some: Floats) -> float:
        means = np.bincount(place, some) / count
        return float((count * (means - some.mean()) ** 2).sum())

    rng = np.random.default_rng(seed)
    seen = between(values)
    larger = sum(between(rng.permutation(values)) >= seen - 1e-12 for _ in range(SHUFFLES))
    return (larger + 1) / (SHUFFLES + 1)


def camera_contrast(found: Measured, data: Sequence[AuditedSet]) -> dict[str, Estimate]:
    """Of different persons, by how much shares under two cameras exceed those under one, by part."""
    one = under_one_camera(data, found.pairs)
    kept = found.of(DIFFERENT)
    if not (kept & one).any() or not (kept & ~one).any():
        return {}
    return {part: difference_of(found.part(part), found.persons, kept & ~one, kept & one) for part in PARTS}
