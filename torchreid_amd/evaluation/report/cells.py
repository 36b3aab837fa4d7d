"""Tables for the terminal: numbers with their intervals, in columns of fixed width."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def grid(title: str, columns: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """A fixed-width table below a title."""
    table = [("", list(columns)), *((name, list(cells)) for name, cells in rows)]
    first = max(len(name) for name, _ in table)
    widths = [max(len(cells[i]) for _, cells in table) for i in range(len(columns))]
    lines = [
        "  ".join([name.ljust(first), *(c.rjust(w) for c, w in zip(cells, widths, strict=True))])
        for name, cells in table
    ]
    return "\n".join([title, lines[0], "─" * len(lines[0]), *lines[1:]])


def cell(value: float | None, interval: Sequence[float] | None = None, digits: int = 1) -> str:
    """A number and its interval."""
    if value is None:
        return "–"
    ends = "" if interval is None else f" [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"
    return f"{value:.{digits}f}{ends}"


def cells(columns: Iterable[str], values: Mapping[str, Any], intervals: Mapping[str, Any]) -> list[str]:
    """The numbers of a row, each with its interval."""
    return [cell(values.get(c), intervals.get(c)) for c in columns]
