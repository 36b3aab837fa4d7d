"""What a row of an account is about, in the words of whatever language is chosen when it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torchreid_amd.attributes.parts import REST
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.core.language import say

Worn = tuple[tuple[str, bool], ...]  #: attributes of one person by name, each with whether it is a "yes"


@dataclass(frozen=True)
class Phrase:
    """What a row is about; ``str()`` says it: "red against purple upper body", "the rest of the head".

    Attributes:
        part: one of :data:`~torchreid_amd.attributes.parts.PARTS`.
        sides: what A has and what B has; one of the two where it is not known how they differ, and
            neither where it is about no attribute.
        schema: of the attributes.
        group: whether they are of a group of exclusive ones, whose words end alike.
        divided: whether other rows are about attributes of the same part.
    """

    part: str
    sides: tuple[Worn, ...] = ()
    schema: AttributeSchema | None = None
    group: bool = False
    divided: bool = False

    def __str__(self) -> str:
        if not self.sides or self.schema is None:
            left = self.divided or self.part == REST
            return say(f"parts.{self.part}.{'left' if left else 'name'}")
        words = [self.schema.say(attribute, yes) for side in self.sides for attribute, yes in side]
        words = said_once(words) if self.group else words
        counts = [len(side) for side in self.sides]
        if len(counts) == 1:
            return _joined("attribute.or", words)
        a, b = words[: counts[0]], words[counts[0] :]
        return say("attribute.against", a=_joined("attribute.and", a), b=_joined("attribute.and", b))


def _joined(key: str, words: Sequence[str]) -> str:
    said = words[0]
    for other in words[1:]:
        said = say(key, a=said, b=other)
    return said


def said_once(words: Sequence[str]) -> list[str]:
    """Phrases whose last words are the same, with these only at the end of the last of them."""
    split = [phrase.split() for phrase in words]
    same = 0
    while same < min(map(len, split)) - 1 and len({phrase[-1 - same] for phrase in split}) == 1:
        same += 1
    shortened = [" ".join(phrase[: len(phrase) - same]) for phrase in split[:-1]] if same else words[:-1]
    return [*shortened, words[-1]]
