"""Pairs that show a finding, each chosen by a rule that is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from torchreid_amd.attributes.parts import REST
from torchreid_amd.auditing.attributes import LEAST_PAIRS, AttributeFinding
from torchreid_amd.auditing.findings import Findings
from torchreid_amd.auditing.measured import Measured
from torchreid_amd.auditing.pairs import DIFFERENT, FALSE, KINDS, MISSED
from torchreid_amd.explanation.explanation import Explanation

ATTRIBUTES = "attributes"
#: the account nearest to the mean of its kind; the largest share of the rest of the picture; the share
#: nearest to the mean of what is looked at the most, and the least, for how often it tells apart
RULES = ("typical", "rest", "most", "least")


class Choice(NamedTuple):
    """A pair to be shown.

    Attributes:
        topic: what it is an example of: a kind of pair, or :data:`ATTRIBUTES`.
        rule: why this one, of :data:`RULES`.
        pair: its position among those measured.
        attribute: what it is about, where it is about one.
    """

    topic: str
    rule: str
    pair: int
    attribute: AttributeFinding | None = None


@dataclass(frozen=True)
class Example:
    """A pair that shows a finding.

    Attributes:
        topic, rule, attribute: as in :class:`Choice`.
        explanation: of the pair.
    """

    topic: str
    rule: str
    explanation: Explanation
    attribute: AttributeFinding | None = None


def choose(measured: Measured, found: Findings) -> list[Choice]:
    """What is worth showing, no pair twice."""
    chosen: list[Choice] = []
    for choice in (*_by_kind(measured), *_by_attribute(measured, found.attributes)):
        if all(choice.pair != other.pair for other in chosen):
            chosen.append(choice)
    return chosen


def _by_kind(measured: Measured) -> Iterator[Choice]:
    for kind in KINDS:
        kept = np.flatnonzero(measured.of(kind))
        if not len(kept):
            continue
        shares = measured.shares[kept]
        apart = np.abs(shares - shares.mean(0)).sum(1)
        yield Choice(kind, "typical", int(kept[apart.argmin()]))
        rest = measured.part(REST)[kept]
        if kind in (DIFFERENT, FALSE, MISSED) and len(kept) > 1:
            yield Choice(kind, "rest", int(kept[rest.argmax()]))


def _by_attribute(measured: Measured, found: Sequence[AttributeFinding]) -> Iterator[Choice]:
    """Those that are looked at the most and the least for what they tell apart."""
    row = {entry.name: e for e, entry in enumerate(measured.entries)}
    told = [
        f
        for f in found
        if f.looked_at and f.looked_at.value is not None and f.pairs >= LEAST_PAIRS and f.name in row
    ]
    told.sort(key=lambda f: -(f.looked_at.value or 0.0) if f.looked_at else 0.0)
    for finding, how in zip(told[:1] + told[1:][-1:], ("most", "least"), strict=False):
        e = row[finding.name]
        members = list(measured.entries[e].members)
        kept = np.flatnonzero(measured.of(DIFFERENT) & measured.differs[:, members].any(1))
        shares = measured.rows[kept, e]
        nearest = int(kept[np.abs(shares - shares.mean()).argmin()])
        yield Choice(ATTRIBUTES, how, nearest, finding)


def without_heads(found: Sequence[Example]) -> tuple[Example, ...]:
    """The same with blurred heads."""
    return tuple(replace(one, explanation=one.explanation.blur_heads()) for one in found)


def without_names(found: Sequence[Example]) -> tuple[Example, ...]:
    """The same without the names of files and of the run."""
    return tuple(replace(one, explanation=one.explanation.anonymous()) for one in found)
