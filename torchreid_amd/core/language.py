"""Words for readers: one table for each language, which a translator can replace.

Every word of pages, figures and printed explanations is looked up here, by a key:
``say("lead.same")``, ``say("threshold.nearer", threshold="12")``. The tables are the files in
``languages/``; ``en.json`` is the pattern. In a page's template the same function is called ``say``.
"""

from __future__ import annotations

import json
import logging
import os
import string
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from torchreid_amd.core.errors import InputError, unknown_name

FOLDER = Path(__file__).parent / "languages"
ENGLISH = "en"
_log = logging.getLogger(__name__)
_current: dict[str, str] = {}  # the table in use; empty until it is read


def languages() -> list[str]:
    """Names of the languages that come with the package."""
    return sorted(file.stem for file in FOLDER.glob("*.json"))


def set_language(language: str | os.PathLike[str]) -> None:
    """Choose the language of pages, figures and sentences that are written from now on.

    Args:
        language: one that comes with the package, ``'en'`` or ``'de'``, or a translator's file: JSON in the
            form of ``torchreid_amd/core/languages/en.json``. What it lacks is said in English.

    Raises:
        InputError: no such language or file, or a file that is no such table.

    Example:
        >>> import torchreid_amd as amd
        >>> schema = amd.attributes.sets.market1501()
        >>> amd.set_language("de")
        >>> schema.say("up", yes=False)
        'lange Ärmel'
        >>> amd.set_language("en")
    """
    name = str(language)
    if name in languages():
        table = read_table(FOLDER / f"{name}.json")
    elif name.endswith(".json"):
        table = _translated(Path(name))
    else:
        raise unknown_name("language", name, [*languages(), "FILE.json"])
    _current.clear()
    _current.update(table)


def say(key: str, **values: object) -> str:
    """The words of a key, with the values put in."""
    words = _table()[key]
    return words.format(**values) if values else words


def known(key: str) -> bool:
    """Whether there are words for a key: some have a part that users may name."""
    return key in _table()


def attribute_words(attribute: str, given: tuple[str, str] | None) -> tuple[str, str] | None:
    """What "yes" and "no" mean for an attribute in the language that is chosen.

    Args:
        attribute: its name.
        given: what its schema says. The package's own words are translated, a user's are not, unless the
            table in use has words for an attribute of that name and the package has none.
    """
    yes, no = (f"attributes.{attribute}.{value}" for value in ("yes", "no"))
    ours = (_english()[yes], _english()[no]) if yes in _english() else None
    table = _table()
    if yes in table and no in table and (ours is None or given == ours):
        return table[yes], table[no]
    if given is not None and given[1] == english("attribute.not").format(words=given[0]):
        return given[0], say("attribute.not", words=given[0])
    return given


def say_count(key: str, count: int, **values: object) -> str:
    """As :func:`say`, of ``key.one`` or ``key.many``."""
    return say(f"{key}.one" if count == 1 else f"{key}.many", count=count, **values)


def english(key: str) -> str:
    """What a key says in English."""
    return _english()[key]


def listed(words: list[str]) -> str:
    """Words as a list: "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return say("list.last", first=say("list.between").join(words[:-1]), last=words[-1])


def local_number(text: str) -> str:
    """A number that Python wrote, with the language's own signs."""
    signs = {"-": "−", ".": say("number.point"), ",": say("number.thousands")}
    return "".join(signs.get(c, c) for c in text)


def read_table(file: Path) -> dict[str, str]:
    """A table from its file, nested keys joined by dots.

    Raises:
        InputError: the file cannot be read, or is no table.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"language {str(file)!r} cannot be read ({reason}); give a JSON file in the form of "
            f"{str(FOLDER / 'en.json')!r}"
        ) from None
    if not isinstance(data, Mapping):
        raise InputError(f"language {str(file)!r} is no table; expected {{key: words}} in nested braces")
    return dict(_flat(data, file))


def _flat(data: Mapping[str, Any], file: Path, before: str = "") -> Iterator[tuple[str, str]]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _flat(value, file, f"{before}{key}.")
        elif isinstance(value, str):
            yield before + key, value
        else:
            raise InputError(f"language {str(file)!r}: {before}{key} is {value!r}; expected words")


def placeholders(words: str) -> set[str]:
    """The names in braces.

    Raises:
        ValueError: the braces do not fit.
    """
    return {name for _, name, _, _ in string.Formatter().parse(words) if name is not None}


def _translated(file: Path) -> dict[str, str]:
    """A translator's table over the English one."""
    pattern, given = _english(), read_table(file)
    for key, words in given.items():
        if key not in pattern and not key.startswith(("attributes.", "groups.")):
            raise unknown_name(f"key of language {str(file)!r}", key, pattern)
        try:
            strange = placeholders(words) - placeholders(pattern.get(key, words))
        except ValueError as error:
            raise InputError(f"language {str(file)!r}: {key} has braces that do not fit ({error})") from None
        if strange:
            expected = ", ".join(sorted(placeholders(pattern[key]))) or "none"
            raise InputError(
                f"language {str(file)!r}: {key} names {{{sorted(strange)[0]}}}; expected of: {expected}"
            )
    missing = [key for key in pattern if key not in given]
    if missing:
        _log.warning(
            f"{len(missing)} of the {len(pattern)} words of language {str(file)!r} are missing and stay "
            f"English, {missing[0]!r} the first"
        )
    return {**pattern, **given}


@cache
def _english() -> dict[str, str]:
    return read_table(FOLDER / f"{ENGLISH}.json")


def _table() -> Mapping[str, str]:
    return _current or _english()
