"""The figure for a paper: a row for each pair, with the maps of the attributes that add most to its distance.

After Figure 4 of Chen et al., ICCV 2021, for two columns of print: 7 inches wide with five attributes,
nothing smaller than 6 points.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.language import say
from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.report.layout import COLOURS, FAINT, INK, MEANING, Sheet, wrap
from torchreid_amd.explanation.report.overlay import Scale, muted, shared_scale, thumbnail, tint
from torchreid_amd.explanation.report.scale_bar import draw_scale
from torchreid_amd.explanation.report.text import fraction, fraction_text, number

MARGIN, GAP, BETWEEN = 0.08, 0.03, 0.1  # inches: around all, between two photographs, between attributes
WORDS, PANEL, BELOW, FOOTER = 0.29, 1.02, 0.2, 0.42
COLUMN = 0.51  #: width of a photograph
SIZE = 6.5  #: points
PIXELS = 320
SIGNS = {1: "≠ ", 0: "= ", -1: ""}  #: whether the two persons differ, not by colour alone
SIDES = "AB"


def draw_paper(explanations: Sequence[ExplainedPair], top: int = 5) -> Figure:
    """Draw pairs in rows.

    Photographs A and B, and for each of the ``top`` attributes with the largest shares its maps on both, its
    name, whether the two persons differ in it, and its part of the distance as a number and a bar. All maps
    of the figure are on one colour scale.

    Args:
        explanations: N pairs, with attributes.
        top: how many attributes a row shows; at most M.

    Returns:
        A figure that belongs to no global state.

    Raises:
        InputError: an explanation of a model alone, which has no maps.
    """
    if not all(len(e.schema) for e in explanations):
        raise InputError(
            "the layout 'paper' shows maps of attributes, and a model alone has none; leave it out"
        )
    top = max(1, min([top, *(len(e.schema) for e in explanations)]))
    pair = 2 * COLUMN + GAP
    pitch, row_height = pair + BETWEEN, WORDS + PANEL + BELOW
    width = 2 * MARGIN + (1 + top) * pitch - BETWEEN
    sheet = Sheet(width, MARGIN + len(explanations) * row_height + FOOTER)
    thumbs = [tuple(thumbnail(i, PIXELS, PIXELS) for i in e.images) for e in explanations]
    rows = [e.order()[:top] for e in explanations]
    maps = {
        (n, side, k): e.map(side, e.attributes[k], (thumbs[n][side].height, thumbs[n][side].width))
        for n, e in enumerate(explanations)
        for k in rows[n]
        for side in (0, 1)
    }
    scale = shared_scale(maps.values()) if maps else Scale(0, 1)
    shown = [(e, k) for e, ks in zip(explanations, rows, strict=True) for k in ks]
    reach = max(abs(fraction(e, k)) for e, k in shown)
    for n, e in enumerate(explanations):
        y = MARGIN + n * row_height
        _photographs(sheet, e, thumbs[n], y)
        for place, k in enumerate(rows[n], 1):
            left = MARGIN + place * pitch
            _heading(sheet, e, k, left, y, pair)
            for side in (0, 1):
                axes = sheet.photograph(
                    left + side * (COLUMN + GAP), y + WORDS, COLUMN, PANEL, muted(thumbs[n][side])
                )
                picture = np.asarray(tint(maps[n, side, k], scale))
                axes.imshow(picture, aspect="auto", interpolation="bilinear")
                axes.set_label(f"map {SIDES[side]} {e.attributes[k]}")
            _part(sheet, e, k, left, y + WORDS + PANEL, pair, reach or 1.0)
    bottom = MARGIN + len(explanations) * row_height + 0.04
    draw_scale(sheet, scale, MARGIN + pitch, bottom, 2.0, SIZE)
    present = {int(e.exclusive[k]) for e, k in shown}
    key = "\n".join(SIGNS[v] + say(MEANING[v]) for v in (1, 0) if v in present)
    sheet.text(MARGIN + pitch + 2.2, bottom, key, SIZE, color=FAINT, linespacing=1.3)
    return sheet.figure


def _photographs(sheet: Sheet, e: ExplainedPair, thumbs: Sequence[Image.Image], y: float) -> None:
    for side, image in enumerate(thumbs):
        left = MARGIN + side * (COLUMN + GAP)
        sheet.text(
            left + COLUMN / 2,
            y + WORDS - 0.03,
            SIDES[side],
            SIZE + 0.5,
            ha="center",
            va="bottom",
            weight="bold",
        )
        axes = sheet.photograph(left, y + WORDS, COLUMN, PANEL, image)
        axes.set_label(f"photograph {SIDES[side]}")
    said = say("figure.distance", number=number(e.distance))
    middle = MARGIN + COLUMN + GAP / 2
    sheet.text(middle, y + WORDS + PANEL + 0.03, said, SIZE, ha="center")


def _heading(sheet: Sheet, e: ExplainedPair, k: int, left: float, y: float, width: float) -> None:
    kind = int(e.exclusive[k])
    yes = kind != 0 or e.labels is None or bool(e.labels[0][k])  # what they have in common may be a "no"
    lines = wrap(SIGNS[kind] + e.schema.say(e.attributes[k], yes), SIZE, width)
    colour = COLOURS[kind] if kind >= 0 else INK
    middle, bottom = left + width / 2, y + WORDS - 0.03
    sheet.text(
        middle, bottom, "\n".join(lines), SIZE, ha="center", va="bottom", color=colour, linespacing=1.1
    )


def _part(
    sheet: Sheet, e: ExplainedPair, k: int, left: float, top: float, width: float, reach: float
) -> None:
    """What an attribute adds: a bar, the longest as long as there is room for, and the number behind it."""
    room = width - 0.36
    length = max(abs(fraction(e, k)) / reach * room, 0.005)
    axes = sheet.axes(left, top + 0.05, length, 0.07, label="part")
    hatch = "////" if fraction(e, k) < 0 else None
    axes.barh(0, 1, color=COLOURS[int(e.exclusive[k])], hatch=hatch, edgecolor="white", linewidth=0)
    axes.set(xlim=(0, 1), ylim=(-0.4, 0.4))
    axes.axis("off")
    sheet.text(left + length + 0.04, top + 0.03, fraction_text(e, k), SIZE)
