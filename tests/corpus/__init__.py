"""What people really have: each entry works, with the right value, or gives one line and exit code 2.

A case is one function in one of the files here: it makes its input in a folder and returns what to do
with it, a command line or a call. ``@case()`` works, and the function returns a check of the value too;
``@case(says="…")`` is refused with a line that the pattern fits.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Do = list[str] | Callable[[], Any]


@dataclass(frozen=True)
class World:
    """What every case may use.

    Attributes:
        root: data root of a tiny Market-1501.
        run: a finished run folder; copy it before changing it.
        weights: its target's weights.
        a: a photograph of it, 64×32.
        b: another one, of another person.
        distance: of the two, by the run's own explanation.
    """

    root: Path
    run: Path
    weights: Path
    a: str
    b: str
    distance: float


@dataclass(frozen=True)
class Case:
    """An entry: its name, how it is made, and what is said if it is refused."""

    name: str
    make: Callable[[World, Path], Any]
    says: str


CASES: list[Case] = []


def case(says: str = "") -> Callable[[Callable[[World, Path], Any]], Callable[[World, Path], Any]]:
    """Enter a case; its function's name, without underscores, is its own."""

    def enter(make: Callable[[World, Path], Any]) -> Callable[[World, Path], Any]:
        name = f"{make.__module__.rpartition('.')[2]}: {make.__name__.strip('_').replace('_', ' ')}"
        CASES.append(Case(name, make, says))
        return make

    return enter


def all_cases() -> list[Case]:
    """Every case of every file here."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return CASES
