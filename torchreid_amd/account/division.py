"""What a part contributes, divided among the attributes in which two persons differ and the rest of it.

A swapped part says how much it counts as a whole, but not why. The head's contributions say which of
its attributes count, and in which order, but are too small: an average direction misses what a change
does to this photograph. So of a part of value v an attribute with contribution c weighs max(c, 0) / v, and
:data:`KNOWN` more where labels say that the two differ in it; one in which they agree weighs nothing; the
rest of the part weighs :data:`REST_WEIGHT`. These numbers were chosen on people in no table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from torchreid_amd.account.account import Row
from torchreid_amd.account.phrase import Phrase, Worn
from torchreid_amd.attributes.parts import PARTS, REST
from torchreid_amd.attributes.schema import UNKNOWN, AttributeSchema, Labels

KNOWN = 0.05  #: weight of an attribute that labels know to differ, beside its contribution
REST_WEIGHT = 0.1  #: weight of all of a part that no attribute names
PICTURE_WEIGHT = 1.0  #: the same of the rest of the picture, most of which is no attribute's
LEAST = 0.005  #: of the distance: less is no row of its own, but goes to the rest of its part
_TINY = 1e-9  #: of the distance: what rounding leaves

Pair = tuple[Labels, Labels]


@dataclass(frozen=True)
class Entry:
    """An attribute, or a group of exclusive ones, that two persons may differ in.

    Attributes:
        name: of the attribute or the group.
        part: where it belongs.
        members: positions of its attributes.
    """

    name: str
    part: str
    members: tuple[int, ...]


def entries_of(schema: AttributeSchema) -> list[Entry]:
    """What accounts name: groups as one, then single attributes; those without a part are left out."""
    groups = list(zip(schema.groups, schema.group_indices(), strict=True))
    grouped = {k for _, members in groups for k in members}
    alone = [(name, [k]) for k, name in enumerate(schema.attributes) if k not in grouped]
    found = []
    for name, members in [*groups, *alone]:
        part = schema.parts.get(schema.attributes[members[0]], "")
        if part:
            found.append(Entry(name, part, tuple(members)))
    return found


def rows_of(
    values: dict[str, float],
    distance: float,
    schema: AttributeSchema,
    contributions: NDArray[np.floating],
    labels: Pair | None = None,
) -> tuple[Row, ...]:
    """The rows of an account.

    Args:
        values: what each part contributes, by part.
        distance: of the two, to which the values add up.
        schema: the M attributes.
        contributions: of the head (M,), in units of the distance.
        labels: of A and B (M,) each, where anything is known.
    """
    rows = []
    for part in (p for p in PARTS if p in values):
        value = values[part] if abs(values[part]) > _TINY * distance else 0.0
        weights = {
            entry: _weight(entry, value, contributions, labels)
            for entry in entries_of(schema)
            if entry.part == part
        }
        whole = sum(weights.values()) + (PICTURE_WEIGHT if part == REST else REST_WEIGHT)
        shared = ((weight / whole * value, entry) for entry, weight in weights.items())
        named = sorted((s for s in shared if s[0] >= LEAST * distance and s[0] > 0), key=lambda s: -s[0])
        for contribution, entry in named:
            about = tuple(schema.attributes[k] for k in _told(entry, contributions, labels))
            phrase = _phrase(schema, entry, contributions, labels)
            rows.append(_row(part, entry.name, contribution, distance, about, phrase))
        left = value - sum(contribution for contribution, _ in named)
        rows.append(_row(part, "", left, distance, (), Phrase(part, divided=bool(named))))
    return tuple(rows)


def _row(
    part: str, what: str, contribution: float, distance: float, attributes: tuple[str, ...], phrase: Phrase
) -> Row:
    share = contribution / distance if distance else 0.0
    return Row(part, what, float(contribution), float(share), attributes, phrase)


def _weight(entry: Entry, value: float, contributions: NDArray[np.floating], labels: Pair | None) -> float:
    differ = [_differs(k, labels) for k in entry.members]
    if value <= 0 or not any(d is None or d for d in differ):
        return 0.0
    size = sum(float(contributions[k]) for k, d in zip(entry.members, differ, strict=True) if d is not False)
    return max(size, 0.0) / value + KNOWN * any(differ)


def _differs(k: int, labels: Pair | None) -> bool | None:
    """Whether two persons differ in attribute k; None where it is not known."""
    if labels is None or UNKNOWN in (labels[0][k], labels[1][k]):
        return None
    return bool(labels[0][k] != labels[1][k])


def _told(entry: Entry, contributions: NDArray[np.floating], labels: Pair | None) -> list[int]:
    """The members of an entry that its row is about: those known to differ, else those that count."""
    known = [k for k in entry.members if _differs(k, labels)]
    return known or [k for k in entry.members if _differs(k, labels) is None and contributions[k] > 0]


def _phrase(
    schema: AttributeSchema, entry: Entry, contributions: NDArray[np.floating], labels: Pair | None
) -> Phrase:
    told, group = _told(entry, contributions, labels), len(entry.members) > 1
    if labels is not None and any(_differs(k, labels) for k in told):
        a, b = (_worn(schema, told, side) for side in labels)
        return Phrase(entry.part, (a, b), schema, group)
    largest = sorted(sorted(told, key=lambda k: -float(contributions[k]))[:2])
    return Phrase(entry.part, (tuple((schema.attributes[k], True) for k in largest),), schema, group)


def _worn(schema: AttributeSchema, members: Sequence[int], labels: Labels) -> Worn:
    """What one person has: the members that are yes, or the first that is no."""
    yes = [k for k in members if labels[k] == 1]
    return tuple((schema.attributes[k], bool(yes)) for k in (yes or members[:1]))
