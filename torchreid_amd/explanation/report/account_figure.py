"""The whole distance as one stacked bar in a figure, and the parts it is cut into on a photograph."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image

from torchreid_amd.account.account import ERROR
from torchreid_amd.attributes.parts import PARTS, REST
from torchreid_amd.core.language import say
from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.report.bar import NOTHING
from torchreid_amd.explanation.report.layout import FAINT, INK, PART_COLOURS, Sheet, shorten, text_width
from torchreid_amd.explanation.report.overlay import muted
from torchreid_amd.explanation.report.pieces import Piece, part_name, pieces
from torchreid_amd.explanation.report.text import percent

BAR, KEY, NOTE = 0.34, 0.24, 0.24  #: inches: the bar, the names of parts, the line below
LEAST_WORDS = 0.75  #: inches: words cut shorter say nothing
PALE = 0.62  #: how strong the colour of what attributes leave of a part is
TINT = 0.5  #: how much of a part's colour lies over a photograph


def stack(axes: Axes, e: ExplainedPair) -> list[tuple[Piece, float, float]]:
    """Draw what adds to a distance above 0 as one bar from 0 to 1.

    Returns:
        What was drawn: pieces, where each begins, and how long it is.
    """
    adding = [p for p in pieces(e) if p.value > 0]
    whole, start = sum(p.value for p in adding), 0.0
    drawn = []
    for p in adding:
        size = p.value / whole
        axes.barh(
            0, size, left=start, height=1, color=PART_COLOURS[p.part], edgecolor="white",
            linewidth=0.8, alpha=PALE if _pale(p) else 1,
        )  # fmt: skip
        drawn.append((p, start, size))
        start += size
    axes.set(xlim=(0, 1), ylim=(-0.5, 0.5))
    axes.axis("off")
    return drawn


def draw_account(
    sheet: Sheet, e: ExplainedPair, left: float, top: float, width: float, key: bool = True
) -> None:
    """Draw an account: a segment for each row that adds, what the colours are, and how to read it.

    Args:
        sheet: the figure.
        e: with an account, of a distance above 0.
        left, top, width: of the bar, in inches.
        key: whether to name the parts below the bar.
    """
    axes = sheet.axes(left, top, width, BAR, label="account")
    drawn = stack(axes, e)
    for p, start, size in drawn:
        words = _fitting(p, e.distance, size * width - 0.08) if p.certain else ""
        axes.text(
            start + size / 2, 0, words, ha="center", va="center", size=7.5, parse_math=False,
            color=INK if _pale(p) or p.part == REST else "white",
        )  # fmt: skip
    if key:
        _key(sheet, e, left, top + BAR + 0.1)
    notes = [say("figure.swapping")]
    if any(_pale(p) for p, _, _ in drawn):
        notes.append(say("figure.paler"))
    if not all(p.certain for p, _, _ in drawn):
        notes.append(say("figure.without_words", error=percent(ERROR)))
    less = [p for p in pieces(e) if p.value < -NOTHING * e.distance]
    if less:
        said = say("list.between").join(f"{p.words} {percent(p.value / e.distance)}" for p in less)
        notes.append(say("figure.not_drawn", things=said))
    below = top + BAR + 0.1 + (KEY if key else 0)
    sheet.text(left, below, shorten("; ".join(notes), 7.5, width), 7.5, color=FAINT)


def _pale(p: Piece) -> bool:
    return p.look.endswith(" other")


def _fitting(p: Piece, distance: float, width: float) -> str:
    """As much of what a segment is as it has room for; its percentage comes first."""
    share = percent(p.value / distance)
    words = say("figure.left") if _pale(p) else p.words
    room = width - text_width(f" {share}", 7.5)
    if room < min(LEAST_WORDS, text_width(words, 7.5)):
        return share if room > 0 else ""
    return f"{shorten(words, 7.5, room)} {share}"


def _key(sheet: Sheet, e: ExplainedPair, left: float, top: float) -> None:
    """The parts that make up anything, with their percentages, in one line."""
    for part in PARTS:
        value = sum(p.value for p in pieces(e) if p.part == part)
        if abs(value) < NOTHING * e.distance:
            continue
        said = f"{part_name(part)} {percent(value / e.distance)}"
        sheet.text(left, top - 0.01, "■", 9, color=PART_COLOURS[part])
        sheet.text(left + 0.17, top, said, 8.5, color=INK)
        left += 0.17 + text_width(said, 8.5) + 0.22


def parts_picture(image: Image.Image, regions: NDArray[np.int8]) -> Image.Image:
    """A grey photograph with its parts in their colours and light lines between them.

    Args:
        image: the photograph.
        regions: (h, w): which of PARTS each cell shows, evenly over the photograph; the rest stays grey.
    """
    grey = np.asarray(muted(image), dtype=np.float32)
    part = np.asarray(Image.fromarray(regions.astype(np.uint8)).resize(image.size, Image.Resampling.NEAREST))
    colours = 255 * np.array([to_rgb(PART_COLOURS[name]) for name in PARTS], dtype=np.float32)
    strength = np.where(part == PARTS.index(REST), 0, TINT)[..., None]
    picture = (1 - strength) * grey + strength * colours[part]
    padded = np.pad(part, ((0, 1), (0, 1)), mode="edge")
    edge = (padded[1:, :-1] != part) | (padded[:-1, 1:] != part)
    picture[edge] = 255
    return Image.fromarray(np.round(picture).astype(np.uint8))
