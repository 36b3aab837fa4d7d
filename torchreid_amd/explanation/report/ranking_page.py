"""The page of a ranking: a card for each photograph, and why one stands above another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torchreid_amd.core.language import say
from torchreid_amd.core.progress_bar import progress
from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.ranking import RankedGallery
from torchreid_amd.explanation.report.bar import bar_of
from torchreid_amd.explanation.report.layers import layer
from torchreid_amd.explanation.report.overlay import Scale, shared_scale
from torchreid_amd.explanation.report.page import picture_uri, render
from torchreid_amd.explanation.report.pieces import PART_LOOKS, part_name, pieces
from torchreid_amd.explanation.report.text import (
    by_order,
    made_by_words,
    match_words,
    number,
    shown_name,
    why_alone,
)

PICTURE = 320  #: pixels along the longer side of a gallery photograph
_KEY = {1: "key.differs", 0: "key.common", -1: "key.unknown"}
_COMPARED = ("equal", "nearer", "nearer_above", "compare", "with", "rank", "others")


def ranking_page(r: RankedGallery, top: int = 3) -> str:
    """A self-contained page (HTML) of a ranking.

    Args:
        r: the ranking.
        top: how many things that decide a distance each card names and shows on the photographs.
    """
    nearest = progress(list(zip(r, r.matches, strict=True)), "writing the page")
    cards = [_card(e, n, same, top) for n, (e, same) in enumerate(nearest, 1)]
    shown = [sorted({row["layer"] for row in card["top"]}) for card in cards]
    scale = _scale(r, shown)
    longest = max((e.distance for e in r), default=0.0) or 1.0
    on_query: dict[str, str] = {}
    for e, names, card in zip(r, shown, cards, strict=True):
        card["length"] = e.distance / longest
        card["layers"] = {name: layer(e, 1, name, scale) for name in names}
        on_query |= {name: layer(e, 0, name, scale) for name in names if name not in on_query}
    return render(
        "ranking.html",
        ("page.js", "ranking.js"),
        tab=say(
            "ranking.tab_unnamed" if r.query_name == "query" else "ranking.tab", query=_file(r.query_name)
        ),
        cards=cards,
        gallery=r.searched,
        by=by_order(r),
        lead=_lead(r),
        key=_key(r),
        query={
            "picture": picture_uri(r.query),
            "name": shown_name(r.query_name),
            "file": _file(r.query_name, "query"),
        },
        on_query=on_query,
        scale=scale if any(name.startswith("map-") for name in on_query) else None,
        compared=_compared(r),
        made_by=made_by_words(r[0]) if len(r) else "",
        threshold=next((number(e.threshold) for e in r if e.threshold is not None), None),
        numbers=json.dumps(r.to_dict(), indent=1, ensure_ascii=False),
    )


def _scale(r: RankedGallery, shown: list[list[str]]) -> Scale:
    """One scale for all maps that are shown."""
    rows = [[int(n.removeprefix("map-")) for n in names if n.startswith("map-")] for names in shown]
    maps = [m[ks] for e, ks in zip(r, rows, strict=True) if ks for m in e.attention]
    return shared_scale(maps) if maps else Scale(0.0, 1.0)


def _file(name: str, nothing: str = "") -> str:
    return "" if name == nothing else Path(name).name


def _card(e: ExplainedPair, rank: int, same: bool | None, top: int) -> dict[str, Any]:
    bar = bar_of(e, f"c{rank}-row")
    found = [row for row in bar["rows"] if row["layer"] and row["certain"]]
    return {
        "rank": rank,
        "same": same,
        "match": match_words(same),
        "distance": e.distance,
        "picture": picture_uri(e.images[1], PICTURE),
        "name": shown_name(e.names[1]),
        "file": _file(shown_name(e.names[1])),
        "bar": bar,
        "alone": say("alone.page", why=why_alone(e)) if e.not_explained else "",
        "top": sorted(found, key=lambda row: -abs(row["value"]))[:top],
        "within": None if e.threshold is None else e.distance < e.threshold,
    }


def _lead(r: RankedGallery) -> str:
    """How many of the nearest are right, in one sentence; "" where nothing is known."""
    known = [m for m in r.matches if m is not None]
    if not known:
        return ""
    right = sum(known)
    first = next((n for n, m in enumerate(r.matches, 1) if m), None)
    return say("ranking.right_first" if first else "ranking.right", right=right, known=len(known), rank=first)


def _key(r: RankedGallery) -> list[dict[str, str]]:
    if any(e.account is not None for e in r):
        return [{"look": look, "words": part_name(part)} for part, look in PART_LOOKS.items()]
    present = sorted({int(v) for e in r for v in e.exclusive}, reverse=True)
    if present in ([], [-1]):
        return []
    return [
        *({"look": f"k{v}", "words": say(_KEY[v])} for v in present),
        {"look": "rest", "words": say("key.nameless")},
    ]


def _compared(r: RankedGallery) -> dict[str, Any]:
    """What the page's script needs to subtract the pieces of one distance from those of another."""
    every = [pieces(e) for e in r]
    said = {key: say(f"ranking.{key}") for key in _COMPARED}
    lists = {key: say(f"list.{key}") for key in ("between", "last")}
    return {
        "say": said | lists | {"point": say("number.point")},
        "words": {p.key: p.name for found in every for p in found},
        "parts": {p.key: part_name(p.part) for found in every for p in found if p.part},
        "cards": [
            {"distance": e.distance, "file": _file(e.names[1]), "pieces": {p.key: p.value for p in found}}
            for e, found in zip(r, every, strict=True)
        ],
    }
