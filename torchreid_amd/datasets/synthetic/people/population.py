"""Who walks the streets of a domain: shares of attributes, and what the season does to clothes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from torchreid_amd.datasets.synthetic.people.traits import Traits


@dataclass(frozen=True)
class Population:
    """Shares of people, 0–1; pairs are of women and men, of trousers and skirts for ``down``.

    Attributes:
        upper: by colour of the upper body; the rest wears no named colour.
        lower: by colour of the lower body.
        gender: women.
        hair: long hair.
        skirt: a skirt or dress.
        up: short sleeves.
        down: a short lower garment.
        backpack, bag, handbag, hat: who carries or wears one.
        dress: what the season changes of somebody's traits.
    """

    upper: dict[str, float]
    lower: dict[str, float]
    gender: float
    hair: tuple[float, float]
    skirt: tuple[float, float]
    up: float
    down: tuple[float, float]
    backpack: float
    bag: float
    handbag: tuple[float, float]
    hat: float
    dress: Callable[[Traits], Traits]


def _summer(traits: Traits) -> Traits:
    return traits


def _winter(traits: Traits) -> Traits:
    """Thicker, darker and plainer clothes, coats, knitted hats; people a little stouter and taller."""
    t = traits
    coat = t.hem > 0.45
    quiet = t.print in ("stripes", "checks", "dots", "lettering", "raglan") and t.print_place < 0.6
    return replace(
        t,
        stature=t.stature + 0.035,
        girth=t.girth + 0.10,
        shoulders=t.shoulders + 0.03,
        legs=t.legs + 0.02,
        fit=1.0 + 1.1 * t.fit,
        hem=-0.2 - 1.2 * t.sleeve if coat else t.hem,
        collar=0.3 * t.collar,
        print=("open" if coat else "plain") if quiet else t.print,
        upper_shade=_darker(t.upper_shade),
        lower_shade=_darker(t.lower_shade),
        cut={"loose": "straight", "straight": "skinny"}.get(t.cut, t.cut),
        skirt=0.5 * t.skirt,
        socks=0.10 * t.socks,
        shoes=t.shoes * np.float32(0.55),
        sole=t.sole * np.float32(0.6),
        hat_style=0.8 + 0.2 * t.hat_style if t.hat_style > 0.25 else t.hat_style,
        gait=1.1 * t.gait,
    )


def _darker(given: tuple[float, float, float]) -> tuple[float, float, float]:
    mix, which, light = given
    return mix, which, 1.2 * light - 1.4


#: by day in summer: Market-1501's order of colours but more even
DAY = Population(
    upper={"black": 0.15, "blue": 0.12, "gray": 0.12, "green": 0.11, "purple": 0.08, "red": 0.13,
           "white": 0.18, "yellow": 0.09},
    lower={"black": 0.21, "blue": 0.17, "brown": 0.11, "gray": 0.13, "green": 0.07, "pink": 0.07,
           "purple": 0.06, "white": 0.10, "yellow": 0.06},
    gender=0.43, hair=(0.68, 0.05), skirt=(0.32, 0.006), up=0.75, down=(0.57, 0.80),
    backpack=0.265, bag=0.245, handbag=(0.18, 0.07), hat=0.055, dress=_summer,
)  # fmt: skip

#: by night in winter: dark colours, long clothes, hats
NIGHT = Population(
    upper={"black": 0.27, "blue": 0.15, "gray": 0.15, "green": 0.10, "purple": 0.06, "red": 0.11,
           "white": 0.08, "yellow": 0.05},
    lower={"black": 0.32, "blue": 0.22, "brown": 0.11, "gray": 0.13, "green": 0.05, "pink": 0.03,
           "purple": 0.04, "white": 0.05, "yellow": 0.03},
    gender=0.50, hair=(0.60, 0.09), skirt=(0.24, 0.004), up=0.14, down=(0.12, 0.45),
    backpack=0.34, bag=0.30, handbag=(0.30, 0.10), hat=0.24, dress=_winter,
)  # fmt: skip


def population_of(domain: str) -> Population:
    """The people of ``'day'`` or ``'night'``."""
    return NIGHT if domain == "night" else DAY
