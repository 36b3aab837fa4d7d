"""Bags."""

from __future__ import annotations

import numpy as np

from torchreid_amd.datasets.synthetic.body.frame import Frame
from torchreid_amd.datasets.synthetic.body.parts import Part
from torchreid_amd.datasets.synthetic.body.surface import Array, Parts


def draw_backpack(f: Frame) -> None:
    """A pack on the back; its straps are painted on the torso."""
    t = f.person.traits
    h = t.stature / 1.75
    tall, wide = t.backpack_size
    top, bottom = 0.822, 0.822 - 0.235 * tall
    y = np.array(
        [top, top - 0.006, top - 0.022, top - 0.06, bottom + 0.05, bottom + 0.015, bottom + 0.004, bottom]
    )
    swell = np.array([0.45, 0.72, 0.90, 1.0, 1.0, 0.97, 0.85, 0.6])
    a = 0.135 * wide * h * swell
    b = 0.075 * h * (0.8 + 0.4 * t.bag_size[0]) * np.array([0.4, 0.65, 0.8, 0.95, 1.1, 1.1, 0.95, 0.7])
    low = f.joints["ground"][1]
    pocket = (bottom + 0.09) * t.stature - low
    seam = 0.004 * t.stature

    def paint(angle: Array, height: Array) -> Parts:
        outer = np.cos(angle) < 0.2
        parts = np.where((height < pocket) & outer, np.uint8(Part.POCKET), np.uint8(Part.BACKPACK))
        parts[(np.abs(height - pocket) < seam) & outer] = Part.PACK_STRAP
        return parts

    f.surfaces.loft(f.view, f.section(y, -0.105 * h - b * 0.75), a, b, paint, box=0.030)
    for side in (1, -1):  # straps round the shoulders and under the arms
        x = side * 0.085 * h
        over = f.section([0.828, 0.79], [0.0, -0.10 * h])
        under = f.section([0.66, 0.63], [0.09 * h, -0.10 * h])
        over[:, 0], under[:, 0] = x, side * 0.135 * h
        p = f.at(*over, *under)
        f.surfaces.tube(p[0], p[1], [0.022 * h, 0.022 * h], Part.PACK_STRAP)
        f.surfaces.tube(p[2], p[3], [0.014 * h, 0.014 * h], Part.PACK_STRAP)


def draw_bag(f: Frame) -> None:
    """A bag at the hip, hanging from a shoulder; its strap is painted on the torso."""
    t = f.person.traits
    h = t.stature / 1.75
    long, tall = t.bag_size
    bottom = 0.46 - 0.02 * tall
    top = bottom + 0.125 * tall
    y = np.array([top, top - 0.004, top - 0.02, (top + bottom) / 2, bottom + 0.02, bottom + 0.005, bottom])
    swell = np.array([0.8, 0.93, 1.0, 1.03, 1.05, 1.0, 0.85])
    a = (0.030 + 0.022 * t.handbag_size[0]) * h * swell
    b = 0.135 * long * h * swell
    hips = (0.176 if f.person.labels["gender"] else 0.168) * h * t.girth + 0.02 * t.fit
    centres = f.section(y, -0.03 * h)
    centres[:, 0] = t.bag_side * (hips + 0.042 * h)
    flap = top * t.stature - f.joints["ground"][1] - 0.05 * h

    def paint(angle: Array, height: Array) -> Parts:
        seam = np.abs(height - flap) < 0.006
        return np.where(seam, np.uint8(Part.BAG_STRAP), np.uint8(Part.BAG))

    f.surfaces.loft(f.view, centres, a, b, paint, box=0.022, lift=0.012)
    chest = f.section([0.60], 0.0)[0]
    chest[0] = t.bag_side * hips * 0.92
    for forward in (0.7, -0.7):
        corner = centres[1] + np.array([0.0, 0.0, forward * b[1]])
        p = f.at(chest + np.array([0.0, 0.02, forward * 0.05]), corner)
        f.surfaces.tube(p[0], p[1], [0.013 * h, 0.013 * h], Part.BAG_STRAP, lift=0.018)


def draw_handbag(f: Frame) -> None:
    """A bag carried in the hand that swings freely."""
    t = f.person.traits
    h = t.stature / 1.75
    mark = "+" if t.bag_side > 0 else "-"
    hand = f.joints["wrist" + mark] + 0.6 * (f.joints["hand" + mark] - f.joints["wrist" + mark])
    long, tall = t.handbag_size
    drop = 0.08 + 0.05 * t.flare
    y = hand[1] - h * (drop + 0.21 * tall * np.array([0, 0.02, 0.1, 0.5, 0.88, 0.97, 1.0]))
    swell = np.array([0.78, 0.82, 0.88, 1.0, 1.06, 1.02, 0.9])
    a, b = 0.042 * h * swell, 0.125 * long * h * swell
    centres = np.stack([np.full(7, hand[0] + t.bag_side * 0.015), y, np.full(7, hand[2])], 1)
    f.surfaces.loft(f.view, centres, a, b, Part.HANDBAG, box=0.018, lift=0.012)
    for end in (0.55, -0.55):
        corner = centres[1] + np.array([0.0, 0.0, end * b[0]])
        p = f.at(hand, corner)
        f.surfaces.tube(p[0], p[1], [0.010 * h, 0.010 * h], Part.HANDLE, lift=0.018)
