"""The page of a pair: hover over an attribute, or choose it, to see its maps on both photographs."""

from __future__ import annotations

from html import escape

from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.report.overlay import Scale, shared_scale, tint
from torchreid_amd.explanation.report.page import map_uri, page, photo, scale_bar
from torchreid_amd.explanation.report.text import (
    distance_sentence,
    fraction_text,
    label_words,
    metric_words,
    number,
    part_heading,
    percent,
    residual_sentence,
    short_names,
)

FINE = 4  # pixels of the page's maps for one cell of the head's
LARGEST = 96  # pixels along a side of the page's maps

_STYLE = (
    ".pair{display:grid;grid-template-columns:minmax(0,5fr) minmax(0,7fr);gap:2rem;margin-top:1rem}"
    ".photos{display:grid;grid-template-columns:1fr 1fr;gap:.8rem;align-items:start}"
    ".side{position:sticky;top:1rem;align-self:start}"
    ".rest{background:#8a939c}"
    "tbody th{min-width:9.6rem}td.b{width:34%}"
    "@media (max-width:820px){.pair{grid-template-columns:minmax(0,1fr);gap:1rem}"
    ".photos{max-width:24rem}.side{position:static}}"
    "@media (max-width:640px){body{font-size:14px}th,td{padding:.14rem .2rem}td.b{width:22%}"
    "td.n{font-size:.92em}tbody th{min-width:7.2rem}}"
)
_YES = {1: "yes", 0: "no", -1: "–"}


def pair_page(e: ExplainedPair) -> str:
    """A self-contained page (HTML) of an explanation.

    Photographs and maps are inside it as data; names are escaped; a table holds every number.
    """
    order = e.order()
    scale = shared_scale(e.attention)
    maps = {k: (map_data(e, 0, k, scale), map_data(e, 1, k, scale)) for k in order}
    first = order[0]
    words = _shown(e, first)
    figures = "".join(
        f"<figure>{photo(e.images[s], f'photograph {name}', f'map-{name}', maps[first][s], words)}"
        f'<figcaption title="{escape(e.names[s])}"><strong>{name}</strong>'
        f"{'' if e.names[s] == name else ' ' + escape(short_names(e.names)[s])}"
        "</figcaption></figure>"
        for s, name in enumerate("AB")
    )
    body = (
        "<h1>What the distance of A and B is made of</h1>"
        f'<p class="lead">{escape(distance_sentence(e))} {escape(residual_sentence(e))}</p>'
        '<p class="faint">Hover over an attribute to see where the interpreter looks for it; choose it to '
        "keep it, choose it again to see the photographs alone.</p>"
        f'<div class="pair"><section class="side" aria-label="photographs"><div class="photos">{figures}'
        f'</div>{scale_bar(scale)}<p id="shown" aria-live="polite" data-idle="photographs without a map">'
        f"{escape(words)}</p></section>"
        f'<section aria-label="numbers">{_table(e, order, maps)}</section></div>'
    )
    return page(" and ".join(short_names(e.names)), body, _STYLE)


def map_data(e: ExplainedPair, side: int, k: int, scale: Scale) -> str:
    """The map of attribute k on photograph A or B, tinted, as a data URI."""
    height, width = e.attention[side].shape[1:]
    size = (min(LARGEST, FINE * height), min(LARGEST, FINE * width))
    return map_uri(tint(e.map(side, e.attributes[k], size), scale))


def map_button(
    e: ExplainedPair, k: int, uris: tuple[str, str], on: tuple[str, str], words: str, pressed: bool = False
) -> str:
    """A button with an attribute's name that shows its maps.

    Args:
        e: the explanation.
        k: position of the attribute.
        uris: its two maps.
        on: ids of the elements that show them.
        words: said while they are shown.
        pressed: whether they are shown to begin with.
    """
    return (
        f'<button type="button" aria-pressed="{str(pressed).lower()}" data-words="{escape(words)}" '
        f'data-a-on="{on[0]}" data-b-on="{on[1]}" data-a="{uris[0]}" data-b="{uris[1]}">'
        f"{escape(e.schema.say(e.attributes[k]))}</button>"
    )


def _shown(e: ExplainedPair, k: int) -> str:
    known = label_words(e, k)
    said = f"{e.schema.say(e.attributes[k])}: {fraction_text(e, k)}"
    return f"{said} ({known})" if known else said


def _table(e: ExplainedPair, order: list[int], maps: dict[int, tuple[str, str]]) -> str:
    values = [float(c) for c in e.contributions]
    rest = [] if e.remainder is None else [e.remainder]
    low, high = min(0.0, *values, *rest), max(0.0, *values, *rest)
    span = (high - low) or 1.0
    even = sum(values) / len(values)
    mark = f'<s style="left:{(even - low) / span:.2%}"></s>' if e.remainder is None else ""
    zero = f'<u style="left:{-low / span:.2%}"></u>' if low < 0 else ""
    rows = []
    for k in order:
        left = (min(values[k], 0.0) - low) / span
        place = f"left:{left:.2%};width:{abs(values[k]) / span:.2%}"
        bar = f'<b class="k{int(e.exclusive[k])}" style="{place}"></b>'
        labels = "".join(f'<td class="l">{_YES[int(side[k])]}</td>' for side in e.labels) if e.labels else ""
        button = map_button(e, k, maps[k], ("map-A", "map-B"), _shown(e, k), k == order[0])
        rows.append(
            f'<tr><th scope="row">{button}</th>{labels}<td class="b"><span class="track">{zero}{bar}'
            f"{mark}</span></td>"
            f'<td class="n">{number(values[k])}</td><td class="n">{fraction_text(e, k)}</td></tr>'
        )
    for value in rest:
        left = (min(value, 0.0) - low) / span
        bar = f'<b class="rest" style="left:{left:.2%};width:{abs(value) / span:.2%}"></b>'
        blank = '<td class="l"></td><td class="l"></td>' if e.labels else ""
        rows.append(
            f'<tr><th scope="row">shared remainder</th>{blank}<td class="b"><span class="track">{zero}{bar}'
            f'</span></td><td class="n">{number(value)}</td>'
            f'<td class="n">{percent(value / e.distance if e.distance else 0.0)}</td></tr>'
        )
    sides = '<th scope="col" class="l">A</th><th scope="col" class="l">B</th>' if e.labels else ""
    return (
        f"{_key(e)}<table><caption>Contributions to the {escape(metric_words(e.metric))}, largest first"
        f'</caption><thead><tr><th scope="col">attribute</th>{sides}<th scope="col"></th>'
        f'<th scope="col" class="n">contribution</th><th scope="col" class="n">{part_heading(e)}</th></tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _key(e: ExplainedPair) -> str:
    meaning = {1: "exclusive: the two persons differ", 0: "common: they agree", -1: "not known"}
    present = sorted({int(v) for v in e.exclusive}, reverse=True) if e.labels else []
    items = "".join(f'<li><i class="k{v}"></i>{meaning[v]}</li>' for v in present)
    if e.remainder is not None:
        return f'<ul class="key">{items}</ul>' if items else ""
    even = f"even split, {percent(1 / len(e.schema))} each"
    return f'<ul class="key">{items}<li><i class="even"></i>{even}</li></ul>'
