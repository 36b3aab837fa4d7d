"""What the library says beside its results: by logging, which a command shows as plain lines."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

PACKAGE = logging.getLogger("torchreid_amd")


class _Lines(logging.Handler):
    """Messages as lines on whatever the standard output is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
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
