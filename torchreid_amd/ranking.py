"""A query's nearest gallery photographs, each with what its distance is made of."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.explanation import Explanation, Floats, write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKET_NAME = re.compile(r"(-?\d+)_c\d+")


@dataclass(frozen=True, eq=False)
class Ranking:
    """The nearest of N gallery photographs, explained.

    Attributes:
        query: the query photograph, RGB.
        query_name: its path, or "query".
        metric: the metric of every distance here.
        schema: the M attributes.
        explanations: of the query (A) and the k nearest photographs (B), nearest first.
        distances: distance of the query from each gallery photograph (N,), in the order given.
        order: positions in the gallery, nearest first (N,).
        gallery_names: paths in the order given.
        same: for each gallery photograph whether it shows the query's person; None: not known.
    """

    query: Image.Image
    query_name: str
    metric: str
    schema: AttributeSchema
    explanations: tuple[Explanation, ...]
    distances: Floats
    order: tuple[int, ...]
    gallery_names: tuple[str, ...]
    same: tuple[bool | None, ...]

    def __len__(self) -> int:
        return len(self.explanations)

    def __getitem__(self, rank: int) -> Explanation:
        return self.explanations[rank]

    def __iter__(self) -> Iterator[Explanation]:
        return iter(self.explanations)

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
            "gallery": list(self.gallery_names),
            "distances": [float(d) for d in self.distances],
            "order": list(self.order),
            "same": list(self.same),
            "explanations": [e.to_dict(maps) for e in self.explanations],
        }

    def to_json(self, path: str | os.PathLike[str], maps: bool = False) -> None:
        """Write :meth:`to_dict` as JSON.

        Raises:
            InputError: the file cannot be written.
        """
        write_json(self.to_dict(maps), path)

    def plot(self, path: str | os.PathLike[str] | None = None, top: int = 3) -> Figure:
        """A figure of the ranking; see :func:`torchreid_amd.report.ranking_figure.draw_ranking`.

        Args:
            path: also save it there (.png, .pdf, .svg, …).
            top: how many attributes to name under each photograph.

        Raises:
            InputError: the file cannot be written, or its ending names no known format.
        """
        from torchreid_amd.report.ranking_figure import draw_ranking
        from torchreid_amd.report.saving import save_figure

        figure = draw_ranking(self, top)
        if path is not None:
            save_figure(figure, path)
        return figure

    def to_html(self) -> str:
        """One self-contained page."""
        from torchreid_amd.report.ranking_page import ranking_page

        return ranking_page(self)

    def save_html(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`to_html`.

        Raises:
            InputError: the file cannot be written.
        """
        from torchreid_amd.report.saving import save_text

        save_text(self.to_html(), path)

    def summary(self) -> str:
        """The ranking in lines, one a photograph."""
        from torchreid_amd.report.words import ranking_summary

        return ranking_summary(self)

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        near = f", nearest {float(np.min(self.distances)):.4g}" if len(self.distances) else ""
        return f"Ranking({len(self)} of {len(self.distances)} explained for {self.query_name!r}{near})"


def same_person(name_a: str, name_b: str) -> bool | None:
    """Whether two Market-1501 file names carry the same identity; None where one carries none.

    Identity −1 is junk and 0 a distractor in Market-1501: neither is anybody known.
    """
    a, b = (_MARKET_NAME.match(Path(name).name) for name in (name_a, name_b))
    if a is None or b is None or int(a[1]) < 1 or int(b[1]) < 0:
        return None
    return int(a[1]) == int(b[1])
