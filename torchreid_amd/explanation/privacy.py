"""Explanations that can be shown around: photographs without faces, and without the names of files.

Both are done to the data, before anything is written, so that nothing of either is in any file.
"""

from __future__ import annotations

import dataclasses
from typing import TypeVar

import numpy as np
from PIL import Image

from torchreid_amd.attributes.parts import HEAD
from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.ranking import RankedGallery

BAND = 0.25  #: of the height, from the top: at least this much is blurred
MARGIN = 0.04  #: of the height, below a head that was found
CELLS = 4  #: squares of one colour across the width that are left of what is blurred

Pair = TypeVar("Pair", bound=ExplainedPair)
Gallery = TypeVar("Gallery", bound=RankedGallery)


def pair_without_heads(e: Pair) -> Pair:
    """The explanation with blurred heads."""
    a, b = (_blurred(image, _band(e, side)) for side, image in enumerate(e.images))
    return dataclasses.replace(e, images=(a, b))


def ranking_without_heads(r: Gallery) -> Gallery:
    """The ranking with blurred heads: of the query and of all explained photographs."""
    explained = tuple(pair_without_heads(e) for e in r.explanations)
    band = max((_band(e, 0) for e in r.explanations), default=BAND)
    return dataclasses.replace(r, query=_blurred(r.query, band), explanations=explained)


def pair_without_names(e: Pair, names: tuple[str, str] = ("A", "B")) -> Pair:
    """The explanation without file names: photographs are called by ``names``, and the run by nothing."""
    kept = {key: value for key, value in e.made_by.items() if key != "run"}
    return dataclasses.replace(e, names=names, made_by=kept)


def ranking_without_names(r: Gallery) -> Gallery:
    """The ranking without file names: the query, and gallery photographs by their number."""
    names = tuple(f"gallery {n}" for n in range(1, len(r.gallery_names) + 1))
    explained = tuple(
        pair_without_names(e, ("query", names[i])) for e, i in zip(r.explanations, r.order, strict=False)
    )
    return dataclasses.replace(r, query_name="query", gallery_names=names, explanations=explained)


def _band(e: ExplainedPair, side: int) -> float:
    """How much of the height is blurred: a head that was found, and the usual place of one in any case."""
    if e.account is None or HEAD not in e.account.parts:
        return BAND
    rows = np.flatnonzero(e.account.region(side, HEAD).mean(1) > 0.02)
    lowest = (rows[-1] + 1) / e.account.regions[side].shape[0] + MARGIN if rows.size else 0.0
    return min(1.0, max(BAND, float(lowest)))


def _blurred(image: Image.Image, band: float) -> Image.Image:
    """The upper ``band`` of a photograph as a few smooth colours; nothing finer is left."""
    height = min(image.height, max(1, round(band * image.height)))
    box = (0, 0, image.width, height)
    cells = max(1, round(CELLS * height / image.width))
    coarse = image.crop(box).resize((min(CELLS, image.width), cells), Image.Resampling.BOX)
    result = image.copy()
    result.info.clear()
    result.paste(coarse.resize((image.width, height), Image.Resampling.BICUBIC), box)
    return result
