"""What makes two people with the same attributes different."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from torchreid_amd.datasets.synthetic.people.palette import ANCHORS, HAIR, SKIN, Array, shade

PRINTS = ("plain", "stripes", "pinstripes", "checks", "logo", "block", "lettering", "dots", "raglan", "open",
          "yoke")  # fmt: skip
_PRINT_SHARE = (0.18, 0.13, 0.05, 0.09, 0.08, 0.12, 0.06, 0.05, 0.11, 0.06, 0.07)
CUTS = ("skinny", "straight", "loose", "tapered")


@dataclass(frozen=True)
class Traits:
    """Traits that are not attributes. Lengths are in metres, factors around 1, the rest 0–1."""

    stature: float
    girth: float
    shoulders: float
    legs: float
    head: float
    skin: Array
    hair: Array
    hair_style: float
    hair_length: float
    beard: bool
    glasses: bool
    upper_shade: tuple[float, float, float]
    lower_shade: tuple[float, float, float]
    print: str
    print_colour: Array
    print_scale: float
    print_place: float
    sleeve: float
    hem: float
    collar: float
    fit: float
    lower_print: float
    cut: str
    shorts: float
    skirt: float
    flare: float
    shoes: Array
    sole: Array
    socks: float
    belt: bool
    backpack: Array
    backpack_size: tuple[float, float]
    backpack_trim: Array
    bag: Array
    bag_size: tuple[float, float]
    bag_cross: bool
    bag_side: int
    handbag: Array
    handbag_size: tuple[float, float]
    hat: Array
    hat_style: float
    gait: float
    stance: float
    elbow: float
    arm_mode: float
    folds: tuple[float, float]


def _any_colour(rng: np.random.Generator, dark: float = 0.5) -> Array:
    names = sorted(ANCHORS)
    name = names[int(rng.integers(len(names)))]
    if rng.random() < dark:
        name = ("black", "black", "gray", "brown", "blue")[int(rng.integers(5))]
    return shade(name, *_shade(rng))


def _shade(rng: np.random.Generator) -> tuple[float, float, float]:
    return float(rng.random()), float(rng.random()), float(rng.uniform(-1, 1))


def draw_traits(rng: np.random.Generator, female: bool) -> Traits:
    """Draw all traits; how many numbers are drawn never depends on the attributes."""
    u = rng.random(40)
    z = np.clip(rng.normal(size=8), -2, 2)
    lift = np.float32(0.92 + 0.12 * u[1])
    hair = HAIR[min(int(u[2] ** 2.6 * len(HAIR)), len(HAIR) - 1)]
    shoes = [_any_colour(rng, 0.25), np.float32(0.9) * np.ones(3, np.float32)]
    return Traits(
        stature=1.72 + 0.055 * z[0] - (0.10 if female else 0.0),
        girth=1.0 + 0.10 * z[1],
        shoulders=1.0 + 0.045 * z[2],
        legs=1.0 + 0.025 * z[3],
        head=1.0 + 0.04 * z[4],
        skin=SKIN[min(int(u[0] ** 2.4 * len(SKIN)), len(SKIN) - 1)] * lift,
        hair=hair * np.float32(0.9 + 0.3 * u[3]),
        hair_style=u[4],
        hair_length=u[5],
        beard=bool(u[6] < 0.15),
        glasses=bool(u[7] < 0.22),
        upper_shade=_shade(rng),
        lower_shade=_shade(rng),
        print=str(rng.choice(PRINTS, p=_PRINT_SHARE)),
        print_colour=_any_colour(rng, 0.1),
        print_scale=0.75 + 0.6 * u[8],
        print_place=u[9],
        sleeve=u[10],
        hem=u[11],
        collar=u[12],
        fit=u[13],
        lower_print=u[14],
        cut=CUTS[int(u[15] * len(CUTS))],
        shorts=u[16],
        skirt=u[17],
        flare=u[18],
        shoes=shoes[int(u[20] < 0.25)],
        sole=np.float32(0.25 + 0.65 * (u[21] < 0.6)) * np.ones(3, np.float32),
        socks=u[22],
        belt=bool(u[23] < 0.3),
        backpack=_any_colour(rng, 0.6),
        backpack_size=(0.85 + 0.35 * u[24], 0.85 + 0.35 * u[25]),
        backpack_trim=_any_colour(rng, 0.5),
        bag=_any_colour(rng, 0.6),
        bag_size=(0.8 + 0.5 * u[26], 0.8 + 0.5 * u[27]),
        bag_cross=bool(u[28] < 0.55),
        bag_side=1 if u[29] < 0.5 else -1,
        handbag=_any_colour(rng, 0.35),
        handbag_size=(0.8 + 0.5 * u[30], 0.8 + 0.5 * u[31]),
        hat=_any_colour(rng, 0.4),
        hat_style=u[32],
        gait=0.8 + 0.4 * u[33],
        stance=u[34],
        elbow=u[35],
        arm_mode=u[36],
        folds=(float(u[37]), float(u[38])),
    )
