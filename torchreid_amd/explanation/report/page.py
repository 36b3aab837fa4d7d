"""What every page shares: looks, script, pictures inside the page, and nothing from outside it."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np
from PIL import Image

from torchreid_amd.explanation.report.layout import COLOURS, FRAMES
from torchreid_amd.explanation.report.overlay import Scale, is_signed, overlay_colours, thumbnail
from torchreid_amd.explanation.report.text import number

STYLE = """
:root{color-scheme:light dark;--ground:#fff;--card:#f6f8f9;--ink:#1f2328;--faint:#5b656e;--line:#d5dade;
--track:#e6eaed;--exclusive:EXCLUSIVE;--common:COMMON;--unknown:UNKNOWN;--same:SAME;--other:OTHER}
@media (prefers-color-scheme:dark){:root{--ground:#14171a;--card:#1d2226;--ink:#e8ebed;--faint:#a3adb5;
--line:#3a4248;--track:#2c3338;--exclusive:#e5845f;--common:#66a9d3;--same:#55bb82;--other:#ee6a5f}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.45 system-ui,-apple-system,"Segoe UI",
Roboto,"DejaVu Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.45rem;line-height:1.2;margin:0 0 .5rem}
p{margin:.3rem 0}.lead{font-size:1.02rem}.faint,figcaption,caption{color:var(--faint);font-size:.86rem}
figure{margin:0;min-width:0}figcaption{margin-top:.3rem;overflow-wrap:anywhere}
.photo{position:relative;border:1px solid var(--line);overflow:hidden;line-height:0;background:#808080}
.photo img{width:100%;display:block}.photo .map{position:absolute;inset:0;height:100%}
.photo .map[hidden]{display:none}.photo.muted .shot{filter:grayscale(1) brightness(.85) contrast(.8)}
.scale{display:flex;gap:.5rem;align-items:center;font-size:.8rem;color:var(--faint);margin:.7rem 0 .2rem}
.scale i{flex:1;height:.7rem;border:1px solid var(--line)}
.key{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin:.6rem 0;font-size:.86rem;padding:0;list-style:none}
.key i{display:inline-block;width:.8rem;height:.8rem;margin-right:.4rem;vertical-align:-1px}
.key i.even{width:0;border-left:2px dashed var(--ink);border-radius:0;margin:0 .8rem 0 .4rem}
table{border-collapse:collapse;width:100%}caption{text-align:left;padding-bottom:.3rem}
th,td{padding:.16rem .35rem;text-align:left;font-weight:400;vertical-align:middle}
thead th{font-size:.8rem;color:var(--faint);border-bottom:1px solid var(--line)}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.l,th.l{text-align:center;font-size:.8rem;color:var(--faint)}
td.b{width:38%;min-width:2.5rem;padding:0 .35rem}
button{font:inherit;color:inherit;background:none;border:0;border-radius:4px;padding:.1rem .35rem;
margin-left:-.35rem;text-align:left;cursor:pointer;overflow-wrap:break-word;max-width:24rem}
button:hover{background:var(--track)}button:focus-visible{outline:2px solid var(--common)}
button[aria-pressed=true]{background:var(--track);font-weight:600}
.track{position:relative;display:block;height:.85rem}
.track.full{background:var(--track);height:.4rem}
.track b{position:absolute;top:0;bottom:0;min-width:1px;background:var(--unknown)}
.track .k1,.key .k1{background:var(--exclusive)}.track .k0,.key .k0{background:var(--common)}
.key .k-1{background:var(--unknown)}
.track s{position:absolute;top:-.5rem;bottom:-.5rem;border-left:2px dashed var(--ink);opacity:.65}
.track u{position:absolute;top:-.5rem;bottom:-.5rem;border-left:1px solid var(--line)}
""".replace("\n", "")

SCRIPT = """
(()=>{let pinned=document.querySelector('button[aria-pressed=true]');
const status=document.getElementById('shown'),idle=status?status.dataset.idle:'';
function show(b){document.querySelectorAll('.map').forEach(m=>{m.hidden=true;
m.parentNode.classList.remove('muted')});
if(b)for(const side of ['a','b']){const m=document.getElementById(b.dataset[side+'On']);
m.src=b.dataset[side];m.alt='attention map of '+b.dataset.words;m.hidden=false;
m.parentNode.classList.add('muted')}
if(status)status.textContent=b?b.dataset.words:idle}
document.querySelectorAll('button[data-a]').forEach(b=>{
for(const e of ['mouseenter','focus'])b.addEventListener(e,()=>show(b));
for(const e of ['mouseleave','blur'])b.addEventListener(e,()=>show(pinned));
b.addEventListener('click',()=>{if(pinned)pinned.setAttribute('aria-pressed','false');
pinned=pinned===b?null:b;if(pinned)b.setAttribute('aria-pressed','true');show(pinned)})})})();
""".replace("\n", "")

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def page(title: str, body: str, style: str = "") -> str:
    """A whole HTML document that asks nothing of a network.

    Args:
        title: plain text; it is escaped.
        body: HTML.
        style: CSS beside the shared one.
    """
    look = STYLE
    for word, colour in (
        ("EXCLUSIVE", COLOURS[1]),
        ("COMMON", COLOURS[0]),
        ("UNKNOWN", COLOURS[-1]),
        ("SAME", FRAMES[True]),
        ("OTHER", FRAMES[False]),
    ):
        look = look.replace(word, colour, 1)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{escape(title)}</title>\n<style>{look}{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def picture_uri(image: Image.Image, limit: int = 720) -> str:
    """A photograph as a data URI: PNG while small, else JPEG at ``limit`` pixels at most."""
    small = thumbnail(image, limit, limit)
    lossless = small.width * small.height <= 128 * 64 * 2
    return _uri(small, "PNG" if lossless else "JPEG")


def map_uri(tinted: Image.Image) -> str:
    """A tinted map (RGBA) as a data URI; the page stretches it over the photograph."""
    return _uri(tinted, "PNG")


def _uri(image: Image.Image, form: str) -> str:
    data = io.BytesIO()
    image.save(data, form, **({"quality": 92} if form == "JPEG" else {"optimize": True}))
    return f"data:image/{form.lower()};base64,{base64.b64encode(data.getvalue()).decode('ascii')}"


def photo(image: Image.Image, alt: str, identifier: str, shown: str = "", words: str = "") -> str:
    """A photograph with room for a map over it.

    Args:
        image: the photograph.
        alt: what it is, for those who do not see it.
        identifier: id of the map's element.
        shown: data URI of the map to begin with; none if empty.
        words: what that map is.
    """
    state = f'src="{shown}" alt="attention map of {escape(words)}"' if shown else 'alt="" hidden'
    return (
        f'<div class="photo{" muted" if shown else ""}">'
        f'<img class="shot" src="{picture_uri(image)}" alt="{escape(alt)}">'
        f'<img class="map" id="{identifier}" {state}></div>'
    )


def scale_bar(scale: Scale) -> str:
    """The colours of the maps and the values at their ends."""
    colours = overlay_colours(is_signed(scale))(np.linspace(0, 1, 9))
    stops = ",".join(f"rgba({r * 255:.0f},{g * 255:.0f},{b * 255:.0f},{a:.2f})" for r, g, b, a in colours)
    return (
        f'<div class="scale"><span>{number(scale.low)}</span><i role="img" aria-label="colour scale of the '
        f'maps, low to high" style="background:linear-gradient(90deg,{stops}),#a5a5a5"></i>'
        f"<span>{number(scale.high)}</span></div>"
    )
