"""torchreid's dictionary of model constructors, open to whole families of names.

torchreid looks a name up in ``list(factory.keys())`` and then in the factory. A family of a
thousand names that all begin alike stands there as one pattern, and the constructor of a name is
made when that name is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, KeysView, Mapping
from typing import Any

Constructor = Callable[..., Any]


class Pattern(str):
    """``'timm_*'`` as torchreid searches it: equal to every name that begins with ``'timm_'``."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and other.startswith(self[:-1])

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


class _Names(KeysView[str]):
    """The names of a factory and, behind them, its patterns."""

    def __init__(self, names: Mapping[str, Any], patterns: list[Pattern]) -> None:
        super().__init__(names)
        self._patterns = patterns

    def __iter__(self) -> Iterator[str]:
        yield from super().__iter__()
        yield from self._patterns

    def __len__(self) -> int:
        return super().__len__() + len(self._patterns)


class OpenFactory(dict[str, Any]):
    """Model constructors by name, and families of them by the beginning of the name.

    Iterating, counting and copying give the names alone; ``keys()``, where torchreid looks a name
    up, has the patterns too.

    Args:
        names: constructors by name.
        families: by the beginning of a name, what makes the constructor of the whole name. It may
            raise :class:`~torchreid_amd.errors.InputError` for a name it does not know.
    """

    def __init__(
        self, names: Mapping[str, Any], families: Mapping[str, Callable[[str], Constructor]]
    ) -> None:
        super().__init__(names)
        self.families = dict(families)

    def __missing__(self, name: str) -> Constructor:
        for beginning, make in self.families.items():
            if name.startswith(beginning):
                return make(name)
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        if super().__contains__(name):
            return True
        return isinstance(name, str) and name.startswith(tuple(self.families))

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        """Names and patterns."""
        return _Names(self, [Pattern(f"{beginning}*") for beginning in self.families])
