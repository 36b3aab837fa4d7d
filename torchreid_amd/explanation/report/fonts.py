"""Fonts for text in any script: the figure's own, and others of the machine behind it."""

from __future__ import annotations

import logging
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

from torchreid_amd.core.printable import printable

_log = logging.getLogger(__name__)
_CJK = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "FULLWIDTH", "IDEOGRAPHIC")
_WIDE = "m"  # about as wide as a letter of a script that the figure's own font lacks


@cache
def _characters(path: str) -> frozenset[int]:
    return frozenset(get_font(path).get_charmap())


def missing_characters(text: str) -> set[str]:
    """Characters that the figure's own font does not have."""
    own = _characters(findfont(FontProperties()))
    return {c for c in text if not c.isspace() and ord(c) not in own}


def measurable(text: str) -> str:
    """Text of about the same width with characters of the figure's own font alone."""
    missing = missing_characters(text)
    return "".join(_WIDE if c in missing else c for c in text) if missing else text


@cache
def _others(missing: frozenset[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Families of the machine that have the characters, and the characters that none has."""
    families: list[str] = []
    left = set(missing)
    for entry in sorted(
        fontManager.ttflist, key=lambda e: (e.style != "normal", "Noto" not in e.name, e.name)
    ):
        if not left:
            break
        try:
            found = {c for c in left if ord(c) in _characters(entry.fname)}
        except (OSError, RuntimeError):  # a font that is listed and gone, or broken
            continue
        if found:
            families.append(entry.name)
            left -= found
    return tuple(families), frozenset(left)


def font_file_for(character: str) -> str:
    """The file of a free font that has a character's script: ``'NotoSansCJK-Regular.ttc'``."""
    script = unicodedata.name(character, "UNKNOWN").split()[0]
    if script in _CJK:
        return "NotoSansCJK-Regular.ttc"
    if unicodedata.category(character) == "So":
        return "NotoEmoji-Regular.ttf"
    return f"NotoSans{script.title()}-Regular.ttf"


@contextmanager
def fitting_fonts(figure: Figure) -> Iterator[None]:
    """Draw a figure with fonts that have its characters; what none has is a box, said once in one line."""
    ticks = [t for a in figure.axes for t in (*a.get_xticklabels(), *a.get_yticklabels())]
    texts = [*figure.findobj(Text), *ticks]
    for text in texts:
        if text.get_text() != (shown := "\n".join(map(printable, text.get_text().split("\n")))):
            text.set_text(shown)
    missing = missing_characters("".join(t.get_text() for t in texts))
    if missing:
        families, left = _others(frozenset(missing))
        for text in texts:
            text.set_fontfamily([*text.get_fontfamily(), *families])
        if left:
            shown = "".join(sorted(left)[:8])
            files = sorted({font_file_for(c) for c in left})
            _log.warning(
                f"no font of this machine has “{shown}”; boxes are drawn instead: install {', '.join(files)}"
            )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
