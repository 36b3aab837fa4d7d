"""The figure of a pair: photographs, attention overlays on one scale, and the contributions."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from PIL import Image

from torchreid_amd.account.division import LEAST
from torchreid_amd.core.language import local_number, say
from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.report.account_figure import (
    BAR,
    KEY,
    NOTE,
    draw_account,
    parts_picture,
)
from torchreid_amd.explanation.report.layout import (
    COLOURS,
    FAINT,
    INK,
    MEANING,
    REMAINDER,
    Sheet,
    shorten,
    text_width,
    widest_aspect,
    wrap,
)
from torchreid_amd.explanation.report.model_figure import draw_model_alone
from torchreid_amd.explanation.report.overlay import Scale, muted, shared_scale, thumbnail, tint
from torchreid_amd.explanation.report.scale_bar import draw_scale
from torchreid_amd.explanation.report.text import (
    distance_sentence,
    fraction,
    fraction_text,
    part_heading,
    percent,
    residual_sentence,
    short_names,
)

MARGIN, GAP = 0.35, 0.09  # inches
HEADER, HEADS, CAPTION, FOOTER, SHARES = 1.05, 0.62, 0.22, 1.05, 0.5
BOLD = 1.14  # how much wider bold text is
PANEL = 2.5  # height of a photograph
BARS = 2.6  # width of the contributions
PIXELS = 480  # enough pixels for a panel


def draw_pair(e: ExplainedPair, top: int = 5) -> Figure:
    """Draw an explanation.

    Left: photographs A and B, and the attention maps of the attributes with the largest shares,
    all on one colour scale. Right: the contributions, sorted, with a line where an even split would put
    them; coloured by exclusive and common where labels are known. How many are left out, being less than
    :data:`~torchreid_amd.account.division.LEAST` of the distance, is said. Above
    both the account of the whole distance as one bar, where there is one; its parts stand beside the
    photographs. A model alone, without attributes, has a figure of its own.

    Args:
        e: the explanation.
        top: how many attributes to show as overlays; at most M.

    Returns:
        A figure that belongs to no global state.
    """
    if not len(e.schema):
        return draw_model_alone(e)
    shown = e.order()[: max(0, top)]
    account = e.account if e.distance else None
    thumbs = [thumbnail(i, PIXELS, PIXELS) for i in e.images]
    column = PANEL * widest_aspect(thumbs)
    pictures = 1 if account is None else 2  # before the maps
    left_width = (len(shown) + pictures) * (column + GAP) + 0.25
    listed = [k for k in e.order() if abs(fraction(e, k)) >= LEAST] or e.order()[:1]
    left_out = len(e.schema) - len(listed)
    names = [shorten(e.schema.say(a), 8.5, 2.4) for a in e.attributes]
    name_width = max((text_width(n, 8.5) for n in names), default=0.0) + 0.12
    block_height = HEADS + 2 * (PANEL + CAPTION) + 0.1
    bars_height = max(min(block_height - NOTE, 0.36 * (len(listed) + 1) + 0.2), 0.2 * (len(listed) + 1))
    bars_left = MARGIN + left_width + 0.25 + name_width
    header = HEADER + (0 if account is None else BAR + KEY + NOTE + 0.23)
    width = max(bars_left + BARS + SHARES + MARGIN, 9.0)
    sheet = Sheet(width, header + max(block_height, bars_height) + FOOTER)

    sheet.text(MARGIN, 0.3, say("figure.pair"), 15, weight="bold")
    sheet.text(MARGIN, 0.66, f"{distance_sentence(e)} {residual_sentence(e)}", 10, color=FAINT)
    if account is not None:
        draw_account(sheet, e, MARGIN, HEADER, sheet.width - 2 * MARGIN)
    _photographs(sheet, e, shown, thumbs, column, header)
    bars_width = sheet.width - bars_left - MARGIN - SHARES
    axes = sheet.axes(bars_left, header, bars_width, bars_height, label="bars")
    _bars(axes, e, listed, names, bars_width)
    left, below = bars_left - name_width, header + bars_height + 0.48
    if left_out:
        words = say(
            "figure.left_out" if left_out > 1 else "figure.one_left_out", count=left_out, least=percent(LEAST)
        )
        sheet.text(left, below, words, 8, color=FAINT)
        below += NOTE
    _legend(sheet, e, left, below)
    return sheet.figure


def _photographs(
    sheet: Sheet, e: ExplainedPair, shown: list[int], thumbs: list[Image.Image], column: float, header: float
) -> None:
    top = header + HEADS
    first = MARGIN + 0.25
    account = e.account if e.distance else None
    second = first + column + GAP
    maps_left = first if account is None else second
    if account is not None:
        sheet.text(
            second + column / 2, top - 0.08, say("figure.parts"), 8.5, ha="center", va="bottom", weight="bold"
        )
    maps = {
        (side, k): e.map(side, e.attributes[k], (thumbs[side].height, thumbs[side].width))
        for side in (0, 1)
        for k in shown
    }
    scale = shared_scale(maps.values()) if maps else Scale(0, 1)
    for n, k in enumerate(shown, 1):
        left = maps_left + n * (column + GAP)
        lines = wrap(e.schema.say(e.attributes[k]), 8.5, column / BOLD)
        sheet.text(
            left + column / 2,
            top - 0.08,
            "\n".join([*lines, fraction_text(e, k)]),
            8.5,
            ha="center",
            va="bottom",
            linespacing=1.15,
            color=COLOURS[int(e.exclusive[k])] if e.exclusive[k] >= 0 else INK,
            weight="bold",
        )
    for side, image in enumerate(thumbs):
        row = top + side * (PANEL + CAPTION)
        sheet.text(MARGIN, row, "AB"[side], 13, weight="bold")
        if e.names[side] != "AB"[side]:
            name = shorten(short_names(e.names)[side], 8, PANEL - 0.35, keep_end=True)
            sheet.text(MARGIN, row + PANEL, name, 8, rotation=90, va="bottom", color=FAINT)
        sheet.photograph(first, row, column, PANEL, image).set_label(f"photograph {'AB'[side]}")
        if account is not None:
            parts = parts_picture(image, account.regions[side])
            sheet.photograph(second, row, column, PANEL, parts).set_label(f"parts {'AB'[side]}")
        grey = muted(image)
        for n, k in enumerate(shown, 1):
            left = maps_left + n * (column + GAP)
            axes = sheet.photograph(left, row, column, PANEL, grey)
            axes.imshow(np.asarray(tint(maps[side, k], scale)), aspect="auto", interpolation="bilinear")
            axes.set_label(f"map {'AB'[side]} {e.attributes[k]}")
            if e.labels and e.labels[side][k] >= 0:
                said = e.schema.say(e.attributes[k], bool(e.labels[side][k]))
                words = shorten(said, 7.5, column + GAP)
                sheet.text(left + column / 2, row + PANEL + 0.04, words, 7.5, ha="center", color=FAINT)
    if shown:
        width = min(len(shown) * (column + GAP) - GAP, 3.0)
        draw_scale(sheet, scale, maps_left + column + GAP, top + 2 * (PANEL + CAPTION) + 0.16, width)


def _bars(axes: Axes, e: ExplainedPair, order: list[int], names: list[str], width: float) -> None:
    count = len(order)
    values = e.contributions[order]
    axes.barh(
        range(count), values, height=0.72, color=[COLOURS[int(e.exclusive[k])] for k in order], zorder=2
    )
    if e.remainder is not None:
        values = np.append(values, e.remainder)
        axes.barh(count, e.remainder, height=0.72, color=REMAINDER, hatch="////", edgecolor="white", zorder=2)
        names = [*names, say("piece.remainder_row")]
        rest = percent(e.remainder / e.distance if e.distance else 0.0)
        beside = axes.get_yaxis_transform()
        axes.text(1.0 + 0.48 / width, count, rest, transform=beside, ha="right", va="center", size=8.5)
    size = 8.5 if count <= 40 else 7
    rows = [names[k] for k in order] + names[len(e.schema) :]
    axes.set_yticks(range(len(rows)), rows, fontsize=size, color=INK, parse_math=False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    room = 0.02 * ((high - low) or 1.0)
    axes.set_xlim(low - (room if low < 0 else 0), high + room)
    beside = axes.get_yaxis_transform()  # x in the axes' width, y in rows
    for row, k in enumerate(order):
        axes.text(
            1.0 + 0.48 / width, row, fraction_text(e, k), transform=beside, ha="right", va="center", size=size
        )
    axes.text(
        1.0 + 0.48 / width,
        -0.65,
        part_heading(e),
        transform=beside,
        ha="right",
        va="bottom",
        size=8,
        color=FAINT,
    )
    if e.remainder is None:
        even = float(e.contributions.sum()) / len(e.schema)
        axes.axvline(even, color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=3)
    if low < 0:
        axes.axvline(0, color=FAINT, linewidth=0.8, zorder=1)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color("#c9ced3")
    axes.grid(axis="x", color="#eceff1", zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=7.5, colors=FAINT, length=2.5)
    axes.xaxis.set_major_formatter(lambda value, _: local_number(f"{value:g}"))
    axes.set_xlabel(say(f"metric.{e.metric}.to"), fontsize=8.5, color=FAINT)


def _legend(sheet: Sheet, e: ExplainedPair, left: float, top: float) -> None:
    present = sorted({int(v) for v in e.exclusive}, reverse=True)
    handles: list[Patch | Line2D] = [Patch(color=COLOURS[v], label=say(MEANING[v])) for v in present]
    if present == [-1]:
        handles = []
    if e.remainder is None:
        even = say("meaning.even", share=percent(1 / len(e.schema)))
        handles.append(Line2D([], [], color=INK, linewidth=1, linestyle=(0, (4, 3)), label=even))
    else:
        handles.append(
            Patch(facecolor=REMAINDER, hatch="////", edgecolor="white", label=say("figure.no_attribute"))
        )
    sheet.figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(left / sheet.width, 1 - top / sheet.height),
        ncols=2,
        fontsize=8,
        frameon=False,
        borderaxespad=0,
        handlelength=1.6,
        columnspacing=1.4,
    )
