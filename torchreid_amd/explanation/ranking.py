"""A query's nearest gallery photographs, each with what its distance is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.interpreter.maps import Floats

_MARKET_NAME = re.compile(r"(-?\d+)_c\d+")


@dataclass(frozen=True, eq=False)
class RankedGallery:
    """The nearest of N gallery photographs, explained.

    Attributes:
        query: the query photograph, RGB.
        query_name: its path, or "query".
        metric: the metric of every distance here.
        schema: the M attributes.
        explanations: of the query (A) and the k nearest photographs (B), nearest first.
        distances: distance of the query from each gallery photograph (N,), in the order given. Of
            stored features these are the nearest alone, nearest first, and so are the next three.
        order: positions in the gallery, nearest first (N,).
        gallery_names: paths in the order given.
        same: for each gallery photograph whether it shows the query's person; None: not known.
        gallery_size: how many photographs were searched, where not all of them are listed here.
        strength: λ of the re-ranking that ``order`` is by (:mod:`torchreid_amd.gallery.rerank`); 0 where it
            is by distance.
    """

    query: Image.Image
    query_name: str
    metric: str
    schema: AttributeSchema
    explanations: tuple[ExplainedPair, ...]
    distances: Floats
    order: tuple[int, ...]
    gallery_names: tuple[str, ...]
    same: tuple[bool | None, ...]
    gallery_size: int = 0
    strength: float = 0.0

    def __len__(self) -> int:
        return len(self.explanations)

    def __getitem__(self, rank: int) -> ExplainedPair:
        return self.explanations[rank]

    def __iter__(self) -> Iterator[ExplainedPair]:
        return iter(self.explanations)

    @property
    def searched(self) -> int:
        """How many photographs were searched."""
        return self.gallery_size or len(self.distances)

    @property
    def matches(self) -> tuple[bool | None, ...]:
        """:attr:`same` of the explained photographs, nearest first."""
        return tuple(self.same[i] for i in self.order[: len(self)])

    def to_dict(self, maps: bool = False) -> dict[str, Any]:
        """A JSON-ready dictionary: every distance, and the explanations in rank order.

        Args:
            maps: add the attention maps of every explanation.
        """
        return {
            "query": self.query_name,
            "metric": self.metric,
            "attribute_set": self.schema.name,
            "gallery_size": self.searched,
            "gallery": list(self.gallery_names),
            "distances": [float(d) for d in self.distances],
            "order": list(self.order),
            "same": list(self.same),
            "explanations": [e.to_dict(maps) for e in self.explanations],
        }

    def __repr__(self) -> str:
        near = f", nearest {float(np.min(self.distances)):.4g}" if len(self.distances) else ""
        return f"Ranking({len(self)} of {self.searched} explained for {self.query_name!r}{near})"


def same_person(name_a: str, name_b: str) -> bool | None:
    """Whether two Market-1501 file names carry the same identity; None where one carries none.

    Identity −1 is junk and 0 a distractor in Market-1501: neither is anybody known.
    """
    a, b = (_MARKET_NAME.match(Path(name).name) for name in (name_a, name_b))
    if a is None or b is None or int(a[1]) < 1 or int(b[1]) < 0:
        return None
    return int(a[1]) == int(b[1])
