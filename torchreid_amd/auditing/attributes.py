"""How much of a distance a difference in an attribute makes, and whether that is much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchreid_amd.account.division import Entry, entries_of
from torchreid_amd.attributes.schema import UNKNOWN, AttributeSchema
from torchreid_amd.auditing.audited_set import AuditedSet
from torchreid_amd.auditing.estimate import Estimate, Floats, Mask, difference_of, mean_of, ratio_of_sums
from torchreid_amd.auditing.measured import Measured
from torchreid_amd.auditing.pairs import DIFFERENT
from torchreid_amd.core.language import known as is_known
from torchreid_amd.core.language import say

LEAST_PAIRS = 10  #: that differ in an attribute; of fewer nothing is said
MORE, LESS, AS_MUCH = "more", "less", "as much"


@dataclass(frozen=True)
class AttributeFinding:
    """What a difference in an attribute, or in a group of exclusive ones, does.

    Attributes:
        name: of the attribute or group.
        schema: where it stands.
        part: where it belongs.
        group: the group of which it is one, or empty.
        present: the share of persons that have it; of a group None.
        tells_apart: the share of pairs of different persons that differ in it.
        pairs: pairs of different persons drawn that differ in it.
        effect: the mean share of the distance that its row makes up where two differ in it; of a single
            member of a group, the row of the group. None where the model's accounts name no attributes.
        looked_at: how many times the effect is that of the average difference: above 1, it is looked at more
            than it tells persons apart.
        part_gain: by how much the share of its part is larger where two differ in it than where they agree.
    """

    name: str
    schema: AttributeSchema
    part: str
    group: str
    present: float | None
    tells_apart: float
    pairs: int
    effect: Estimate | None
    looked_at: Estimate | None
    part_gain: Estimate

    @property
    def words(self) -> str:
        """For readers, in the language that is chosen."""
        if self.name in self.schema.attributes:
            return self.schema.say(self.name)
        return say(f"groups.{self.name}") if is_known(f"groups.{self.name}") else self.name

    @property
    def verdict(self) -> str:
        """Whether it is looked at more, less or as much as it tells apart; empty where that is not known."""
        if self.looked_at is None or self.looked_at.interval is None or self.pairs < LEAST_PAIRS:
            return ""
        return {1: MORE, 0: AS_MUCH, -1: LESS}[self.looked_at.beside(1.0)]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "name": self.name,
            "words": self.words,
            "part": self.part,
            "group": self.group,
            "present": self.present,
            "tells_apart": self.tells_apart,
            "pairs": self.pairs,
            "effect": None if self.effect is None else self.effect.to_dict(),
            "looked_at": None if self.looked_at is None else self.looked_at.to_dict(),
            "verdict": self.verdict or None,
            "part_gain": self.part_gain.to_dict(),
        }


def attribute_findings(
    found: Measured, schema: AttributeSchema, data: Sequence[AuditedSet]
) -> tuple[list[AttributeFinding], list[AttributeFinding]]:
    """Findings of all entries of a schema, and of the single members of its groups.

    Args:
        found: pairs, with label differences in this schema.
        schema: the attributes that are labelled.
        data: the data sets.
    """
    persons = _labels_of_persons(schema, data)
    entries = entries_of(schema)
    rows = {entry.name: found.rows[:, e] for e, entry in enumerate(found.entries)}
    kept = found.of(DIFFERENT)
    differs, known = _by_entry(found, entries)
    average = _average(found, entries, rows, differs & kept[:, None]) if rows else None
    whole, single = [], []
    for e, entry in enumerate(entries):
        row = rows.get(entry.name)
        whole.append(_finding(found, schema, persons, entry, "", differs[:, e], known[:, e], row, average))
        if len(entry.members) > 1:
            for k in entry.members:
                one = Entry(schema.attributes[k], entry.part, (k,))
                apart, sure = found.differs[:, k], found.known[:, k]
                single.append(_finding(found, schema, persons, one, entry.name, apart, sure, row, average))
    there = [f for f in whole if f.tells_apart > 0 or f.pairs]
    return there, [f for f in single if f.tells_apart > 0 or f.pairs]


def _by_entry(found: Measured, entries: Sequence[Entry]) -> tuple[Mask, Mask]:
    differs = [found.differs[:, list(entry.members)].any(1) for entry in entries]
    known = [found.known[:, list(entry.members)].all(1) for entry in entries]
    shape = (len(entries), len(found.pairs))
    apart = np.array(differs, bool).reshape(shape).T
    return apart, np.array(known, bool).reshape(shape).T | apart


def _average(found: Measured, entries: Sequence[Entry], rows: dict[str, Floats], differs: Mask) -> Floats:
    """(N, 2): what all rows of differences of a pair make up, and how many differences it has."""
    made = sum(np.where(differs[:, e], rows.get(entry.name, 0.0), 0.0) for e, entry in enumerate(entries))
    return np.stack([made, differs.sum(1).astype(float)], 1)


def _finding(
    found: Measured,
    schema: AttributeSchema,
    persons: list[NDArray[np.int8]],
    entry: Entry,
    group: str,
    differs: Mask,
    known: Mask,
    row: Floats | None,
    average: Floats | None,
) -> AttributeFinding:
    kept = found.of(DIFFERENT)
    apart = kept & differs
    effect = None if row is None else mean_of(row, found.persons, apart)
    looked_at = None
    if row is not None and average is not None and apart.any():
        own = np.stack([np.where(apart, row, 0.0), apart.astype(float)], 1)
        sums = np.concatenate([own, average], 1)[kept]
        looked_at = ratio_of_sums(
            sums,
            found.persons[np.flatnonzero(kept)],
            lambda s: s[:, 0] / s[:, 1] * s[:, 3] / s[:, 2],
            int(apart.sum()),
        )
    alone = len(entry.members) == 1
    return AttributeFinding(
        entry.name,
        schema,
        entry.part,
        group,
        _present(persons, entry.members[0]) if alone else None,
        _tells_apart(persons, entry.members),
        int(apart.sum()),
        effect,
        looked_at,
        difference_of(found.part(entry.part), found.persons, apart, kept & known & ~differs),
    )


def _labels_of_persons(schema: AttributeSchema, data: Sequence[AuditedSet]) -> list[NDArray[np.int8]]:
    """For each data set (persons, M): the labels of everybody in it, each person once."""
    found = []
    for one in data:
        labels = np.concatenate(one.labels(schema))
        pids = np.concatenate([one.query.pids, one.gallery.pids])
        first = np.unique(pids, return_index=True)[1]
        found.append(labels[first])
    return found


def _present(persons: list[NDArray[np.int8]], k: int) -> float | None:
    labels = np.concatenate([rows[:, k] for rows in persons])
    known = labels != UNKNOWN
    return float((labels[known] == 1).mean()) if known.any() else None


def _tells_apart(persons: list[NDArray[np.int8]], members: Sequence[int]) -> float:
    """The share of pairs of different persons of a data set that differ in any of some attributes."""
    differ = pairs = 0
    for rows in persons:
        labels = rows[:, list(members)]
        labels = labels[(labels != UNKNOWN).all(1)]
        _, count = np.unique(labels, axis=0, return_counts=True)
        pairs += len(labels) * (len(labels) - 1)
        differ += len(labels) ** 2 - int((count**2).sum())
    return differ / pairs if pairs else 0.0
