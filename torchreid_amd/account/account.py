"""The whole distance of two photographs, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchreid_amd.account.phrase import Phrase
from torchreid_amd.attributes.parts import PARTS

ERROR = 0.05  #: of the share of a part: what accounts were off by on average; see examples/RESULTS.md


@dataclass(frozen=True)
class Row:
    """One entry of an account.

    Attributes:
        part: one of :data:`~torchreid_amd.attributes.parts.PARTS`.
        what: an attribute or a group of exclusive ones by name; empty for all the rest of the part.
        contribution: in units of the distance; what brings two photographs closer together is negative.
        share: of the distance; shares add up to 1, and are 0 where the distance is.
        attributes: names of the attributes it is about.
        phrase: what it is about, for readers; :attr:`words` says it.
    """

    part: str
    what: str
    contribution: float
    share: float
    attributes: tuple[str, ...]
    phrase: Phrase | str

    @property
    def words(self) -> str:
        """What it is about, in the language that is chosen."""
        return str(self.phrase)

    @property
    def counts(self) -> bool:
        """Whether it is larger than what accounts are usually off by."""
        return abs(self.share) >= ERROR

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "part": self.part,
            "what": self.what,
            "contribution": self.contribution,
            "share": self.share,
            "attributes": list(self.attributes),
            "words": self.words,
        }


@dataclass(frozen=True, eq=False)
class Account:
    """What a distance is made of: rows that add up to it.

    Attributes:
        distance: the target's own.
        metric: ``euclidean`` (plain), ``squared_euclidean`` or ``cosine``.
        rows: by part in the order of PARTS, the largest first inside a part and its rest last.
        regions: which part each pixel of the two photographs shows, a pair of (h, w) positions in PARTS.
    """

    distance: float
    metric: str
    rows: tuple[Row, ...]
    regions: tuple[NDArray[np.int8], NDArray[np.int8]]

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts told apart."""
        named = {row.part for row in self.rows}
        return tuple(part for part in PARTS if part in named)

    def by_part(self) -> dict[str, float]:
        """Contributions summed over each part, in units of the distance."""
        return {part: sum(r.contribution for r in self.rows if r.part == part) for part in self.parts}

    def region(self, side: int, part: str) -> NDArray[np.bool_]:
        """(h, w): where photograph A (side 0) or B (side 1) shows a part."""
        return np.asarray(self.regions[side] == PARTS.index(part))

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "distance": self.distance,
            "metric": self.metric,
            "by_part": self.by_part(),
            "rows": [row.to_dict() for row in self.rows],
        }
