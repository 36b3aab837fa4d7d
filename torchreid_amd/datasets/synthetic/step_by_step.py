"""Photograph A with some of what makes it differ from photograph B: from one to the other, step by step."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from torchreid_amd.attributes.parts import CARRIED, HEAD, LOWER, REST, UPPER
from torchreid_amd.datasets.synthetic.counterfactual import find_record, person_of
from torchreid_amd.datasets.synthetic.people.person import Person, schema
from torchreid_amd.datasets.synthetic.photograph import Pixels, take

BODY, SCENE = "body", "scene"  #: build and gait; pose, camera and background

#: traits that no attribute names, by what they belong to
TRAITS = {
    UPPER: "upper_shade print print_colour print_scale print_place sleeve hem collar fit",
    LOWER: "lower_shade lower_print cut shorts skirt flare shoes sole socks belt",
    HEAD: "head skin hair hair_style hair_length beard glasses hat hat_style",
    CARRIED: "backpack backpack_size backpack_trim bag bag_size bag_cross bag_side handbag handbag_size",
    BODY: "stature girth shoulders legs gait stance elbow arm_mode folds",
}
_BAGS = ("backpack", "bag", "handbag")


@dataclass(frozen=True)
class Factor:
    """One thing in which two photographs differ.

    Attributes:
        part: of :data:`~torchreid_amd.attributes.parts.PARTS`, where it belongs.
        what: an attribute, or a group of exclusive ones, by name; empty for the rest of its part.
        kind: what of the rest: the part itself, :data:`BODY` or :data:`SCENE`; empty for attributes.
    """

    part: str
    what: str
    kind: str = ""


class StepByStep:
    """Two rendered photographs and everything between them.

    Args:
        a, b: paths of rendered images of one data set.

    Raises:
        InputError: not images of a rendered data set.
    """

    def __init__(self, a: str | os.PathLike[str], b: str | os.PathLike[str]) -> None:
        (record_a, self.options), (record_b, _) = find_record(a), find_record(b)
        self.records = record_a, record_b
        self.people = tuple(person_of(record.pid, self.options) for record in self.records)
        self.factors = tuple(_differences(*self.people))
        self._made: dict[int, Pixels] = {}

    def picture(self, coalition: int) -> Pixels:
        """``(h, w, 3)`` RGB: A with those factors of B whose bits are set; B itself with all of them."""
        if coalition not in self._made:
            taken = [factor for k, factor in enumerate(self.factors) if coalition >> k & 1]
            scene = any(factor.kind == SCENE for factor in taken)
            self._made[coalition] = take(self._person(taken), self.records[scene], self.options).pixels
        return self._made[coalition]

    def _person(self, taken: list[Factor]) -> Person:
        person, other = self.people
        kinds = [factor.kind for factor in taken]
        if not any(factor.kind == CARRIED for factor in self.factors) and SCENE in kinds:
            kinds.append(CARRIED)  # none of it shows
        fields = [name for kind in kinds for name in TRAITS.get(kind, "").split()]
        traits = replace(person.traits, **{name: getattr(other.traits, name) for name in fields})
        person = replace(person, traits=traits)
        for factor in taken:
            for attribute, value in _steps(person, other, factor.what):
                person = person.with_attribute(attribute, value)
        return person


def _differences(a: Person, b: Person) -> list[Factor]:
    known = schema()
    grouped = {member: name for name, members in known.groups.items() for member in members}
    found: dict[Factor, None] = {}  # in order, each once
    for attribute in known.attributes:
        if a.labels[attribute] != b.labels[attribute]:
            found[Factor(known.parts[attribute], grouped.get(attribute, attribute))] = None
    if a.pid != b.pid:
        bags = any(person.labels[bag] for person in (a, b) for bag in _BAGS)
        for part in (UPPER, LOWER, HEAD, *([CARRIED] if bags else [])):
            found[Factor(part, "", part)] = None
        found[Factor(REST, "", BODY)] = None
    return [*found, Factor(REST, "", SCENE)]


def _steps(person: Person, other: Person, what: str) -> list[tuple[str, int]]:
    """Attributes to set, with their values, so that a person has what the other one has."""
    members = schema().groups.get(what, (what,) if what else ())
    theirs = [attribute for attribute in members if other.labels[attribute]]
    if theirs:
        return [(attribute, 1) for attribute in theirs]
    return [(attribute, 0) for attribute in members if person.labels[attribute]]
