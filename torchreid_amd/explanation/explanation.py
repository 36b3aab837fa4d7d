"""Explanations and rankings as people get them: the numbers, and what writes them down."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torchreid_amd.core.errors import InputError, unknown_name
from torchreid_amd.core.files import json_text, save_text
from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.privacy import (
    pair_without_heads,
    pair_without_names,
    ranking_without_heads,
    ranking_without_names,
)
from torchreid_amd.explanation.ranking import RankedGallery
from torchreid_amd.explanation.report.notebook import pair_cell, ranking_cell
from torchreid_amd.explanation.report.pair_page import pair_page
from torchreid_amd.explanation.report.ranking_page import ranking_page
from torchreid_amd.explanation.report.text import pair_summary, ranking_summary

if TYPE_CHECKING:  # matplotlib takes longer to import than everything else here
    from matplotlib.figure import Figure


REPORT, PAPER = "report", "paper"
LAYOUTS = (REPORT, PAPER)  #: of figures


def _positive(threshold: float) -> float:
    if not 0 < threshold < float("inf"):
        raise InputError(f"the threshold is {threshold}; expected a distance, a positive number")
    return float(threshold)


class Written(ABC):
    """What can be written as JSON, a figure, a page and sentences."""

    @abstractmethod
    def to_dict(self, maps: bool = False) -> dict[str, Any]:
        """A JSON-ready dictionary."""

    @abstractmethod
    def _draw(self, top: int | None) -> Figure:
        """The figure, with ``top`` attributes, or as many as such a figure usually shows."""

    def _draw_paper(self, top: int | None) -> Figure:
        """The figure in the paper's layout."""
        raise InputError(f"a figure of this kind has no layout 'paper'; leave it out, or use {REPORT!r}")

    @abstractmethod
    def to_html(self) -> str:
        """One self-contained page."""

    @abstractmethod
    def summary(self) -> str:
        """In sentences."""

    def to_json(self, path: str | os.PathLike[str] | None = None, maps: bool = False) -> str:
        """:meth:`to_dict` as JSON.

        Args:
            path: also write it there.
            maps: as those of :meth:`to_dict`.

        Raises:
            InputError: the file cannot be written.
        """
        text = json_text(self.to_dict(maps))
        if path is not None:
            save_text(text, path)
        return text

    def plot(
        self, path: str | os.PathLike[str] | None = None, top: int | None = None, layout: str = REPORT
    ) -> Figure:
        """A figure.

        Args:
            path: also save it there (.png, .pdf, .svg, …).
            top: how many attributes to show: overlays of a pair (default: 5), names under each
                photograph of a ranking (default: 3).
            layout: ``'report'``, or ``'paper'``: pairs in rows with maps of the attributes that add most
                to each distance, after Figure 4 of the paper.

        Raises:
            InputError: the file cannot be written, its ending names no known format, or no such layout.
        """
        from torchreid_amd.explanation.report.layout import save_figure

        if layout not in LAYOUTS:
            raise unknown_name("layout", layout, LAYOUTS)
        figure = self._draw(top) if layout == REPORT else self._draw_paper(top)
        if path is not None:
            save_figure(figure, path)
        return figure

    def save_html(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`to_html`.

        Raises:
            InputError: the file cannot be written.
        """
        save_text(self.to_html(), path)

    @abstractmethod
    def blur_heads(self) -> Written:
        """The same with blurred heads in every photograph."""

    @abstractmethod
    def anonymous(self) -> Written:
        """The same without the names of files and folders."""

    @abstractmethod
    def with_threshold(self, threshold: float) -> Written:
        """The same with a distance below which two photographs are taken for one person."""

    @abstractmethod
    def _repr_html_(self) -> str:
        """What a notebook shows."""

    def __str__(self) -> str:
        return self.summary()


class Explanation(ExplainedPair, Written):
    """The distance between photographs A and B, attribute by attribute; its numbers are those of
    :class:`~torchreid_amd.explanation.pair.ExplainedPair`.

    Example:
        >>> import torchreid_amd as amd
        >>> from PIL import Image
        >>> explainer = amd.Explainer(amd.create_interpreter("osnet_x0_25", head="amd"), size=(64, 32))
        >>> red, navy = (Image.new("RGB", (32, 64), colour) for colour in ("red", "navy"))
        >>> explanation = explainer.explain(red, navy)
        >>> attribute, contribution, share = explanation.top(1)[0]
        >>> attribute in explanation.attributes and share == float(max(explanation.shares))
        True
        >>> parts = sum(explanation.contributions) + explanation.residual
        >>> bool(abs(parts - explanation.distance) < 1e-5)
        True
        >>> {"attributes", "contributions", "distance", "residual"} <= set(explanation.to_dict())
        True
    """

    def _draw(self, top: int | None) -> Figure:
        from torchreid_amd.explanation.report.pair_figure import draw_pair

        return draw_pair(self, 5 if top is None else top)

    def _draw_paper(self, top: int | None) -> Figure:
        from torchreid_amd.explanation.report.paper_figure import draw_paper

        return draw_paper([self], 5 if top is None else top)

    def to_html(self) -> str:
        """One self-contained page."""
        return pair_page(self)

    def summary(self) -> str:
        """The explanation in sentences."""
        return pair_summary(self)

    def blur_heads(self) -> Explanation:
        """The same explanation, with the head in both photographs blurred."""
        return pair_without_heads(self)

    def anonymous(self) -> Explanation:
        """The same explanation, without the names of the photographs and of the run."""
        return pair_without_names(self)

    def with_threshold(self, threshold: float) -> Explanation:
        """The same explanation, with a distance below which two photographs are taken for one person.

        Raises:
            InputError: the threshold is no positive number.
        """
        return replace(self, threshold=_positive(threshold))

    def _repr_html_(self) -> str:
        return pair_cell(self)


class Ranking(RankedGallery, Written):
    """The nearest of N gallery photographs, explained; its numbers are those of
    :class:`~torchreid_amd.explanation.ranking.RankedGallery`.

    Example:
        >>> import torchreid_amd as amd
        >>> from PIL import Image
        >>> explainer = amd.Explainer(amd.create_interpreter("osnet_x0_25", head="amd"), size=(64, 32))
        >>> red, navy, white = (Image.new("RGB", (32, 64), colour) for colour in ("red", "navy", "white"))
        >>> ranking = explainer.explain_ranking(red, [white, red, navy], topk=2)
        >>> len(ranking), ranking.order[0]  # the query's own photograph is nearest
        (2, 1)
        >>> ranking[0].distance <= ranking[1].distance
        True
    """

    def _draw(self, top: int | None) -> Figure:
        from torchreid_amd.explanation.report.ranking_figure import draw_ranking

        return draw_ranking(self, 3 if top is None else top)

    def _draw_paper(self, top: int | None) -> Figure:
        from torchreid_amd.explanation.report.paper_figure import draw_paper

        shown = [e for e in self.explanations if not e.not_explained]
        return draw_paper(shown or self.explanations, 5 if top is None else top)

    def to_html(self) -> str:
        """One self-contained page."""
        return ranking_page(self)

    def summary(self) -> str:
        """The ranking in lines, one a photograph."""
        return ranking_summary(self)

    def blur_heads(self) -> Ranking:
        """The same ranking, with the head in every photograph blurred."""
        return ranking_without_heads(self)

    def anonymous(self) -> Ranking:
        """The same ranking, without the names of the photographs and of the run."""
        return ranking_without_names(self)

    def with_threshold(self, threshold: float) -> Ranking:
        """The same ranking, with a distance below which two photographs are taken for one person.

        Raises:
            InputError: the threshold is no positive number.
        """
        limit = _positive(threshold)
        return replace(self, explanations=tuple(replace(e, threshold=limit) for e in self.explanations))

    def _repr_html_(self) -> str:
        return ranking_cell(self)
