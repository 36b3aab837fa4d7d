"""What the library says beside its results: messages by logging, and how far its long loops are.

A command shows both, messages as plain lines; in Python each is shown where somebody asks for it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PACKAGE = logging.getLogger("torchreid_amd")


class Waiting:
    """What a reader is shown while something takes long.

    Attributes:
        shown: whether loops say how far they are.
        inside: whether one of them is going on; loops inside it say nothing of their own.
        bar: what stands in the last line of a terminal; it makes room for messages.
    """

    shown = False
    inside = False
    bar: Any = None


@contextmanager
def show_progress() -> Iterator[None]:
    """As long as the block runs, what takes longer than two seconds says on standard error how far it is.

    On a terminal that is a bar with an estimate, elsewhere a plain line every ten seconds.

    Example:
        >>> import torchreid_amd as amd
        >>> with amd.show_progress():
        ...     names = amd.list_heads()
    """
    before = Waiting.shown, Waiting.inside
    Waiting.shown, Waiting.inside = True, False
    try:
        yield
    finally:
        Waiting.shown, Waiting.inside = before


class _Lines(logging.Handler):
    """Messages as lines on whatever the standard output is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        if Waiting.bar is not None:
            Waiting.bar.clear()
        print(("Warning: " if record.levelno >= logging.WARNING else "") + self.format(record), flush=True)


@contextmanager
def printed() -> Iterator[None]:
    """As long as the block runs, messages of this package are printed too, a line each."""
    lines, level = _Lines(), PACKAGE.level
    PACKAGE.addHandler(lines)
    PACKAGE.setLevel(logging.INFO)
    try:
        yield
    finally:
        PACKAGE.removeHandler(lines)
        PACKAGE.setLevel(level)
