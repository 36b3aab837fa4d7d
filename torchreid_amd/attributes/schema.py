"""What a list of attributes means: names, exclusive groups and human words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchreid_amd.attributes.parts import PARTS
from torchreid_amd.core.errors import InputError, unknown_name
from torchreid_amd.core.language import attribute_words, english, say

NONE = "none"  #: name of the set without attributes
UNKNOWN = -1  #: label of an attribute nobody annotated; 0 is "no", 1 is "yes"
Labels = NDArray[np.int8]


@dataclass(frozen=True)
class AttributeSchema:
    """The M attributes of a data set, in a fixed order.

    Attributes:
        name: name of the set, e.g. ``'market1501'``.
        attributes: the M names, in the order of every label vector and map.
        groups: named groups of mutually exclusive attributes (colours of the upper body).
            A person has at most one of them, or none, or rarely several.
        words: for an attribute, what "yes" and what "no" means to a reader.
        parts: for an attribute, to which part of the picture it belongs, of
            :data:`~torchreid_amd.attributes.parts.PARTS`; attributes without one are named in no account.

    Raises:
        InputError: a name stands twice, a group, a word or a part names an unknown attribute, or a part
            is unknown.

    Example:
        >>> import torchreid_amd as amd
        >>> colours = {"upper body": ("upred", "upblue")}
        >>> schema = amd.AttributeSchema("mine", ("hat", "upred", "upblue"), colours)
        >>> len(schema), schema.index("upred"), schema.group_indices()
        (3, 1, [[1, 2]])
        >>> schema.say("hat", yes=False)
        'no hat'
    """

    name: str
    attributes: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.attributes and self.name != NONE:
            raise InputError(f"attribute set {self.name!r} is empty; give at least one attribute")
        twice = sorted({a for a in self.attributes if self.attributes.count(a) > 1})
        if twice:
            raise InputError(f"attribute set {self.name!r} names {twice[0]!r} twice; names must differ")
        for attribute in [a for g in self.groups.values() for a in g] + list(self.words) + list(self.parts):
            self.index(attribute)
        for part in self.parts.values():
            if part not in PARTS:
                raise unknown_name(f"part of a picture in {self.name!r}", part, PARTS)

    def __len__(self) -> int:
        return len(self.attributes)

    def index(self, attribute: str) -> int:
        """Position of an attribute; an unknown name is an InputError with the nearest one."""
        if attribute not in self.attributes:
            raise unknown_name(f"attribute of {self.name!r}", attribute, self.attributes)
        return self.attributes.index(attribute)

    def group_indices(self) -> list[list[int]]:
        """Positions of the members of each exclusive group."""
        return [[self.index(a) for a in members] for members in self.groups.values()]

    def say(self, attribute: str, yes: bool = True) -> str:
        """The attribute in words: what "yes" (or "no") means, in the language that is chosen.

        Words that the package has are translated; a user's own are said as they are.
        """
        words = attribute_words(attribute, self.words.get(attribute))
        if words is None:
            return attribute if yes else say("attribute.no", attribute=attribute)
        return words[0] if yes else words[1]

    def select(self, attributes: Sequence[str], name: str = "") -> AttributeSchema:
        """The schema of some of the attributes, in the order given."""
        for attribute in attributes:
            self.index(attribute)
        kept = set(attributes)
        groups = {g: tuple(a for a in m if a in kept) for g, m in self.groups.items()}
        return AttributeSchema(
            name or self.name,
            tuple(attributes),
            {g: m for g, m in groups.items() if len(m) > 1},
            {a: w for a, w in self.words.items() if a in kept},
            {a: p for a, p in self.parts.items() if a in kept},
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; :meth:`from_dict` reads it back."""
        return {
            "name": self.name,
            "attributes": list(self.attributes),
            "groups": {g: list(m) for g, m in self.groups.items()},
            "words": {a: list(w) for a, w in self.words.items()},
            "parts": dict(self.parts),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AttributeSchema:
        """Read what :meth:`to_dict` wrote.

        Groups, words and parts may be missing. Words may be ``[yes, no]``, or only what "yes" means:
        ``'red upper body'`` stands for ``['red upper body', 'not red upper body']``.

        Raises:
            InputError: another form, an empty set, or an unknown or repeated attribute.
        """
        try:
            return cls(
                str(data["name"]),
                _names(data["attributes"]),
                {str(g): _names(m) for g, m in (data.get("groups") or {}).items()},
                {str(a): _words(w) for a, w in (data.get("words") or {}).items()},
                {str(a): str(p) for a, p in (data.get("parts") or {}).items()},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"attribute schema is malformed ({type(error).__name__}: {error}); expected "
                "{'name': …, 'attributes': […], 'groups': {…}, 'words': {attribute: [yes, no]}, 'parts': {…}}"
            ) from None


def _names(given: Any) -> tuple[str, ...]:
    if isinstance(given, str) or not all(isinstance(name, str) for name in given):
        raise TypeError(f"{given!r} is not a list of names")
    return tuple(given)


def _words(given: Any) -> tuple[str, str]:
    words = (given, english("attribute.not").format(words=given)) if isinstance(given, str) else _names(given)
    if len(words) != 2:
        raise TypeError(f"{given!r} is not [yes, no]")
    return words[0], words[1]


def read_labels(
    given: Sequence[int] | Mapping[str, int] | Any | None, schema: AttributeSchema
) -> Labels | None:
    """Labels (M,) of one person from what a user gives.

    Args:
        given: M values 1, 0 or −1 in the schema's order (list, array or tensor), or a dictionary
            from attribute names to them, in which missing names are unknown.
        schema: the attributes.

    Raises:
        InputError: another number of values, another value, or an unknown name.
    """
    if given is None:
        return None
    if isinstance(given, Mapping):
        values = np.full(len(schema), UNKNOWN, dtype=float)
        for attribute, value in given.items():
            values[schema.index(attribute)] = UNKNOWN if value is None else value
    else:
        try:
            values = np.asarray(given, dtype=float)
        except (TypeError, ValueError):
            raise InputError(
                f"labels {given!r} are not numbers; give 1, 0 or -1 for each attribute"
            ) from None
    if values.shape != (len(schema),):
        raise InputError(
            f"labels have shape {values.shape}; expected ({len(schema)},), "
            f"one value for each attribute of {schema.name!r}"
        )
    if not np.isin(values, (1, 0, UNKNOWN)).all():
        wrong = values[~np.isin(values, (1, 0, UNKNOWN))][0]
        raise InputError(f"a label is {wrong:g}; expected 1 (yes), 0 (no) or -1 (unknown)")
    return values.astype(np.int8)
