"""Numbers of the drawn parts, and which of them show an attribute."""

from __future__ import annotations

from enum import IntEnum

import cv2
import numpy as np
import numpy.typing as npt

from torchreid_amd.attributes import parts as person


class Part(IntEnum):
    """What a canvas pixel shows; 0 is not this person (background or something in front)."""

    NOBODY = 0
    FACE = 1
    NECK = 2
    HAIR = 3
    HAT = 4
    BRIM = 5
    TORSO = 6
    CHEST_SKIN = 7
    COLLAR = 8
    SLEEVE_UPPER = 9
    SLEEVE_FORE = 10
    ARM_UPPER = 11
    ARM_FORE = 12
    HAND = 13
    SEAT = 14
    BELT = 15
    THIGH_CLOTH = 16
    SHANK_CLOTH = 17
    SKIRT = 18
    SKIRT_LOW = 19
    THIGH_SKIN = 20
    SHANK_SKIN = 21
    SOCK = 22
    SHOE = 23
    SOLE = 24
    BACKPACK = 25
    PACK_STRAP = 26
    BAG = 27
    BAG_STRAP = 28
    HANDBAG = 29
    HANDLE = 30
    GLASSES = 31
    POCKET = 32


UPPER = (Part.TORSO, Part.COLLAR, Part.SLEEVE_UPPER, Part.SLEEVE_FORE)
LOWER = (Part.SEAT, Part.BELT, Part.THIGH_CLOTH, Part.SHANK_CLOTH, Part.SKIRT, Part.SKIRT_LOW)

#: parts whose visible pixels show an attribute. Colours are left to ``'upper'`` and ``'lower'``.
PLACES: dict[str, tuple[Part, ...]] = {
    "backpack": (Part.BACKPACK, Part.POCKET, Part.PACK_STRAP),
    "bag": (Part.BAG, Part.BAG_STRAP),
    "handbag": (Part.HANDBAG, Part.HANDLE),
    "hat": (Part.HAT, Part.BRIM),
    "hair": (Part.HAIR,),
    "up": (Part.SLEEVE_UPPER, Part.SLEEVE_FORE, Part.ARM_UPPER, Part.ARM_FORE),
    "down": (Part.SHANK_CLOTH, Part.SKIRT_LOW, Part.SHANK_SKIN, Part.SOCK),
    "clothes": LOWER,
    "upper": UPPER,
    "lower": LOWER,
    "gender": tuple(p for p in Part if p),
}

#: what shows each part of a person, in the words of accounts
OF_PERSON: dict[str, tuple[Part, ...]] = {
    person.UPPER: (*UPPER, Part.CHEST_SKIN, Part.ARM_UPPER, Part.ARM_FORE, Part.HAND),
    person.LOWER: (*LOWER, Part.THIGH_SKIN, Part.SHANK_SKIN, Part.SOCK, Part.SHOE, Part.SOLE),
    person.HEAD: (Part.FACE, Part.NECK, Part.HAIR, Part.GLASSES, Part.HAT, Part.BRIM),
    person.CARRIED: tuple(part for name in ("backpack", "bag", "handbag") for part in PLACES[name]),
}


def mask_of(parts: npt.NDArray[np.uint8], wanted: tuple[Part, ...]) -> npt.NDArray[np.bool_]:
    """Where ``parts`` is one of ``wanted``; same shape."""
    return coverage(parts, wanted).view(bool)


def coverage(parts: npt.NDArray[np.uint8], wanted: tuple[Part, ...], value: int = 1) -> npt.NDArray[np.uint8]:
    """``value`` where ``parts`` is one of ``wanted``, else 0; same shape."""
    table = np.zeros(256, np.uint8)
    table[list(wanted)] = value
    return np.asarray(cv2.LUT(parts, table), np.uint8).reshape(parts.shape)
