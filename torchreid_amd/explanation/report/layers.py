"""What a page lays over a photograph: an attention map in colours, or a light on a region."""

from __future__ import annotations

import numpy as np
from PIL import Image

from torchreid_amd.attributes.parts import PARTS
from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.report.overlay import Scale, tint
from torchreid_amd.explanation.report.page import layer_uri
from torchreid_amd.interpreter.maps import Floats, array_at_size

FINE = 4  # pixels of the page's maps for one cell of the head's
LARGEST = 96  # pixels along a side of the page's maps
REGION_HEIGHT = 256  # pixels
SHADE = 0.7  # how dark the rest of a photograph becomes


def layer(e: ExplainedPair, side: int, name: str, scale: Scale) -> str:
    """A layer by the name that pieces give it: ``map-13`` of an attribute, ``region-2`` of a part."""
    kind, number = name.split("-")
    if kind == "map":
        return map_layer(e, side, int(number), scale)
    if e.account is None:
        raise ValueError(f"{name} without an account")
    region = e.account.region(side, PARTS[int(number)]).astype(np.float32)
    return region_layer(region, e.images[side])


def map_layer(e: ExplainedPair, side: int, k: int, scale: Scale) -> str:
    """The map of attribute k on photograph A (side 0) or B (side 1), tinted, as a data URI."""
    height, width = e.attention[side].shape[1:]
    size = (min(LARGEST, FINE * height), min(LARGEST, FINE * width))
    return layer_uri(tint(e.map(side, e.attributes[k], size), scale))


def region_layer(region: Floats, image: Image.Image) -> str:
    """A shade over everything but a region, and a light line around it, as a data URI.

    Args:
        region: (h, w) in [0, 1]: how much of each cell belongs to it, evenly over the photograph.
        image: the photograph, for its shape.
    """
    width = max(1, round(REGION_HEIGHT * image.width / image.height))
    inside = np.clip(array_at_size(region[None], (REGION_HEIGHT, width))[0], 0, 1)
    half = np.pad(inside >= 0.5, 1, mode="edge")
    core = half[1:-1, 1:-1]
    eroded = core & half[:-2, 1:-1] & half[2:, 1:-1] & half[1:-1, :-2] & half[1:-1, 2:]
    line = core & ~eroded
    shade = np.where(core, 0, SHADE * (1 - inside))
    pixels = np.stack([np.where(line, 255, 12), np.where(line, 255, np.round(16 * shade) * (255 / 16))], -1)
    return layer_uri(Image.fromarray(pixels.astype(np.uint8), "LA"))
