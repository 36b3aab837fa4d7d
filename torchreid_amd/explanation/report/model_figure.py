"""The figure of a pair explained by a model alone: photographs, their parts, and what each part makes up."""

from __future__ import annotations

from matplotlib.figure import Figure

from torchreid_amd.attributes.parts import PARTS
from torchreid_amd.core.language import say
from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.report.account_figure import BAR, NOTE, draw_account, parts_picture
from torchreid_amd.explanation.report.layout import (
    FAINT,
    INK,
    PART_COLOURS,
    Sheet,
    shorten,
    text_width,
    widest_aspect,
)
from torchreid_amd.explanation.report.lead import lead
from torchreid_amd.explanation.report.overlay import thumbnail
from torchreid_amd.explanation.report.pieces import part_name, pieces
from torchreid_amd.explanation.report.text import distance_sentence, percent, short_names

MARGIN, GAP, HEADER = 0.35, 0.09, 1.05  # inches
PANEL, HEADS, ROW = 3.2, 0.32, 0.62
ROWS = 2.6  #: width of the rows
PIXELS = 600


def draw_model_alone(e: ExplainedPair) -> Figure:
    """Draw an explanation without attributes.

    Above the account as one bar, below each photograph beside its parts, and the parts as rows, the
    largest first. Where there is nothing to account for, the photographs alone.

    Returns:
        A figure that belongs to no global state.
    """
    thumbs = [thumbnail(i, PIXELS, PIXELS) for i in e.images]
    column = PANEL * widest_aspect(thumbs)
    account = e.account if e.distance else None
    side = column if account is None else 2 * column + GAP
    rows_left = MARGIN + 2 * side + 0.3 + 0.4
    header = HEADER if account is None else HEADER + BAR + NOTE + 0.2
    least = MARGIN + max(text_width(distance_sentence(e), 10), 6.0) + MARGIN
    width = max(least, 2 * MARGIN + 2 * side + 0.3 if account is None else rows_left + ROWS + MARGIN)
    sheet = Sheet(width, header + HEADS + PANEL + MARGIN)
    sheet.text(MARGIN, 0.3, say("figure.pair"), 15, weight="bold")
    sheet.text(MARGIN, 0.66, distance_sentence(e) if e.distance else lead(e), 10, color=FAINT)
    for n, image in enumerate(thumbs):
        left, name = MARGIN + n * (side + 0.3), "AB"[n]
        sheet.text(left, header, name, 12, weight="bold")
        if e.names[n] != name:
            shown = shorten(short_names(e.names)[n], 8, side - 0.25, keep_end=True)
            sheet.text(left + 0.22, header + 0.05, shown, 8, color=FAINT)
        sheet.photograph(left, header + HEADS, column, PANEL, image).set_label(f"photograph {name}")
        if account is not None:
            parts = parts_picture(image, account.regions[n])
            axes = sheet.photograph(left + column + GAP, header + HEADS, column, PANEL, parts)
            axes.set_label(f"parts {name}")
    if account is not None:
        draw_account(sheet, e, MARGIN, HEADER, sheet.width - 2 * MARGIN, key=False)
        _rows(sheet, e, rows_left, header + HEADS, sheet.width - MARGIN - rows_left)
    return sheet.figure


def _rows(sheet: Sheet, e: ExplainedPair, left: float, top: float, width: float) -> None:
    """A part each: its name, what it makes up, and a bar of that length; pale within the error."""
    found = sorted(pieces(e), key=lambda p: -abs(p.value))
    reach = max(abs(p.value) for p in found)
    for n, p in enumerate(found[: len(PARTS)]):
        y = top + n * ROW
        colour = INK if p.certain else FAINT
        share = percent(p.value / e.distance)
        sheet.text(left, y, part_name(p.part), 10, color=colour)
        sheet.text(left + width, y, share, 10, ha="right", color=colour, weight="bold")
        axes = sheet.axes(left, y + 0.2, width, 0.1, label="part")
        axes.barh(0, abs(p.value), color=PART_COLOURS[p.part], alpha=1 if p.certain else 0.4)
        axes.set(xlim=(0, reach), xticks=[], yticks=[], facecolor="#eceff1")
        axes.margins(y=0)
        axes.spines[:].set_visible(False)
        note = (
            say("figure.within_error") if not p.certain else p.words if p.words != part_name(p.part) else ""
        )
        sheet.text(left, y + 0.33, shorten(note, 7.5, width), 7.5, color=FAINT)
