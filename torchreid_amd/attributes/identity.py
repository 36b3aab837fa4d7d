"""Which person is on a photograph: the rule that reads an identity off its path.

torchreid numbers training identities anew, and shifts them when data sets are added together.
What survives is the path of an image. Where a data set writes the identity into it is known for
torchreid's own; ``amd.attributes.identity`` says it for others. The rule is held against the data
set's own identities, which nobody else sees in the end.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from torchreid_amd.core.errors import InputError

OPTION = "amd.attributes.identity"

_MARKET = r"(?:^|/)(-?\d+)_c\d[^/]*$"  # 0002_c1s1_000451_03.jpg
_LEADING = r"(?:^|/)(\d+)_[^/]*$"  # 0001_1_25004.jpeg, 00000_0.jpg
_FOUR = r"(?:^|/)(\d{4})\d+\.[^/]*$"  # 0001001.png

#: Where the identity stands in an image's path, for torchreid's image data sets; a data set's class
#: may say so itself (``pid_pattern``), others have names like Market-1501.
PID_PATTERNS = {
    "market1501": _MARKET,
    "dukemtmcreid": _MARKET,
    "viper": _LEADING,
    "grid": _LEADING,
    "sensereid": _LEADING,
    "cuhk01": _FOUR,
    "ilids": _FOUR,
    "prid": r"(?:^|/)person_(\d+)\.[^/]*$",
    "cuhksysu": r"(?:^|/)p(\d+)_[^/]*$",
    "university1652": r"(?:^|/)(\d+)/[^/]+$",
}

#: Data sets where a number in the file name does not name one person, and why.
NO_PID = {
    "msmt17": "training and test identities are both numbered from 0",
    "cuhk02": "identities are numbered from 1 in each camera pair",
    "cuhk03": "identities are numbered from 1 in each camera pair",
}

#: Data sets in which identity 0 is everybody who was not identified; negative ones never are.
_DISTRACTORS = ("market1501", "synthetic", "synthetic_attr_night", "grid")

#: The photographs of a data set by split, as torchreid lists them: (path, pid, …).
Splits = Mapping[str, Sequence[Sequence[Any]]]


class IdentityRule:
    """From an image's path to the number of the person on it.

    Args:
        name: the data set, as torchreid knows it.
        pattern: a regular expression that is searched for in the path (folders are separated by
            ``/``); its first group is the identity, an integer. Default: the data set's own, and
            Market-1501's for a data set nobody described.

    Raises:
        InputError: no regular expression, or one without a group.
    """

    def __init__(self, name: str, pattern: str = "") -> None:
        base = name.removesuffix("_attr")
        self.name = name
        self.given = bool(pattern)
        self.pattern = pattern or PID_PATTERNS.get(base, _MARKET)
        self.first = 1 if base in _DISTRACTORS else 0  #: the first number that is a person
        try:
            self._search = re.compile(self.pattern).search
            groups = re.compile(self.pattern).groups
        except re.error as error:
            raise InputError(
                f"{OPTION} is '{pattern}', which is no regular expression ({error}); expected one whose "
                r"first group is the identity in a path, e.g. 'person_(\d+)_'"
            ) from None
        if not groups:
            raise InputError(
                f"{OPTION} is '{pattern}' without a group; put the identity in parentheses, "
                r"e.g. 'person_(\d+)_'"
            )

    def raw(self, impath: str) -> int | None:
        """The number in a path, be it a person, junk or a distractor; None where there is none.

        Raises:
            InputError: what the rule finds is no integer.
        """
        found = self._search(impath.replace(os.sep, "/"))
        if found is None or found[1] is None:
            return None
        try:
            return int(found[1])
        except ValueError:
            raise InputError(
                f"the identity of {impath!r} is {found[1]!r} by the rule '{self.pattern}' ({OPTION}); "
                "expected an integer: change the rule, or use a table by image"
            ) from None

    def pids(self, impaths: Iterable[str]) -> list[int | None]:
        """The person in each path; None for junk, distractors and paths without an identity."""
        numbers = (self.raw(path) for path in impaths)
        return [pid if pid is not None and pid >= self.first else None for pid in numbers]

    def check(self, splits: Splits) -> list[str]:
        """Hold the rule against the identities the data set itself gives.

        Args:
            splits: its photographs; within a split an identity has one number.

        Returns:
            Lines to print: photographs without an identity, and numbers that stand for somebody in
            more than one split.

        Raises:
            InputError: the two contradict each other, with two photographs that show it.
        """
        lines = []
        seen: dict[int, str] = {}
        for split, items in splits.items():
            one_to_one(
                splits={split: items}, key=self.raw, name=self.name, what="by their paths", help_=self._help()
            )
            without = [item[0] for item in items if self.raw(item[0]) is None]
            if items and len(without) == len(items):
                raise InputError(
                    f"no photograph of {self.name!r} ({split}) has an identity by the rule '{self.pattern}', "
                    f"e.g. {without[0]!r}; {self._help()}"
                )
            if without:
                lines.append(
                    f"{len(without)} of {len(items)} photographs of {self.name!r} ({split}) have no identity "
                    f"by the rule '{self.pattern}', e.g. {without[0]!r}; their labels are unknown"
                )
            people = {pid: item[0] for item, pid in zip(items, self.pids(i[0] for i in items), strict=True)}
            both = sorted(pid for pid in people if pid is not None and pid in seen)
            if both:
                lines.append(
                    f"{len(both)} identities of {self.name!r} are in more than one split, e.g. {both[0]}: "
                    f"{seen[both[0]]!r} and {people[both[0]]!r}; one row speaks for both: if they are "
                    "different people, use a table by image"
                )
            seen |= {pid: path for pid, path in people.items() if pid is not None}
        return lines

    def _help(self) -> str:
        return (
            f"say where the identity stands with {OPTION}, a regular expression on the path whose first "
            r"group it is (e.g. 'person_(\d+)_'), or use a table by image"
        )


def one_to_one(
    splits: Splits, key: Callable[[str], Hashable], name: str, what: str, help_: str, reverse: bool = True
) -> None:
    """Check that a key of a path and the data set's identity stand for each other.

    Args:
        splits: photographs of a data set, (path, pid, …) by split.
        key: of a path; None where it has none.
        name: of the data set.
        what: how the key says who it is, for the message.
        help_: what to do, for the message.
        reverse: whether an identity may have one key only, too.

    Raises:
        InputError: one key for two identities (or the reverse), with two photographs that show it.
    """
    people: dict[Hashable, tuple[tuple[str, int], str]] = {}
    keys: dict[tuple[str, int], tuple[Hashable, str]] = {}
    for split, items in splits.items():
        for path, pid, *_ in items:
            person, found = (split, int(pid)), key(path)
            if found is not None:
                other, where = people.setdefault(found, (person, path))
                if other != person:
                    raise InputError(
                        f"{path!r} and {where!r} are one person {what} ({found}), and two in data set "
                        f"{name!r} ({_said(person, other)}); {help_}"
                    )
            first, where = keys.setdefault(person, (found, path))
            if reverse and first != found:
                raise InputError(
                    f"{path!r} and {where!r} are two persons {what} ({_none(found)} and {_none(first)}), and "
                    f"one in data set {name!r} ({person[1]}); {help_}"
                )


def _said(a: tuple[str, int], b: tuple[str, int]) -> str:
    return f"{a[1]} and {b[1]}" if a[0] == b[0] else f"{a[1]} in {a[0]} and {b[1]} in {b[0]}"


def _none(key: Hashable) -> str:
    return "nobody" if key is None else str(key)
