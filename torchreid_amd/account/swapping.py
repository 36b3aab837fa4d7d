"""Photographs of A with parts of B: what a distance is asked about.

A player is a part of a person, or the colour of a garment, or all of the garment but its colour, or the
rest of the picture. A part that is swapped looks as on the other photograph and keeps the place it has on
this one: pixels of B's part are scaled into the outline of A's. The rest, when it is swapped,
brings pose, light and background with it: it is the other photograph, on which then the parts that are
*not* swapped look as on this one. So nobody swapped is photograph A, everybody photograph B, and all
between are pictures of somebody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from torchreid_amd.attributes.parts import PARTS, REST

COLOUR, OTHER = "colour", "all but the colour"
LEAST = 0.001  #: share of a photograph below which a part counts as missing there
_CONTRAST = 2.0  #: a swapped colour makes a garment at most that many times richer in contrast, or poorer

Pixels = NDArray[np.uint8]
Regions = NDArray[np.int8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Player:
    """What is swapped as one.

    Attributes:
        part: one of :data:`~torchreid_amd.attributes.parts.PARTS`.
        aspect: all of it where empty, else :data:`COLOUR` or :data:`OTHER`.
    """

    part: str
    aspect: str = ""


def players_of(parts: Iterable[str], colours: Iterable[str] = ()) -> tuple[Player, ...]:
    """A player for each part, two where its colour counts on its own; the rest comes last."""
    coloured = set(colours)
    found = [
        Player(part, aspect)
        for part in parts
        if part != REST
        for aspect in ((COLOUR, OTHER) if part in coloured else ("",))
    ]
    return (*found, Player(REST))


class Swaps:
    """Two photographs whose players can be swapped.

    Args:
        a, b: (H, W, 3) RGB.
        parts_a, parts_b: (H, W) positions in PARTS, which part each pixel shows.
        players: the rest last, as :func:`players_of` gives them.
    """

    def __init__(
        self, a: Pixels, b: Pixels, parts_a: Regions, parts_b: Regions, players: Sequence[Player]
    ) -> None:
        self.players = tuple(players)
        self._photographs = (a, b)
        self._layers = (
            _layers(b, parts_b, a, parts_a, self.players),
            _layers(a, parts_a, b, parts_b, self.players),
        )

    def picture(self, side: int, coalition: int) -> Pixels:
        """One photograph with some players of the other one.

        Args:
            side: 0 is A with players of B, 1 is B with players of A.
            coalition: bit k says whether player k is swapped.
        """
        base = side ^ self._turned(coalition)
        picture, layers = self._photographs[base].copy(), self._layers[base]
        for part, aspects in self._chosen(side, coalition).items():
            mask, looks = layers[part]
            picture[mask] = looks[aspects]
        return picture

    def key(self, side: int, coalition: int) -> tuple[int, tuple[tuple[str, int], ...]]:
        """Equal for coalitions that give the same picture, because players are missing."""
        return side ^ self._turned(coalition), tuple(sorted(self._chosen(side, coalition).items()))

    def _turned(self, coalition: int) -> int:
        """Whether the rest is swapped: then the other photograph is painted on."""
        return coalition >> (len(self.players) - 1) & 1

    def _chosen(self, side: int, coalition: int) -> dict[str, int]:
        """Parts that look as on the other photograph, each with which of its aspects (bits) do."""
        turned = self._turned(coalition)
        layers, found = self._layers[side ^ turned], dict[str, int]()
        for k, player in enumerate(self.players[:-1]):
            if (coalition >> k & 1) != turned and player.part in layers:
                found[player.part] = found.get(player.part, 0) | _BITS[player.aspect]
        return found


_BITS = {"": 3, COLOUR: 1, OTHER: 2}


def _layers(
    source: Pixels, parts_source: Regions, onto: Pixels, parts_onto: Regions, players: Sequence[Player]
) -> dict[str, tuple[Mask, dict[int, Pixels]]]:
    """For each part that shows on either photograph: where it is painted, and how it looks there."""
    found = {}
    for part in dict.fromkeys(player.part for player in players[:-1]):
        k = PARTS.index(part)
        here, there = parts_onto == k, parts_source == k
        least = LEAST * here.size
        if here.sum() < least and there.sum() < least:
            continue
        if here.sum() < least or there.sum() < least:  # comes or goes where it is on the one that has it
            mask = there if here.sum() < least else here
            new = source[mask]
        else:
            mask, new = here, _fitted(source, there, here)
        old = onto[mask]
        found[part] = mask, {1: _recoloured(old, new), 2: _recoloured(new, old), 3: new}
    return found


def _fitted(source: Pixels, there: Mask, here: Mask) -> Pixels:
    """(n, 3): pixels of a part on one photograph for the n pixels it has on the other.

    The box around the part is scaled; where it shows something else, the nearest pixel of the part counts.
    """
    rows, columns = np.nonzero(here)
    places = []
    for at, own in zip((rows, columns), np.nonzero(there), strict=True):
        low, high, first, last = at.min(), at.max() + 1, own.min(), own.max() + 1
        places.append((first + (at + 0.5 - low) * (last - first) / (high - low)).astype(int))
    nearest = distance_transform_edt(~there, return_distances=False, return_indices=True)
    y, x = nearest[:, places[0], places[1]]
    return source[y, x]


def _recoloured(pixels: Pixels, like: Pixels) -> Pixels:
    """(n, 3) with the mean and, within bounds, the spread of each channel of others (m, 3)."""
    own, wanted = pixels.astype(np.float32), like.astype(np.float32)
    spread = (wanted.std(0) + 4) / (own.std(0) + 4)
    moved = (own - own.mean(0)) * spread.clip(1 / _CONTRAST, _CONTRAST) + wanted.mean(0)
    return (moved.clip(0, 255) + 0.5).astype(np.uint8)
