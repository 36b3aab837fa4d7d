"""Colour words of Market-1501 as ranges of cloth colours (sRGB, 0–1)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

#: anchors of each colour word; a garment is a mixture of two of them, a little lighter or darker
ANCHORS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "black": ((26, 26, 29), (40, 38, 41), (30, 32, 42)),
    "blue": ((38, 64, 146), (62, 112, 196), (34, 48, 116), (96, 152, 218)),
    "brown": ((98, 64, 40), (124, 86, 54), (82, 54, 38), (142, 104, 66)),
    "gray": ((118, 118, 121), (146, 147, 151), (98, 99, 104)),
    "green": ((42, 116, 62), (84, 142, 66), (30, 92, 66), (116, 180, 100)),
    "orange": ((228, 116, 36), (214, 96, 34)),
    "pink": ((232, 136, 168), (240, 166, 190), (220, 104, 148)),
    "purple": ((98, 56, 140), (136, 84, 172), (84, 44, 104)),
    "red": ((182, 30, 40), (206, 48, 58), (150, 22, 40)),
    "white": ((236, 236, 234), (246, 243, 238), (224, 227, 232)),
    "yellow": ((230, 198, 48), (240, 216, 88), (216, 180, 40)),
}

#: what a garment without any of the annotated colours has
OUTSIDE = {"up": ("orange", "brown", "pink"), "down": ("red", "orange")}


def _colours(*rows: tuple[int, int, int]) -> Array:
    return (np.array(rows) / 255).astype(np.float32)


SKIN = _colours(
    (241, 205, 180), (229, 188, 158), (214, 168, 136), (196, 146, 112), (158, 110, 80), (112, 76, 56)
)  # fmt: skip
HAIR = _colours(
    (24, 21, 21), (34, 27, 25), (52, 38, 30), (82, 56, 38), (122, 86, 52), (186, 154, 104), (128, 126, 126)
)  # fmt: skip


def shade(name: str, mix: float, which: float, light: float) -> Array:
    """One colour out of a colour word.

    Args:
        name: a key of :data:`ANCHORS`.
        mix: 0–1, how far from the first towards the second of two neighbouring anchors.
        which: 0–1, chooses the pair.
        light: −1 (darker) to 1 (lighter).

    Returns:
        ``(3,)`` red, green, blue between 0 and 1.
    """
    anchors = np.array(ANCHORS[name], np.float32) / 255
    first = int(which * len(anchors)) % len(anchors)
    colour = anchors[first] * (1 - mix) + anchors[(first + 1) % len(anchors)] * mix
    return np.clip(colour * (1 + 0.10 * light), 0, 1).astype(np.float32)
