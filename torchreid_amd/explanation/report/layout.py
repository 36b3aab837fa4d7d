"""A figure laid out in inches from its top left corner, and the looks all figures share."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.textpath import text_to_path
from PIL import Image

from torchreid_amd.attributes.parts import PARTS
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.files import atomic_path
from torchreid_amd.core.printable import printable
from torchreid_amd.explanation.report.fonts import fitting_fonts, measurable

DPI = 160
#: fonts of vector formats: TrueType inside PDF and PostScript, and text that stays text in SVG
VECTOR: dict[Any, Any] = {
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "torchreid_amd",
}
_UNDATED = {"pdf": "CreationDate", "svg": "Date"}
_BREAKS = re.compile(r"[ \t\r\n]+")  # where a line may break; not at a no-break space
INK = "#1f2328"  # text
FAINT = "#667079"  # secondary text and lines
REMAINDER = "#8a939c"
COLOURS = {1: "#d1603d", 0: "#3a7ca5", -1: "#9aa3ab"}  # exclusive, common, unknown
MEANING = {1: "meaning.exclusive", 0: "meaning.common", -1: "meaning.unknown"}  # what says what they mean
# told apart without red, green or blue cones, too, and white words can be read on the first four
PART_COLOURS = dict(zip(PARTS, ("#1f55c9", "#b0521a", "#245f48", "#a83a9c", "#8a939c"), strict=True))
FRAMES = {True: "#1f77b4", False: "#c8372d", None: "#9aa3ab"}  # same person, another, not known


class Sheet:
    """A white figure without global state (no pyplot), Agg canvas.

    Args:
        width: inches.
        height: inches.
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), facecolor="white")
        FigureCanvasAgg(self.figure)

    def axes(self, left: float, top: float, width: float, height: float, **options: Any) -> Axes:
        """Axes whose top left corner lies at (left, top) inches from that of the figure."""
        box = (
            left / self.width,
            1 - (top + height) / self.height,
            width / self.width,
            height / self.height,
        )
        return self.figure.add_axes(box, **options)

    def text(self, left: float, top: float, words: str, size: float = 9, **options: Any) -> Text:
        """Text at (left, top) inches; a dollar sign is a dollar sign."""
        options = {"color": INK, "va": "top", "parse_math": False, **options}
        return self.figure.text(left / self.width, 1 - top / self.height, words, fontsize=size, **options)

    def photograph(self, left: float, top: float, width: float, height: float, image: Image.Image) -> Axes:
        """A picture, undistorted, in the middle of a box."""
        scale = min(width / image.width, height / image.height)
        w, h = image.width * scale, image.height * scale
        axes = self.axes(left + (width - w) / 2, top + (height - h) / 2, w, h)
        axes.imshow(np.asarray(image), aspect="auto", interpolation="bilinear")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(linewidth=0.6, color="#c9ced3")
        return axes


@lru_cache(maxsize=4096)
def text_width(words: str, size: float) -> float:
    """Width of one line in inches at a font size in points."""
    words = measurable(printable(words))
    width, _, _ = text_to_path.get_text_width_height_descent(words, FontProperties(size=size), False)
    return float(width) / 72


def shorten(words: str, size: float, width: float, keep_end: bool = False) -> str:
    """One line cut with an ellipsis so that it is at most ``width`` inches.

    Args:
        words: the text; line breaks in it become spaces.
        size: font size in points.
        width: inches.
        keep_end: cut at the front (for paths, whose end tells most).
    """
    words = " ".join(_BREAKS.split(words.strip()))
    if text_width(words, size) <= width:
        return words
    low, high = 0, len(words)
    while low < high:  # the longest cut that fits
        middle = (low + high + 1) // 2
        if text_width(_cut(words, middle, keep_end), size) <= width:
            low = middle
        else:
            high = middle - 1
    return _cut(words, low, keep_end)


def _cut(words: str, length: int, keep_end: bool) -> str:
    return "…" + words[len(words) - length :] if keep_end else words[:length].rstrip() + "…"


def wrap(words: str, size: float, width: float, lines: int = 2) -> list[str]:
    """Words broken into at most ``lines`` lines of at most ``width`` inches; the rest is cut."""
    done: list[str] = []
    left = _BREAKS.split(words.strip()) if words.strip() else []
    while left and len(done) < lines - 1:
        line = left.pop(0)
        while left and text_width(f"{line} {left[0]}", size) <= width:
            line = f"{line} {left.pop(0)}"
        done.append(shorten(line, size, width))
    if left:
        done.append(shorten(" ".join(left), size, width))
    return done


def widest_aspect(images: Iterable[Image.Image]) -> float:
    """Width over height of the widest image, between 0.4 and 0.9: the shape of a column."""
    return min(0.9, max(0.4, *(i.width / i.height for i in images)))


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that the ending of a figure's path names.

    Raises:
        InputError: no such format.
    """
    known = FigureCanvasAgg.get_supported_filetypes()
    ending = Path(path).suffix.lower().lstrip(".")
    if ending not in known:
        raise InputError(
            f"a figure cannot be written to {str(path)!r}: its ending names no known format; "
            f"use one of {', '.join('.' + k for k in sorted(known))}"
        )
    return ending


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure in the format its ending names.

    Raises:
        InputError: no such format, or the file cannot be written.
    """
    ending = format_of(path)
    with atomic_path(path) as temporary:
        options: dict[str, Any] = {"pil_kwargs": {"compress_level": 3}} if ending == "png" else {}
        if ending in _UNDATED:
            options["metadata"] = {_UNDATED[ending]: None}  # the same figure is the same file
        with fitting_fonts(figure), rc_context(VECTOR):
            figure.savefig(temporary, dpi=DPI, format=ending, **options)
