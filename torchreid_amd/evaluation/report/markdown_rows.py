"""What rows of a Markdown table of scores are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torchreid_amd.evaluation.baselines.titles import TITLES
from torchreid_amd.evaluation.report.cells import cell

BESIDE = 3  #: baselines that stand beside a score, the strongest first
NONE = "–"

Record = Mapping[str, Any]
Found = tuple[float | None, Sequence[float] | None]  # a value and its interval
Row = tuple[str, list[str]]  # its name, and a cell for each run, for what needs no interpreter, for chance


def found_of(row: Record, score: str) -> Found:
    """A score of a row with ``values`` and ``intervals``."""
    return row["values"][score], row["intervals"][score]


def beside(found: Mapping[str, Found], digits: int = 1, low: bool = False) -> str:
    """The strongest of the baselines in one cell; ``low``: small is good."""
    known = {name: value for name, value in found.items() if value[0] is not None}
    best = sorted(known, key=lambda name: known[name][0] or 0, reverse=not low)[:BESIDE]
    return "<br>".join(f"{TITLES.get(name, name)} {cell(*known[name], digits)}" for name in best) or NONE
