"""The page of a pair: one sentence, what the distance is made of, and where that is on the photographs."""

from __future__ import annotations

import json
from typing import Any

from torchreid_amd.account.account import ERROR
from torchreid_amd.core.language import say
from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.report.bar import bar_of
from torchreid_amd.explanation.report.layers import layer
from torchreid_amd.explanation.report.layout import MEANING
from torchreid_amd.explanation.report.lead import lead
from torchreid_amd.explanation.report.overlay import Scale, shared_scale
from torchreid_amd.explanation.report.page import picture_uri, render
from torchreid_amd.explanation.report.pieces import region_name
from torchreid_amd.explanation.report.text import (
    distance_sentence,
    fraction,
    fraction_text,
    label_words,
    made_by_words,
    number,
    part_heading,
    percent,
    residual_sentence,
    short_names,
    shown_name,
    threshold_sentence,
)

TINY = 0.001  #: attributes that make up less are named together in the table
_YES = {1: "label.yes", 0: "label.no", -1: "label.unknown"}


def pair_page(e: ExplainedPair) -> str:
    """A self-contained page (HTML) of an explanation.

    Photographs, maps and regions are inside it as data; names are escaped; every number can be copied.
    """
    scale = shared_scale(e.attention) if len(e.schema) else Scale(0.0, 1.0)
    bar = bar_of(e)
    regions = [] if e.account is None else [region_name(part) for part in e.account.parts]
    maps = [f"map-{k}" for k in range(len(e.schema))]
    short = short_names(e.names)
    return render(
        "pair.html",
        ("page.js",),
        tab=say("page.tab", a=short[0], b=short[1]),
        title=say("page.apart", number=number(e.distance)) if e.distance else say("page.same"),
        lead=lead(e),
        distance=distance_sentence(e),
        sides=[
            {
                "letter": letter,
                "name": shown_name(e.names[s]),
                "short": short[s],
                "picture": picture_uri(e.images[s]),
                "layers": {name: layer(e, s, name, scale) for name in [*regions, *maps]},
            }
            for s, letter in enumerate("AB")
        ],
        bar=bar,
        error=f"{100 * ERROR:.0f}" if e.account is not None and e.distance else "",
        threshold=threshold_sentence(e),
        mark=e.threshold / e.distance * bar["distance"] if e.threshold and e.distance else 0.0,
        made_by=made_by_words(e),
        scale=scale,
        table=_table(e),
        numbers=json.dumps(e.to_dict(), indent=1, ensure_ascii=False),
    )


def _table(e: ExplainedPair) -> dict[str, Any]:
    """The head's contributions, largest first, and where on their bars 0 and an even split lie."""
    values = [float(c) for c in e.contributions]
    rest = [] if e.remainder is None else [e.remainder]
    low, high = min(0.0, *values, *rest), max(0.0, *values, *rest)
    span = (high - low) or 1.0

    def row(name: str, value: float, share: str, look: str) -> dict[str, Any]:
        left = (min(value, 0.0) - low) / span
        width = abs(value) / span
        return {"name": name, "value": value, "share": share, "look": look, "left": left, "width": width}

    rows, tiny = [], []
    for k in e.order():
        name = e.schema.say(e.attributes[k])
        if abs(fraction(e, k)) < TINY:
            tiny.append(name)
            continue
        known = label_words(e, k)
        said = f"{name}: {fraction_text(e, k)}" + (f" ({known})" if known else "")
        labels = [say(_YES[int(side[k])]) for side in e.labels or ()]
        drawn = row(name, values[k], fraction_text(e, k), f"k{int(e.exclusive[k])}")
        rows.append({**drawn, "layer": f"map-{k}", "said": said, "labels": labels})
    for value in rest:
        share = percent(value / e.distance if e.distance else 0.0)
        drawn = row(say("piece.remainder_row"), value, share, "rest")
        rows.append({**drawn, "layer": "", "labels": ["", ""]})
    even = (sum(values) / len(values) - low) / span if e.remainder is None else None
    return {
        "rows": rows,
        "tiny": tiny,
        "least": percent(TINY),
        "count": len(e.schema),
        "zero": -low / span if low < 0 else None,
        "even": even,
        "caption": say(f"metric.{e.metric}.all"),
        "heading": part_heading(e),
        "labelled": e.labels is not None,
        "key": _key(e),
        "rest": residual_sentence(e),
    }


def _key(e: ExplainedPair) -> list[dict[str, str]]:
    present = sorted({int(v) for v in e.exclusive}, reverse=True) if e.labels else []
    items = [{"look": f"k{v}", "words": say(MEANING[v])} for v in present]
    if e.remainder is None:
        items.append({"look": "even", "words": say("meaning.even", share=percent(1 / len(e.schema)))})
    return items
