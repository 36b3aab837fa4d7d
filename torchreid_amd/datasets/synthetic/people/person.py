"""Who walks there: Market-1501's attributes and traits that no attribute names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.registry import attribute_sets
from torchreid_amd.datasets.synthetic.options import SyntheticOptions, stream
from torchreid_amd.datasets.synthetic.people.population import Population, population_of
from torchreid_amd.datasets.synthetic.people.traits import Traits, draw_traits

Labels = npt.NDArray[np.int8]


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
    pids, population = options.pids(split), population_of(options.domain)
    labels = _draw_labels(options.key, split, len(pids), population)
    return [
        Person(pid, mine, population.dress(draw_traits(stream(options.key, "traits", pid), mine["gender"])))
        for pid, mine in zip(pids, labels, strict=True)
    ]


def passer_by(rng: np.random.Generator, domain: str = "day") -> Person:
    """Somebody who belongs to no split."""
    population = population_of(domain)
    labels = _labels_from({k: rng.random(1) for k in _DRAWN}, population)[0]
    return Person(0, labels, population.dress(draw_traits(rng, labels["gender"])))


_DRAWN = ("gender", "hair", "clothes", "up", "down", "backpack", "bag", "handbag", "hat", "upper", "lower",
          "dress")  # fmt: skip


def _draw_labels(seed: int, split: str, n: int, population: Population) -> list[dict[str, bool]]:
    def even(name: str) -> npt.NDArray[np.float64]:
        rng = stream(seed, "labels-" + name, 1 if split == "train" else 2)
        drawn: npt.NDArray[np.float64] = (rng.permutation(n) + 0.5) / n
        return drawn

    return _labels_from({k: even(k) for k in _DRAWN}, population)


def _labels_from(u: dict[str, npt.NDArray[np.float64]], shares: Population) -> list[dict[str, bool]]:
    """Labels from one number between 0 and 1 for each person and property."""
    names = schema().attributes
    found = []
    for i in range(len(u["gender"])):
        p = {k: float(v[i]) for k, v in u.items()}
        female = p["gender"] < shares.gender
        pants = p["clothes"] > shares.skirt[not female]
        mine = {
            "gender": female,
            "hair": p["hair"] < shares.hair[not female],
            "clothes": pants,
            "up": p["up"] < shares.up,
            "down": p["down"] < shares.down[not pants],
            "backpack": p["backpack"] < shares.backpack,
            "bag": p["bag"] < shares.bag,
            "handbag": p["handbag"] < shares.handbag[not female],
            "hat": p["hat"] < shares.hat,
        }
        upper, lower = _pick(shares.upper, p["upper"]), _pick(shares.lower, p["lower"])
        if not pants and p["dress"] < 0.5 and upper in shares.lower:
            lower = upper  # a dress of one cloth
        found.append({a: mine.get(a, a in ("up" + upper, "down" + lower)) for a in names})
    return found


def _pick(shares: dict[str, float], u: float) -> str:
    for name, share in shares.items():
        u -= share
        if u < 0:
            return name
    return "-"
