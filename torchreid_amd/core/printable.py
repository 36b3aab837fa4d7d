"""Text from outside, fit to be shown: on a terminal, in a figure, on a page."""

from __future__ import annotations

import sys

UNKNOWN = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """Text with what no font and no terminal can show replaced: bytes of file names that are not UTF-8
    (Python holds them as lone surrogates) and control characters."""
    return "".join(UNKNOWN if "\ud800" <= c <= "\udfff" or ord(c) < 32 or c == "\x7f" else c for c in text)


def forgiving_streams() -> None:
    """Let standard output and error replace what their encoding lacks (``LANG=C``) instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
