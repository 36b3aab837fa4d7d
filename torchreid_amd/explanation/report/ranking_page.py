"""The page of a ranking: a card for each photograph, with what makes it different."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.ranking import RankedGallery
from torchreid_amd.explanation.report.overlay import Scale, shared_scale
from torchreid_amd.explanation.report.page import picture_uri, render
from torchreid_amd.explanation.report.pair_page import map_button, map_data
from torchreid_amd.explanation.report.text import (
    fraction,
    fraction_text,
    match_words,
    metric_words,
    part_heading,
    parts_sentence,
    residual_sentence,
)

_KEY = {1: "attribute differs", 0: "attribute in common", -1: "not known"}


def ranking_page(r: RankedGallery, top: int = 3) -> str:
    """A self-contained page (HTML) of a ranking.

    Args:
        r: the ranking.
        top: attributes named on each card; a fold-out table holds all of them.
    """
    scale = shared_scale(m[e.order()[: max(top, 1)]] for e in r for m in e.attention)
    reach = max((abs(fraction(e, k)) for e in r for k in range(len(e.schema))), default=1.0)
    known = zip(r, r.matches, strict=True)
    return render(
        "ranking.html",
        "page.js",
        title=f"ranking of {r.query_name}",
        cards=[_card(e, n, same, scale, top, reach) for n, (e, same) in enumerate(known, 1)],
        gallery=len(r.distances),
        metric=metric_words(r.metric),
        percentages=parts_sentence(r),
        key=_key(r),
        query={"picture": picture_uri(r.query), "file": _file(r.query_name, "query")},
        scale=scale,
    )


def _file(name: str, nothing: str = "") -> str:
    return "" if name == nothing else Path(name).name


def _card(
    e: ExplainedPair, rank: int, same: bool | None, scale: Scale, top: int, reach: float
) -> dict[str, Any]:
    order, on = e.order(), ("map-query", f"map-{rank}")

    def item(k: int) -> dict[str, Any]:
        said = f"rank {rank}, {e.schema.say(e.attributes[k])}: {fraction_text(e, k)}"
        return {
            "button": map_button(e, k, map_data(e, k, scale), on, said),
            "share": fraction_text(e, k),
            "mark": f"k{int(e.exclusive[k])}",
            "width": abs(fraction(e, k)) / reach if reach > 0 else 0.0,
        }

    def row(k: int) -> dict[str, Any]:
        name = e.schema.say(e.attributes[k])
        return {"name": name, "value": float(e.contributions[k]), "share": fraction_text(e, k)}

    return {
        "rank": rank,
        "same": same,
        "match": match_words(same),
        "distance": e.distance,
        "picture": picture_uri(e.images[1]),
        "name": e.names[1],
        "file": _file(e.names[1]),
        "top": [item(k) for k in order[:top]],
        "rows": [row(k) for k in order],
        "rest": residual_sentence(e),
        "heading": part_heading(e),
    }


def _key(r: RankedGallery) -> list[dict[str, str]]:
    present = sorted({int(v) for e in r for v in e.exclusive}, reverse=True)
    return [] if present in ([], [-1]) else [{"mark": f"k{v}", "words": _KEY[v]} for v in present]
