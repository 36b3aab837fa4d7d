"""Patterns on clothes."""

from __future__ import annotations

import numpy as np

from torchreid_amd.datasets.synthetic.body.parts import Part
from torchreid_amd.datasets.synthetic.body.surface import Parts
from torchreid_amd.datasets.synthetic.people.palette import Array
from torchreid_amd.datasets.synthetic.people.person import Person


def _waves(x: Array, period: float, duty: float, soft: float = 0.2) -> Array:
    """1 on a share ``duty`` of each period."""
    saw = np.abs((x / np.float32(period)) % 1 - 0.5) * 2
    weight: Array = np.clip((saw - (1 - duty)) / soft + 0.5, 0, 1)
    return weight


def _lines(a: Array, b: Array, scale: float) -> Array:
    """Rows of something like letters."""
    row = np.floor(b / (0.035 * scale))
    mark = np.sin(a * 95 / scale + row * 7.1) + np.sin(a * 57 / scale + row * 3.7)
    on: Array = ((mark > 0.1) & ((b / (0.035 * scale)) % 1 > 0.42)).astype(np.float32)
    return on


def print_upper(colour: Array, part: Parts, u: Array, v: Array, person: Person) -> Array:
    """Colours ``(n, 3)`` of upper-garment pixels with the person's print on them.

    The print covers less than half of the garment, so its colour word stays right.
    """
    t = person.traits
    kind, k = t.print, t.print_scale
    torso = part == Part.TORSO
    across = u * np.float32(0.16)
    top = np.float32(0.80 * t.stature)
    front = torso & (np.abs(u) < 1.2)
    chest = v - np.float32(0.70 * t.stature - 0.06)
    weight = np.zeros(len(colour), np.float32)
    if kind == "stripes":
        weight = _waves(v, 0.095 * k, 0.36)
    elif kind == "pinstripes":
        weight = _waves(across, 0.05 * k, 0.26) * 0.7
    elif kind == "checks":
        weight = 0.42 * _waves(v, 0.085 * k, 0.42) + 0.42 * _waves(across, 0.085 * k, 0.42)
    elif kind == "logo":
        wide, tall = 0.085 * k, (0.06 + 0.05 * t.print_place) * k
        blob = (across / wide) ** 2 + (chest / tall) ** 2
        weight = (front & (blob < 1)).astype(np.float32) * (0.75 + 0.25 * np.sin(chest * 160 + across * 90))
    elif kind == "block":
        weight = (torso & (np.abs(chest + 0.02) < 0.055 * k)).astype(np.float32)
        weight = np.maximum(
            weight, ((part == Part.SLEEVE_UPPER) & (np.abs(v - 0.16) < 0.03 * k)).astype(np.float32)
        )
    elif kind == "lettering":
        near = (
            torso
            & (np.abs(np.abs(u) - (0 if t.print_place < 0.6 else np.pi)) < 0.75)
            & (np.abs(chest) < 0.07 * k)
        )
        weight = near * _lines(across, chest + 1, k)
    elif kind == "dots":
        weight = (
            0.85
            * _waves(v, 0.075 * k, 0.45)
            * _waves(across + 0.04 * (np.floor(v / (0.075 * k)) % 2), 0.08, 0.45)
        )
    elif kind == "raglan":
        weight = mask_sleeves(part) * np.float32(0.9)
    elif kind == "open":
        weight = (torso & (np.abs(u) < 0.26)).astype(np.float32)
    elif kind == "yoke":
        weight = (torso & (v > top - 0.07 * k)).astype(np.float32)
    painted = colour * (1 - weight[:, None]) + person.traits.print_colour * weight[:, None]
    if t.collar > 0.35:
        painted[torso & (np.abs(u) < 0.045)] *= np.float32(0.72)  # buttons or a zip
    return painted


def mask_sleeves(part: Parts) -> Array:
    """1 on sleeves."""
    on: Array = ((part == Part.SLEEVE_UPPER) | (part == Part.SLEEVE_FORE)).astype(np.float32)
    return on


def print_lower(colour: Array, part: Parts, u: Array, v: Array, person: Person) -> Array:
    """Colours ``(n, 3)`` of lower-garment pixels: fading, seams, checks, side stripes."""
    if person.dressed:
        return print_upper(colour, part, u, v, person)
    t = person.traits
    p = t.lower_print
    legs = (part == Part.THIGH_CLOTH) | (part == Part.SHANK_CLOTH)
    skirt = (part == Part.SKIRT) | (part == Part.SKIRT_LOW)
    painted = colour.copy()
    if person.colour("down") in ("blue", "black", "gray") and p < 0.55:  # faded denim
        fade = np.clip(1 - np.abs(u) / 1.1, 0, 1) * np.clip(1 - np.abs(v - 0.25) / 0.22, 0, 1) * legs
        painted = painted * (1 + (0.55 * p + 0.12) * fade[:, None])
    if 0.55 < p < 0.70:
        painted[legs & (np.abs(u) > 1.0)] = t.print_colour * 0.55 + painted[legs & (np.abs(u) > 1.0)] * 0.45
    if p > 0.80:
        around = np.where(skirt, u * np.float32(0.22), u * np.float32(0.09))
        check = 0.35 * _waves(v, 0.10 * t.print_scale, 0.4) + 0.35 * _waves(around, 0.08 * t.print_scale, 0.4)
        if p > 0.9:
            check = np.where(skirt, 0.75 * _waves(v, 0.12 * t.print_scale, 0.3), check)
        painted = painted * (1 - check[:, None]) + (t.print_colour * 0.7 + 0.3 * colour) * check[:, None]
    seat = part == Part.SEAT
    painted[seat & (np.abs(u) < 0.05)] *= np.float32(0.7)
    painted[seat & (np.abs(np.abs(u) - 2.5) < 0.35) & (np.abs(v - 0.545 * t.stature) < 0.012)] *= np.float32(
        0.7
    )
    if t.belt and not skirt.any():
        painted[seat & (np.abs(v - 0.605 * t.stature) < 0.02)] = np.float32(0.16)
    return painted
