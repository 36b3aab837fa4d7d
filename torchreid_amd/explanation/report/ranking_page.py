"""The page of a ranking: a card for each photograph, with what makes it different."""

from __future__ import annotations

from html import escape
from pathlib import Path

from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.ranking import RankedGallery
from torchreid_amd.explanation.report.overlay import Scale, shared_scale
from torchreid_amd.explanation.report.page import page, photo, scale_bar
from torchreid_amd.explanation.report.pair_page import map_button, map_data
from torchreid_amd.explanation.report.text import (
    fraction,
    fraction_text,
    match_words,
    metric_words,
    number,
    part_heading,
    parts_sentence,
    residual_sentence,
)

_STYLE = (
    ".ranking{display:grid;grid-template-columns:12.5rem minmax(0,1fr);gap:1.5rem;margin-top:1rem}"
    ".name{overflow-wrap:anywhere}.query{position:sticky;top:1rem;align-self:start}"
    ".cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(11.5rem,1fr));gap:1rem;padding:0;"
    "margin:0;list-style:none;align-items:start}"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.6rem}"
    ".card header{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 .4rem;margin-bottom:.4rem}"
    ".card .photo{border:4px solid var(--unknown);max-width:9rem;margin:0 auto}"
    ".card.same .photo{border-color:var(--same)}.card.other .photo{border-color:var(--other)}"
    ".card.same em{color:var(--same)}.card.other em{color:var(--other)}"
    ".card em{font-style:normal;font-weight:600;font-size:.86rem;white-space:nowrap}"
    ".card figcaption{font-size:.76rem;text-align:center}"
    ".card ol{list-style:none;padding:0;margin:.5rem 0}.card li{margin:.3rem 0;font-size:.9rem}"
    ".row{display:flex;justify-content:space-between;gap:.3rem;margin-bottom:.15rem}"
    ".row span,.card header span{white-space:nowrap}"
    "details{font-size:.84rem}summary{cursor:pointer;color:var(--faint)}"
    "@media (max-width:640px){.ranking{grid-template-columns:minmax(0,1fr);gap:1rem}"
    ".query{z-index:1;background:var(--ground);padding:.3rem 0;display:grid;"
    "grid-template-columns:4.5rem minmax(0,1fr);gap:0 .8rem;top:0}"
    ".cards{grid-template-columns:repeat(auto-fill,minmax(8.5rem,1fr));gap:.6rem}}"
)


def ranking_page(r: RankedGallery, top: int = 3) -> str:
    """A self-contained page (HTML) of a ranking.

    Args:
        r: the ranking.
        top: attributes named on each card; a fold-out table holds all of them.
    """
    scale = shared_scale(m[e.order()[: max(top, 1)]] for e in r for m in e.attention)
    reach = max((abs(fraction(e, k)) for e in r for k in range(len(e.schema))), default=1.0)
    cards = "".join(
        _card(e, n, same, scale, top, reach) for n, (e, same) in enumerate(zip(r, r.matches, strict=True), 1)
    )
    idle = "Hover over an attribute, or choose it, to see its maps here and on its card."
    body = (
        "<h1>Who is nearest, and what makes them different</h1>"
        f'<p class="lead">The nearest {len(r)} of {len(r.distances)}, by {escape(metric_words(r.metric))}. '
        f"Percentages are {parts_sentence(r)}.</p>{_key(r)}"
        '<div class="ranking"><section class="query" aria-label="query"><figure>'
        f"{photo(r.query, 'query photograph', 'map-query')}</figure><div>"
        f'<p class="faint name"><strong>query</strong> {escape(_file(r.query_name, "query"))}</p>'
        f'{scale_bar(scale)}<p id="shown" class="faint" aria-live="polite" data-idle="{idle}">{idle}</p>'
        f'</div></section><ol class="cards">{cards}</ol></div>'
    )
    return page(f"ranking of {r.query_name}", body, _STYLE)


def _file(name: str, nothing: str = "") -> str:
    return "" if name == nothing else Path(name).name


def _card(e: ExplainedPair, rank: int, same: bool | None, scale: Scale, top: int, reach: float) -> str:
    order, on = e.order(), ("map-query", f"map-{rank}")
    items = []
    for k in order[:top]:
        said = f"rank {rank}, {e.schema.say(e.attributes[k])}: {fraction_text(e, k)}"
        button = map_button(e, k, (map_data(e, 0, k, scale), map_data(e, 1, k, scale)), on, said)
        width = abs(fraction(e, k)) / reach if reach > 0 else 0.0
        items.append(
            f'<li><div class="row">{button}<span>{fraction_text(e, k)}</span></div><span class="track full">'
            f'<b class="k{int(e.exclusive[k])}" style="left:0;width:{width:.2%}"></b></span></li>'
        )
    rows = "".join(
        f'<tr><th scope="row">{escape(e.schema.say(e.attributes[k]))}</th>'
        f'<td class="n">{number(float(e.contributions[k]))}</td>'
        f'<td class="n">{fraction_text(e, k)}</td></tr>'
        for k in order
    )
    kind = {True: " same", False: " other", None: ""}[same]
    badge = f'<em title="{match_words(same)}">{"✓ same" if same else "✗ different"}</em>'
    return (
        f'<li class="card{kind}"><header><span>{rank}. <strong>{number(e.distance)}</strong></span>{badge}'
        f"</header><figure>{photo(e.images[1], f'gallery photograph at rank {rank}', on[1])}"
        f'<figcaption title="{escape(e.names[1])}">{escape(_file(e.names[1]))}</figcaption></figure>'
        f"<ol>{''.join(items)}</ol><details><summary>all {len(order)} attributes</summary>"
        f"<p>{escape(residual_sentence(e))}</p><table><thead><tr>"
        '<th scope="col">attribute</th><th scope="col" class="n">adds</th>'
        f'<th scope="col" class="n">{part_heading(e)}</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></details></li>"
    )


def _key(r: RankedGallery) -> str:
    words = {1: "attribute differs", 0: "attribute in common", -1: "not known"}
    present = sorted({int(v) for e in r for v in e.exclusive}, reverse=True)
    if present in ([], [-1]):
        return ""
    items = "".join(f'<li><i class="k{v}"></i>{words[v]}</li>' for v in present)
    return f'<ul class="key">{items}</ul>'
