"""Accounts of many pairs as tables of shares."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from torchreid_amd.account.account import Account
from torchreid_amd.account.division import Entry, entries_of
from torchreid_amd.attributes.exclusive import pair_labels
from torchreid_amd.attributes.parts import CARRIED, HEAD, LOWER, PARTS, REST, UPPER
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.auditing.audited_set import AuditedSet
from torchreid_amd.auditing.kept import KeptAccounts, keys_of
from torchreid_amd.auditing.pairs import Pair, persons_of
from torchreid_amd.core.progress_bar import progress
from torchreid_amd.explanation.explainer import Explainer, Explanation

_log = logging.getLogger(__name__)
CLOTHING, PERSON, THINGS, BACKGROUND = "clothing", "person", "things", "background"
BATCH = 8  #: pairs explained at a time
SUBJECTS = (CLOTHING, PERSON, THINGS, BACKGROUND)
_SUBJECT = {UPPER: CLOTHING, LOWER: CLOTHING, HEAD: PERSON, CARRIED: THINGS, REST: BACKGROUND}
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Measured:
    """N pairs of which a model was asked; a distance of 0 has no shares, and all its values are NaN.

    Attributes:
        pairs: which.
        persons: (N,) a number for the person of each query.
        distances: (N,).
        shares: (N, P) of the distance, of each of PARTS.
        entries: the E attributes, or groups of exclusive ones, that have rows.
        rows: (N, E) shares of these rows.
        differs: (N, M) whether labels know that the two differ in an attribute.
        known: (N, M) whether labels know it of both.
    """

    pairs: tuple[Pair, ...]
    persons: Tensor
    distances: Floats
    shares: Floats
    entries: tuple[Entry, ...]
    rows: Floats
    differs: Mask
    known: Mask

    def of(self, kind: str) -> Mask:
        """(N,) the pairs of a kind that have shares."""
        return np.array([pair.kind == kind for pair in self.pairs], bool) & (self.distances > 0)

    def part(self, name: str) -> Floats:
        """(N,) the share of a part."""
        return self.shares[:, PARTS.index(name)]

    def subjects(self) -> dict[str, Floats]:
        """(N,) the shares of clothing, person, things and background, which add up to 1.

        Upper and lower body are clothing; the head, and what is named of the whole person (gender …), are
        the person; what is carried, things; pose, build, camera and background are the background.
        """
        found = {subject: np.zeros(len(self.pairs)) for subject in SUBJECTS}
        for part in PARTS:
            found[_SUBJECT[part]] = found[_SUBJECT[part]] + self.part(part)
        for e, entry in enumerate(self.entries):
            if entry.part == REST:
                found[PERSON] = found[PERSON] + self.rows[:, e]
                found[BACKGROUND] = found[BACKGROUND] - self.rows[:, e]
        return found


Asked = tuple[str, str, np.ndarray, np.ndarray]  # photographs A and B, and what is known of either


def asked_of(explainer: Explainer, data: Sequence[AuditedSet], pairs: Sequence[Pair]) -> list[Asked]:
    """The photographs of pairs, with the labels that the data sets have."""
    labels = [one.labels(explainer.schema) for one in data]

    def asked(pair: Pair) -> Asked:
        one, known = data[pair.number], labels[pair.number]
        paths = one.query.paths[pair.query], one.gallery.paths[pair.gallery]
        return (*paths, known[0][pair.query], known[1][pair.gallery])

    return [asked(pair) for pair in pairs]


def explain(explainer: Explainer, data: Sequence[AuditedSet], pairs: Sequence[Pair]) -> Iterator[Explanation]:
    """Explanations of pairs, each with the labels that the data sets have."""
    return explainer.explain_many(asked_of(explainer, data, pairs), BATCH)


def measure(
    explainer: Explainer,
    data: Sequence[AuditedSet],
    pairs: Sequence[Pair],
    schema: AttributeSchema,
    kept: KeptAccounts,
) -> Measured:
    """Account for pairs.

    Args:
        explainer: with accounts.
        data: the data sets.
        pairs: of their photographs.
        schema: M attributes whose label differences are wanted.
        kept: has the accounts that were made before, and gets the others.
    """
    entries = tuple(entries_of(explainer.schema))
    asked = asked_of(explainer, data, pairs)
    keys = keys_of(explainer, asked)
    missing = {key: pair for key, pair in zip(keys, asked, strict=True) if key not in kept}
    if there := sum(key in kept for key in keys):
        _log.info(f"{there} of {len(keys)} accounts were there already")
    explained = explainer.explain_many(missing.values(), BATCH)
    for key, e in zip(missing, progress(explained, "accounting for pairs", len(missing)), strict=True):
        assert e.account is not None
        kept.add(key, _numbers(e.account, entries))
    numbers = np.array([kept[key] for key in keys], float).reshape(len(pairs), -1)
    distances, shares, rows = np.split(numbers, [1, 1 + len(PARTS)], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares, rows = shares / distances, rows / distances
    differs, known = label_differences(schema, data, pairs)
    return Measured(
        tuple(pairs), persons_of(data, pairs), distances[:, 0], shares, entries, rows, differs, known
    )


def _numbers(account: Account, entries: Sequence[Entry]) -> list[float]:
    """1 + P + E: the distance, and what parts and entries contribute."""
    parts = account.by_part()
    return [account.distance, *(parts.get(part, 0.0) for part in PARTS), *_of_entries(account, entries)]


def _of_entries(account: Account, entries: Sequence[Entry]) -> list[float]:
    """What the row of each entry contributes; 0 where it has none."""
    found = {(row.part, row.what): row.contribution for row in account.rows}
    return [found.get((entry.part, entry.name), 0.0) for entry in entries]


def label_differences(
    schema: AttributeSchema, data: Sequence[AuditedSet], pairs: Sequence[Pair]
) -> tuple[Mask, Mask]:
    """In which attributes the two of each pair differ, and which are known of both: two times (N, M)."""
    labels = [one.labels(schema) for one in data]
    shape = (len(pairs), len(schema))
    a = np.array([labels[pair.number][0][pair.query] for pair in pairs]).reshape(shape)
    b = np.array([labels[pair.number][1][pair.gallery] for pair in pairs]).reshape(shape)
    return pair_labels(a, b)
