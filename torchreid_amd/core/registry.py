"""One registry for heads, losses, targets, attribute sets and datasets.

In the manner of timm: a decorated function or class *is* the registration, and the name
comes from the function. Third parties add to it through the entry-point group
``torchreid_amd.plugins``. Whatever is registered by importing it, ours and theirs, is imported
before a name is first looked up.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Generic, TypeVar

from torchreid_amd.core.errors import InputError, unknown_name

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
_before_reading: list[Callable[[], Any]] = []


def before_reading(action: Callable[[], Any]) -> None:
    """Have ``action`` called, once, before a name is next looked up in any registry."""
    _before_reading.append(action)


def _complete() -> None:
    while _before_reading:
        _before_reading.pop()()


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Sort key under which ``x2`` comes before ``x10``."""
    return [(0, int(p)) if p.isdigit() else (1, p.lower()) for p in re.split(r"(\d+)", name) if p]


class Registry(Generic[T]):
    """Names and what they stand for.

    Args:
        kind: what the entries are, in the singular; it appears in error messages.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}
        self._families: dict[str, tuple[T, Callable[[str], list[str]]]] = {}
        self._modules: dict[str, str] = {}

    def register(self, entry: Any = None, *, name: str = "", override: bool = False) -> Any:
        """Register a function or class under its own name; a decorator, bare or called.

        Args:
            entry: the function or class.
            name: the name to use instead of ``entry.__name__``.
            override: replace an entry of the same name instead of refusing.

        Raises:
            InputError: the name is taken and ``override`` is false.

        Example:
            >>> import torchreid_amd as amd
            >>> from torchreid_amd.core.registry import attribute_sets, heads
            >>> @amd.register_head
            ... class my_head: ...
            >>> heads["my_head"] is my_head
            True
            >>> heads.remove("my_head")
            >>> @amd.register_attributes
            ... def mine():
            ...     return amd.AttributeSchema("mine", ("hat", "bag"))
            >>> attribute_sets["mine"]().attributes
            ('hat', 'bag')
            >>> attribute_sets.remove("mine")
        """

        def add(item: Any) -> Any:
            self.add(name or item.__name__, item, override=override)
            return item

        return add if entry is None else add(entry)

    def add(self, name: str, entry: T, *, override: bool = False) -> None:
        """Register ``entry`` as ``name``; see :meth:`register`."""
        if self._modules.get(name) not in (None, getattr(entry, "__module__", None)):
            import_module(self._modules[name])
        self._modules.pop(name, None)
        taken = self._entries.get(name)
        if taken is not None and taken is not entry and not override:
            raise InputError(
                f"{self.kind} {name!r} is already registered; choose another name or pass override=True"
            )
        self._entries[name] = entry

    def add_module(self, module: str, *names: str) -> None:
        """Register names that importing ``module`` registers; it is imported when one is asked for."""
        self._modules.update((name, module) for name in names if name not in self._entries)

    def add_family(self, beginning: str, entry: T, names: Callable[[str], list[str]]) -> None:
        """Register one entry for every name that begins with ``beginning``.

        Args:
            beginning: e.g. ``'timm_'``.
            entry: what each of the names stands for.
            names: the names that match a wildcard pattern; asked when such a pattern is listed, so
                that it may be slow. ``list()`` does not show them, ``list('timm_*')`` does.
        """
        self._families[beginning] = (entry, names)

    def remove(self, name: str) -> None:
        """Forget ``name``."""
        self[name]
        del self._entries[name]

    def __getitem__(self, name: str) -> T:
        _complete()
        if name in self._modules:
            import_module(self._modules[name])
        if name in self._entries:
            return self._entries[name]
        for beginning, (entry, _) in self._families.items():
            if name.startswith(beginning):
                return entry
        raise unknown_name(self.kind, name, self.list())

    def __contains__(self, name: object) -> bool:
        _complete()
        in_family = isinstance(name, str) and name.startswith(tuple(self._families))
        return in_family or name in self._entries or name in self._modules

    def __iter__(self) -> Iterator[str]:
        return iter(self.list())

    def __len__(self) -> int:
        _complete()
        return len(self._entries) + len(self._modules)

    def list(self, pattern: str = "*") -> list[str]:
        """Registered names that match a wildcard pattern, in natural order.

        Example:
            >>> import torchreid_amd as amd
            >>> amd.list_heads(), amd.list_losses("*prior"), amd.list_datasets("market*")
            (['additive', 'amd', 'attrimeter'], ['attribute_prior'], ['market1501_attr'])
            >>> amd.list_targets("osnet_ain*"), amd.list_attributes("market1501")
            (['osnet_ain_x0_5', 'osnet_ain_x0_25', 'osnet_ain_x0_75', 'osnet_ain_x1_0'], ['market1501'])
        """
        _complete()
        found = fnmatch.filter([*self._entries, *self._modules], pattern)
        for beginning, (_, names) in self._families.items():
            if pattern.startswith(beginning):
                found += [n for n in names(pattern) if n not in self._entries]
        return sorted(found, key=natural_key)


heads: Registry[Any] = Registry("head")
losses: Registry[Any] = Registry("loss")
targets: Registry[Any] = Registry("target")
attribute_sets: Registry[Any] = Registry("attribute set")
datasets: Registry[Any] = Registry("dataset")

register_head = heads.register
register_loss = losses.register
register_attributes = attribute_sets.register
register_dataset = datasets.register

list_heads = heads.list
list_losses = losses.list
list_targets = targets.list
list_attributes = attribute_sets.list
list_datasets = datasets.list


def register_target(*names: str, override: bool = False) -> Callable[[F], F]:
    """Decorator that registers a cut for one or several model names.

    Example:
        >>> import torchreid_amd as amd
        >>> from torchreid_amd.core.registry import targets
        >>> @amd.register_target("my_model_small", "my_model_large")
        ... def my_model(model):
        ...     return amd.cut(model, map="layer4", stem="layer2")
        >>> amd.list_targets("my_model*")
        ['my_model_large', 'my_model_small']
        >>> for name in amd.list_targets("my_model*"):
        ...     targets.remove(name)
    """

    def add(cut: F) -> F:
        for name in names or (cut.__name__,):
            targets.add(name, cut, override=override)
        return cut

    return add
