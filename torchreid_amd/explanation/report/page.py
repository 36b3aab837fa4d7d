"""A page from its template: one file, pictures inside it, and nothing from outside it."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from torchreid_amd.core.language import say
from torchreid_amd.explanation.report.overlay import Scale, is_signed, overlay_colours, thumbnail
from torchreid_amd.explanation.report.text import number, percent


def render(template: str, scripts: Sequence[str], **values: Any) -> str:
    """A whole HTML document that asks nothing of a network.

    Args:
        template: name of a file in ``templates/``.
        scripts: names of the files there that the page runs; its policy allows their text and no other.
        values: what the template says; text is escaped.
    """
    code = "\n".join(_TEMPLATES.get_template(name).render() for name in scripts)
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return _TEMPLATES.get_template(template).render(values, script=code, policy=policy)


def fragment(template: str, **values: Any) -> str:
    """A piece of HTML without a script, to stand in somebody else's page.

    Args:
        template: name of a file in ``templates/``.
        values: what the template says; text is escaped.
    """
    return _TEMPLATES.get_template(template).render(values)


def picture_uri(image: Image.Image, limit: int = 720) -> str:
    """A photograph as a data URI: PNG while small, else JPEG at ``limit`` pixels at most."""
    small = thumbnail(image, limit, limit)
    lossless = small.width * small.height <= 128 * 64 * 2
    return _uri(small, "PNG" if lossless else "JPEG")


def layer_uri(layer: Image.Image) -> str:
    """A layer with transparency as a data URI; the page stretches it over the photograph."""
    return _uri(layer, "PNG")


def _uri(image: Image.Image, form: str) -> str:
    data = io.BytesIO()
    image = image.copy()
    image.info.clear()  # a comment or a profile of the file it came from
    image.save(data, form, **({"quality": 92} if form == "JPEG" else {"optimize": True}))
    return f"data:image/{form.lower()};base64,{base64.b64encode(data.getvalue()).decode('ascii')}"


def _gradient(scale: Scale) -> str:
    """The colours of the maps from low to high, as stops of a CSS gradient."""
    colours = overlay_colours(is_signed(scale))(np.linspace(0, 1, 9))
    return ",".join(f"rgba({r * 255:.0f},{g * 255:.0f},{b * 255:.0f},{a:.2f})" for r, g, b, a in colours)


def _end(scale: Scale, value: float) -> str:
    """A value at an end of the colours; one that is nothing beside the other end is 0."""
    return number(0.0 if abs(value) < 1e-3 * max(abs(scale.low), abs(scale.high)) else value)


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
_TEMPLATES.globals["say"] = say
_TEMPLATES.filters.update(number=number, percent=percent, gradient=_gradient, place=_place, end=_end)
