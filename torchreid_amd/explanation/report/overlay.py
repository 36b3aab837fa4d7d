"""Attention maps as colours over a photograph, on one scale for everything shown together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import ListedColormap
from numpy.typing import NDArray
from PIL import Image

from torchreid_amd.interpreter.maps import Floats

LEAST_SPAN = 0.2


@dataclass(frozen=True)
class Scale:
    """The map values at the two ends of the colours."""

    low: float
    high: float

    def unit(self, values: Floats) -> Floats:
        """Map values in [0, 1] of the scale."""
        span = self.high - self.low
        return np.clip((values - self.low) / span, 0, 1) if span else np.full_like(values, 0.5)


def shared_scale(maps: Iterable[Floats]) -> Scale:
    """One scale for all these maps: from the least to the greatest value.

    Where maps have values of both signs, 0 is in the middle. Maps that are nearly flat get a scale
    a fifth as wide as their values are large, so that their noise does not look like a finding.
    """
    ends = [(float(m.min()), float(m.max())) for m in maps]
    low, high = min(e[0] for e in ends), max(e[1] for e in ends)
    if low < 0 < high:
        high = max(-low, high)
        return Scale(-high, high)
    lacking = LEAST_SPAN * max(abs(low), abs(high)) - (high - low)
    return Scale(low - max(lacking, 0) / 2, high + max(lacking, 0) / 2)


@lru_cache(maxsize=2)
def overlay_colours(signed: bool = False) -> ListedColormap:
    """256 colours with transparency: nothing where the map is low, strong colour where it is high.

    Args:
        signed: blue for negative, nothing around 0, red for positive.
    """
    ramp = np.linspace(0, 1, 256)
    if signed:
        colours = colormaps["coolwarm"](ramp)
        colours[:, 3] = 0.68 * np.abs(2 * ramp - 1)
    else:
        colours = colormaps["plasma"](ramp)
        colours[:, 3] = 0.68 * ramp
    return ListedColormap(colours, name="attention")


def is_signed(scale: Scale) -> bool:
    """Whether a scale has 0 inside."""
    return scale.low < 0 < scale.high


def tint(values: Floats, scale: Scale) -> Image.Image:
    """A map (H, W) as an RGBA image to lay over the photograph."""
    colours: NDArray[np.uint8] = overlay_colours(is_signed(scale))(scale.unit(values), bytes=True)
    return Image.fromarray(colours)


def thumbnail(image: Image.Image, height: int, width: int) -> Image.Image:
    """The photograph made small enough for height × width pixels; a smaller one stays as it is."""
    factor = min(height / image.height, width / image.width)
    if factor >= 1:
        return image
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.LANCZOS)


def muted(image: Image.Image) -> Image.Image:
    """A grey, slightly brightened photograph, so that the colours over it are the map's own."""
    grey = np.asarray(image.convert("L"), dtype=np.float32)
    return Image.fromarray((40 + grey * (215 / 255)).astype(np.uint8)).convert("RGB")
