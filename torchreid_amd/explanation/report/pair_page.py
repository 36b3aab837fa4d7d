"""The page of a pair: hover over an attribute, or choose it, to see its maps on both photographs."""

from __future__ import annotations

from typing import Any

from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.report.layout import MEANING
from torchreid_amd.explanation.report.overlay import Scale, shared_scale, tint
from torchreid_amd.explanation.report.page import map_uri, picture_uri, render
from torchreid_amd.explanation.report.text import (
    distance_sentence,
    fraction_text,
    label_words,
    metric_words,
    part_heading,
    percent,
    residual_sentence,
    short_names,
)

FINE = 4  # pixels of the page's maps for one cell of the head's
LARGEST = 96  # pixels along a side of the page's maps
_YES = {1: "yes", 0: "no", -1: "–"}


def pair_page(e: ExplainedPair) -> str:
    """A self-contained page (HTML) of an explanation.

    Photographs and maps are inside it as data; names are escaped; a table holds every number.
    """
    order = e.order()
    scale = shared_scale(e.attention)
    maps = {k: map_data(e, k, scale) for k in order}
    return render(
        "pair.html",
        "page.js",
        title=" and ".join(short_names(e.names)),
        distance=distance_sentence(e),
        rest=residual_sentence(e),
        sides=[
            {
                "letter": letter,
                "name": e.names[s],
                "short": short_names(e.names)[s],
                "picture": picture_uri(e.images[s]),
                "map": maps[order[0]][s],
            }
            for s, letter in enumerate("AB")
        ],
        shown=_shown(e, order[0]),
        scale=scale,
        metric=metric_words(e.metric),
        heading=part_heading(e),
        labelled=e.labels is not None,
        key=_key(e),
        **_bars(e, order, maps),
    )


def map_data(e: ExplainedPair, k: int, scale: Scale) -> tuple[str, str]:
    """The maps of attribute k on photographs A and B, tinted, as data URIs."""
    height, width = e.attention[0].shape[1:]
    size = (min(LARGEST, FINE * height), min(LARGEST, FINE * width))
    a, b = (map_uri(tint(e.map(side, e.attributes[k], size), scale)) for side in (0, 1))
    return a, b


def map_button(
    e: ExplainedPair, k: int, maps: tuple[str, str], on: tuple[str, str], said: str, pressed: bool = False
) -> dict[str, Any]:
    """What the template needs for a button with an attribute's name that shows its maps.

    Args:
        e: the explanation.
        k: position of the attribute.
        maps: its two maps, as data URIs.
        on: ids of the elements that show them.
        said: said while they are shown.
        pressed: whether they are shown to begin with.
    """
    name = e.schema.say(e.attributes[k])
    return {"name": name, "maps": maps, "on": on, "said": said, "pressed": pressed}


def _shown(e: ExplainedPair, k: int) -> str:
    known = label_words(e, k)
    said = f"{e.schema.say(e.attributes[k])}: {fraction_text(e, k)}"
    return f"{said} ({known})" if known else said


def _bars(e: ExplainedPair, order: list[int], maps: dict[int, tuple[str, str]]) -> dict[str, Any]:
    """Rows of the table, and where on their bars 0 and an even split lie (None: not shown)."""
    values = [float(c) for c in e.contributions]
    rest = [] if e.remainder is None else [e.remainder]
    low, high = min(0.0, *values, *rest), max(0.0, *values, *rest)
    span = (high - low) or 1.0

    def row(value: float, share: str, mark: str) -> dict[str, Any]:
        left = (min(value, 0.0) - low) / span
        return {"value": value, "share": share, "mark": mark, "left": left, "width": abs(value) / span}

    rows = []
    for k in order:
        button = map_button(e, k, maps[k], ("map-A", "map-B"), _shown(e, k), k == order[0])
        labels = [_YES[int(side[k])] for side in e.labels or ()]
        said = row(values[k], fraction_text(e, k), f"k{int(e.exclusive[k])}")
        rows.append({**said, "button": button, "labels": labels})
    for value in rest:
        said = row(value, percent(value / e.distance if e.distance else 0.0), "rest")
        rows.append({**said, "button": None, "name": "shared remainder", "labels": ["", ""]})
    even = (sum(values) / len(values) - low) / span if e.remainder is None else None
    return {"rows": rows, "zero": -low / span if low < 0 else None, "even": even}


def _key(e: ExplainedPair) -> list[dict[str, str]]:
    present = sorted({int(v) for v in e.exclusive}, reverse=True) if e.labels else []
    items = [{"mark": f"k{v}", "words": MEANING[v]} for v in present]
    if e.remainder is None:
        items.append({"mark": "even", "words": f"even split, {percent(1 / len(e.schema))} each"})
    return items
