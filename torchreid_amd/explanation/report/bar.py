"""A whole distance as one bar and its rows, for the templates."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from torchreid_amd.core.language import say
from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.report.pieces import Piece, part_name, pieces, shown_and_small
from torchreid_amd.explanation.report.text import percent

NOTHING = 0.005  #: of the distance: less than this is not a number to read


def bar_of(e: ExplainedPair, owner: str = "row") -> dict[str, Any]:
    """Segments and rows of an explained distance.

    Args:
        e: the explanation.
        owner: what the ids of its rows begin with.

    Returns:
        ``groups``: a part of the picture each, or one for everything, with its rows: the pieces worth
        a line, and one for the others together; ``rows``: those of all groups; ``up``: rows that add to
        the distance, one after the other from 0; ``down``: those that take away, from the end of ``up`` back
        to the distance, which lies at ``distance``. All lengths are fractions of the bar.
    """
    groups: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    if e.distance:
        for part, found in groupby(pieces(e), key=lambda p: p.part):
            group = _group(part, list(found), e.distance, len(rows))
            if part and abs(group["value"]) < NOTHING * e.distance:
                continue  # a part without a part in it
            groups.append(group)
            rows += group["rows"]
    longest = sum(r["value"] for r in rows if r["value"] > 0) or 1.0
    for row in rows:
        row["width"] = abs(row["value"]) / longest
        row["id"] = f"{owner}-{row['n']}"
    return {
        "groups": groups,
        "rows": rows,
        "up": [r for r in rows if r["value"] > 0],
        "down": [r for r in reversed(rows) if r["value"] < 0],
        "distance": e.distance / longest,
        "said": ", ".join(f"{r['words']} {r['share']}" for r in rows) or say("piece.zero"),
    }


def _group(part: str, found: list[Piece], distance: float, before: int) -> dict[str, Any]:
    shown, small = shown_and_small(found, distance)
    rows = [_row(p, distance) for p in shown]
    if small:
        rows.append(_row(_together(small), distance))
    for n, row in enumerate(rows, before + 1):
        row["n"] = n
    value = sum(p.value for p in found)
    return {
        "part": part_name(part),
        "rows": rows,
        "layer": found[0].layer,
        "look": found[0].look.removesuffix(" other"),
        "value": value,
        "share": percent(value / distance),
        "certain": bool(shown),
    }


def _together(small: list[Piece]) -> Piece:
    """The pieces that are not worth a line of their own, as one."""
    count, value = sum(p.named for p in small), sum(p.value for p in small)
    words = say("piece.smaller", count=count) if count > 1 else small[0].words
    first = small[0]
    layer = first.layer if first.part or len(small) == 1 else ""
    look = f"{first.look} small" if first.part else "small"
    return Piece("/small", words, words, value, look, False, layer, part=first.part, certain=False)


def _row(p: Piece, distance: float) -> dict[str, Any]:
    share = p.value / distance
    nothing = not p.certain and abs(share) < NOTHING
    return {
        "words": p.words,
        "note": p.note,
        "value": 0.0 if nothing else p.value,
        "share": f"≈ {percent(0)}" if nothing else percent(share),
        "look": p.look,
        "layer": p.layer,
        "certain": p.certain,
    }
