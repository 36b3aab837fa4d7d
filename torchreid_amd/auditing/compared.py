"""Two models before the same pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from torchreid_amd.attributes.parts import PARTS
from torchreid_amd.auditing.estimate import Estimate, mean_of
from torchreid_amd.auditing.mean_accounts import as_dicts
from torchreid_amd.auditing.measured import SUBJECTS, Measured
from torchreid_amd.auditing.pairs import DIFFERENT, KINDS


@dataclass(frozen=True)
class Compared:
    """By how much the second model's shares are larger than the first's, over the very same pairs.

    Intervals are over persons, drawn alike for both.

    Attributes:
        parts: by kind of pair and part.
        subjects: by kind of pair and subject.
        attributes: of pairs of different persons that differ in it, by attribute or group; those both name.
    """

    parts: Mapping[str, Mapping[str, Estimate]]
    subjects: Mapping[str, Mapping[str, Estimate]]
    attributes: Mapping[str, Estimate]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "parts": {kind: as_dicts(parts) for kind, parts in self.parts.items()},
            "subjects": {kind: as_dicts(subjects) for kind, subjects in self.subjects.items()},
            "attributes": as_dicts(self.attributes),
        }


def compare(first: Measured, second: Measured) -> Compared:
    """The second model less the first.

    Args:
        first, second: the same pairs, in the same order.
    """
    if first.pairs != second.pairs:
        raise ValueError("the two models were asked of different pairs")

    def less(a: np.ndarray, b: np.ndarray, kept: np.ndarray) -> Estimate:
        return mean_of(np.where(kept, b - a, 0.0), first.persons, kept)

    kinds = {kind: first.of(kind) & second.of(kind) for kind in KINDS}
    kinds = {kind: kept for kind, kept in kinds.items() if kept.any()}
    told = first.subjects(), second.subjects()
    named = {entry.name: e for e, entry in enumerate(second.entries)}
    differ = first.of(DIFFERENT) & second.of(DIFFERENT)
    return Compared(
        {kind: {p: less(first.part(p), second.part(p), kept) for p in PARTS} for kind, kept in kinds.items()},
        {kind: {s: less(told[0][s], told[1][s], kept) for s in SUBJECTS} for kind, kept in kinds.items()},
        {
            entry.name: less(
                first.rows[:, e],
                second.rows[:, named[entry.name]],
                differ & first.differs[:, list(entry.members)].any(1),
            )
            for e, entry in enumerate(first.entries)
            if entry.name in named
        },
    )
