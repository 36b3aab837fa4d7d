"""The numbers of an audit, of one model or of two side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torchreid_amd.auditing.compared import Compared
from torchreid_amd.auditing.examples import Example
from torchreid_amd.auditing.findings import Findings


@dataclass(frozen=True)
class Looked:
    """What was looked at.

    Attributes:
        name: of the data set.
        domain: the time of day, or empty.
        queries, gallery: photographs.
        persons: in query and gallery.
        cameras: of both.
        labelled: whether attributes are known.
    """

    name: str
    domain: str
    queries: int
    gallery: int
    persons: int
    cameras: int
    labelled: bool


@dataclass(frozen=True, eq=False)
class AuditRecord:
    """What was found.

    Attributes:
        looked: at which data sets.
        most: so many pairs of each kind were drawn at most.
        seed: of the pairs.
        findings: of the model; the pairs are those in which it fails.
        second: of the model it is compared with, over the same pairs.
        compared: the second less the first.
        examples: pairs of the first model.
    """

    looked: tuple[Looked, ...]
    most: int
    seed: int
    findings: Findings
    second: Findings | None
    compared: Compared | None
    examples: tuple[Example, ...]

    @property
    def models(self) -> tuple[Findings, ...]:
        """The findings of one model or of two."""
        return (self.findings,) if self.second is None else (self.findings, self.second)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; shares are fractions, and intervals 95 % over persons."""
        return {
            "datasets": [vars(one).copy() for one in self.looked],
            "pairs_of_each_kind": self.most,
            "seed": self.seed,
            "model": self.findings.to_dict(),
            "second": None if self.second is None else self.second.to_dict(),
            "second_less_first": None if self.compared is None else self.compared.to_dict(),
            "examples": [_example(one) for one in self.examples],
        }


def _example(one: Example) -> Mapping[str, Any]:
    e = one.explanation
    account = None if e.account is None else e.account.to_dict()
    return {
        "topic": one.topic,
        "rule": one.rule,
        "attribute": None if one.attribute is None else one.attribute.name,
        "names": list(e.names),
        "distance": e.distance,
        "account": account,
    }
