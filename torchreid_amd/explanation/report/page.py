"""A page from its template: one file, pictures inside it, and nothing from outside it."""

from __future__ import annotations

import base64
import hashlib
import io
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from torchreid_amd.explanation.report.layout import COLOURS, FRAMES, REMAINDER
from torchreid_amd.explanation.report.overlay import Scale, is_signed, overlay_colours, thumbnail
from torchreid_amd.explanation.report.text import number


def render(template: str, script: str, **values: Any) -> str:
    """A whole HTML document that asks nothing of a network.

    Args:
        template: name of a file in ``templates/``.
        script: name of the file there that the page runs; its policy allows this text and no other.
        values: what the template says; text is escaped.
    """
    code = _TEMPLATES.get_template(script).render()
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode("ascii")
    return _TEMPLATES.get_template(template).render(
        values,
        script=code,
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'",
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


def _gradient(scale: Scale) -> str:
    """The colours of the maps from low to high, as stops of a CSS gradient."""
    colours = overlay_colours(is_signed(scale))(np.linspace(0, 1, 9))
    return ",".join(f"rgba({r * 255:.0f},{g * 255:.0f},{b * 255:.0f},{a:.2f})" for r, g, b, a in colours)


def _place(fraction: float) -> str:
    """A fraction of a bar's length in CSS."""
    return f"{fraction:.2%}"


_TEMPLATES = Environment(
    loader=PackageLoader(__package__, "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters.update(number=number, gradient=_gradient, place=_place)
_TEMPLATES.globals.update(colours=COLOURS, frames=FRAMES, remainder_colour=REMAINDER)
