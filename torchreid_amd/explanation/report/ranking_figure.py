"""The figure of a ranking: the query, its nearest photographs, and what makes each different."""

from __future__ import annotations

from math import ceil
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image

from torchreid_amd.attributes.parts import REST
from torchreid_amd.core.language import say
from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.ranking import RankedGallery
from torchreid_amd.explanation.report.account_figure import stack
from torchreid_amd.explanation.report.layout import (
    COLOURS,
    FAINT,
    FRAMES,
    INK,
    PART_COLOURS,
    Sheet,
    shorten,
    widest_aspect,
    wrap,
)
from torchreid_amd.explanation.report.overlay import thumbnail
from torchreid_amd.explanation.report.pieces import part_name, pieces
from torchreid_amd.explanation.report.text import (
    by_order,
    fraction,
    fraction_text,
    match_words,
    number,
    percent,
    shown_name,
    why_alone,
)

MARGIN, HEADER, FOOTER = 0.35, 1.0, 0.45  # inches
PANEL, LINE = 2.1, 0.36
STACK, WRAPPED = 0.26, 0.42  #: a bar of the parts with the room below it, and a row of up to three lines
PER_ROW = 10
PIXELS = 400
MARKS = {True: "✓ ", False: "✗ ", None: ""}


def draw_ranking(r: RankedGallery, top: int = 3) -> Figure:
    """Draw a ranking.

    The query on the left, then the explained photographs in rank order with their distances, in a
    blue frame where they show the query's person and a red, dashed one where they do not (grey: not
    known); under each its distance as one bar by part and what counts most in it, or, without
    accounts, the attributes with the largest shares of its distance.

    Args:
        r: the ranking.
        top: how many pieces of the distance, or attributes, to name under each photograph.

    Returns:
        A figure that belongs to no global state.
    """
    query = thumbnail(r.query, PIXELS, PIXELS)
    images = [thumbnail(e.images[1], PIXELS, PIXELS) for e in r]
    accounted = any(e.account is not None for e in r)
    top = max(top, 0) if accounted else min(max(top, 0), len(r.schema))
    column = max(PANEL * widest_aspect([query, *images]), 1.45)
    pitch = column + 0.16
    rows = ceil(len(images) / PER_ROW)
    per_row = ceil(len(images) / rows)
    below = STACK + WRAPPED * top if accounted else LINE * top
    row_height = 0.42 + PANEL + 0.32 + below + 0.2
    first = MARGIN + pitch + 0.2
    sheet = Sheet(max(first + per_row * pitch + MARGIN, 7.5), HEADER + rows * row_height + FOOTER)
    reach = max((abs(fraction(e, k)) for e in r for k in range(len(e.schema))), default=1.0) or 1.0

    sheet.text(MARGIN, 0.28, say("figure.ranking"), 15, weight="bold")
    nearest = say("ranking.nearest", shown=len(r), gallery=r.searched, by=by_order(r))
    exact = any(e.remainder is not None for e in r)
    kind = "account" if accounted else "exact" if exact else "shares"
    lines = wrap(f"{nearest} {say(f'figure.bars_{kind}')}", 10, sheet.width - 2 * MARGIN)
    sheet.text(MARGIN, 0.62, "\n".join(lines), 10, color=FAINT, linespacing=1.2)
    sheet.text(MARGIN + column / 2, HEADER + 0.2, say("figure.query"), 10, ha="center", weight="bold")
    _framed(sheet, MARGIN, HEADER + 0.42, column, query, INK, 1.5)
    _file_name(sheet, MARGIN, HEADER + 0.42 + PANEL, column, r.query_name)
    for n, (e, image, same) in enumerate(zip(r, images, r.matches, strict=True)):
        left = first + (n % per_row) * pitch
        row = HEADER + (n // per_row) * row_height
        sheet.text(left, row + 0.2, f"{n + 1}", 9, color=FAINT)
        value = f"{MARKS[same]}{number(e.distance)}"
        sheet.text(left + column / 2, row + 0.2, value, 10, ha="center", weight="bold", color=_text(same))
        dashed = "--" if same is False else "-"
        _framed(sheet, left, row + 0.42, column, image, FRAMES[same], 3.0, dashed)
        _file_name(sheet, left, row + 0.42 + PANEL, column, e.names[1])
        draw = _attributes if e.account is None else _account
        draw(sheet, e, left, row + 0.42 + PANEL + 0.32, column, top, reach)
    _legend(sheet, r)
    return sheet.figure


def _text(same: bool | None) -> str:
    return INK if same is None else FRAMES[same]


def _framed(
    sheet: Sheet,
    left: float,
    top: float,
    column: float,
    image: Image.Image,
    colour: str,
    width: float,
    line: str = "-",
) -> None:
    axes = sheet.photograph(left, top, column, PANEL, image)
    axes.spines[:].set(linewidth=width, color=colour, linestyle=line)
    axes.set_label("photograph")


def _file_name(sheet: Sheet, left: float, bottom: float, column: float, name: str) -> None:
    shown = shorten(Path(shown_name(name)).name, 6.5, column, keep_end=True)
    sheet.text(left + column / 2, bottom + 0.08, shown, 6.5, ha="center", color=FAINT)


def _account(
    sheet: Sheet, e: ExplainedPair, left: float, top: float, column: float, count: int, reach: float
) -> None:
    """The whole distance as one bar, and what is larger than the error in it, the largest first."""
    if not e.distance:
        return
    stack(sheet.axes(left, top, column, 0.14, label="account"), e)
    found = sorted((p for p in pieces(e) if p.certain), key=lambda p: -abs(p.value))
    for n, p in enumerate(found[:count]):
        y = top + STACK + n * WRAPPED
        sheet.text(left, y, "■", 7.5, color=PART_COLOURS[p.part])
        words = part_name(REST) if p.part == REST and not p.named else p.words
        lines = wrap(words, 7.5, column - 0.15 - 0.4, lines=3)
        sheet.text(left + 0.15, y, "\n".join(lines), 7.5, linespacing=1.1)
        sheet.text(left + column, y, percent(p.value / e.distance), 7.5, ha="right", color=FAINT)


def _attributes(
    sheet: Sheet, e: ExplainedPair, left: float, top: float, column: float, count: int, reach: float
) -> None:
    """Name, share and a small bar for each of the largest shares; full width is the largest of all."""
    if e.not_explained:
        sheet.text(left, top, "\n".join(wrap(why_alone(e), 7.5, column)), 7.5, color=FAINT)
    for n, k in enumerate(e.order()[:count]):
        y = top + n * LINE
        sheet.text(left, y, shorten(e.schema.say(e.attributes[k]), 7.5, column - 0.38), 7.5)
        sheet.text(left + column, y, fraction_text(e, k), 7.5, ha="right", color=FAINT)
        axes = sheet.axes(left, y + 0.15, column, 0.06, label="share")
        axes.barh(0, abs(fraction(e, k)), color=COLOURS[int(e.exclusive[k])])
        axes.set(xlim=(0, reach), xticks=[], yticks=[], facecolor="#eceff1")
        axes.margins(y=0)
        axes.spines[:].set_visible(False)


def _legend(sheet: Sheet, r: RankedGallery) -> None:
    known = sorted({s for s in r.matches if s is not None}, reverse=True)
    handles: list[Line2D | Patch] = []
    for s in known:
        said = MARKS[s] + match_words(s)
        handles.append(Line2D([], [], color=FRAMES[s], linewidth=3, linestyle="-" if s else "--", label=said))
    if any(e.account is not None for e in r):
        swapped = {p.part for e in r if e.account is not None for p in pieces(e)}
        handles += [Patch(color=c, label=part_name(p)) for p, c in PART_COLOURS.items() if p in swapped]
    else:
        present = sorted({int(v) for e in r for v in e.exclusive if v >= 0}, reverse=True)
        words = {1: "key.differs", 0: "key.common"}
        handles += [Patch(color=COLOURS[v], label=say(words[v])) for v in present]
    if not handles:
        return
    sheet.figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(MARGIN / sheet.width, 0.18 / sheet.height),
        ncols=len(handles),
        fontsize=8,
        frameon=False,
        borderaxespad=0,
        handlelength=1.6,
    )
