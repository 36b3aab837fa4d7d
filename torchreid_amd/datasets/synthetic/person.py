"""Who walks there: Market-1501's attributes and traits that no attribute names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.datasets.synthetic.options import SyntheticOptions, stream
from torchreid_amd.datasets.synthetic.traits import Traits, draw_traits
from torchreid_amd.errors import InputError
from torchreid_amd.registry import attribute_sets

Labels = npt.NDArray[np.int8]

#: share of people by colour; in Market-1501's order but more even, the rest has no named colour
UPPER = {"black": 0.15, "blue": 0.12, "gray": 0.12, "green": 0.11, "purple": 0.08, "red": 0.13,
         "white": 0.18, "yellow": 0.09}  # fmt: skip
LOWER = {"black": 0.21, "blue": 0.17, "brown": 0.11, "gray": 0.13, "green": 0.07, "pink": 0.07,
         "purple": 0.06, "white": 0.10, "yellow": 0.06}  # fmt: skip


def schema() -> AttributeSchema:
    """Market-1501's 26 attributes."""
    made: AttributeSchema = attribute_sets["market1501"]()
    return made


@dataclass(frozen=True)
class Person:
    """One identity.

    Attributes:
        pid: its number.
        labels: attribute name to yes or no.
        traits: everything else about it.
    """

    pid: int
    labels: dict[str, bool]
    traits: Traits

    def colour(self, part: str) -> str:
        """The colour word worn on ``'up'`` or ``'down'``; ``''`` where it is none of the annotated."""
        worn = [a for a, yes in self.labels.items() if yes and a.startswith(part) and a != part]
        return worn[0].removeprefix(part) if worn else ""

    @property
    def dressed(self) -> bool:
        """Whether skirt and top are of one cloth."""
        return not self.labels["clothes"] and self.colour("up") == self.colour("down") != ""

    def vector(self) -> Labels:
        """Labels ``(26,)`` in the schema's order."""
        return np.array([self.labels[a] for a in schema().attributes], np.int8)

    def with_attribute(self, attribute: str, value: Any) -> Person:
        """The same person with one attribute changed.

        A colour set to yes takes the place of the one worn; the worn one set to no leaves a
        colour without an annotation.

        Raises:
            InputError: unknown attribute, or a value other than 0 and 1.
        """
        known = schema()
        known.index(attribute)
        if value not in (0, 1):
            raise InputError(f"value {value!r} for attribute {attribute!r}; expected 0 or 1")
        labels = dict(self.labels)
        for group in known.groups.values():
            if attribute in group and value:
                labels.update({a: False for a in group})
        labels[attribute] = bool(value)
        return replace(self, labels=labels)


def people(options: SyntheticOptions, split: str) -> list[Person]:
    """All identities of a split; frequencies are met as exactly as their number allows."""
    pids = options.pids(split)
    labels = _draw_labels(options.seed, split, len(pids))
    return [
        Person(pid, mine, draw_traits(stream(options.seed, "traits", pid), mine["gender"]))
        for pid, mine in zip(pids, labels, strict=True)
    ]


def passer_by(rng: np.random.Generator) -> Person:
    """Somebody who belongs to no split."""
    labels = _labels_from({k: rng.random(1) for k in _DRAWN})[0]
    return Person(0, labels, draw_traits(rng, labels["gender"]))


_DRAWN = ("gender", "hair", "clothes", "up", "down", "backpack", "bag", "handbag", "hat", "upper", "lower",
          "dress")  # fmt: skip


def _draw_labels(seed: int, split: str, n: int) -> list[dict[str, bool]]:
    def even(name: str) -> npt.NDArray[np.float64]:
        rng = stream(seed, "labels-" + name, 1 if split == "train" else 2)
        drawn: npt.NDArray[np.float64] = (rng.permutation(n) + 0.5) / n
        return drawn

    return _labels_from({k: even(k) for k in _DRAWN})


def _labels_from(u: dict[str, npt.NDArray[np.float64]]) -> list[dict[str, bool]]:
    """Labels from one number between 0 and 1 for each person and property."""
    names = schema().attributes
    found = []
    for i in range(len(u["gender"])):
        p = {k: float(v[i]) for k, v in u.items()}
        female = p["gender"] < 0.43
        pants = p["clothes"] > (0.32 if female else 0.006)
        carries = p["bag"] < 0.245
        mine = {
            "gender": female,
            "hair": p["hair"] < (0.68 if female else 0.05),
            "clothes": pants,
            "up": p["up"] < 0.75,
            "down": p["down"] < (0.57 if pants else 0.80),
            "backpack": p["backpack"] < 0.265,
            "bag": carries,
            "handbag": p["handbag"] < (0.18 if female else 0.07),
            "hat": p["hat"] < 0.055,
        }
        upper, lower = _pick(UPPER, p["upper"]), _pick(LOWER, p["lower"])
        if not pants and p["dress"] < 0.5 and upper in LOWER:
            lower = upper  # a dress of one cloth
        found.append({a: mine.get(a, a in ("up" + upper, "down" + lower)) for a in names})
    return found


def _pick(shares: dict[str, float], u: float) -> str:
    for name, share in shares.items():
        u -= share
        if u < 0:
            return name
    return "-"
