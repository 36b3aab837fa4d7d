"""Us into torchreid (others into us: :mod:`torchreid_amd.core.entry_points`).

torchreid looks a model's name up in ``list(factory.keys())`` and then in the factory. A family of a
thousand names that all begin alike stands there as one pattern, and the constructor of a name is
made when that name is asked for.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, KeysView, Mapping
from functools import partial
from typing import Any

from torchreid_amd.core.host import (
    PREFIX,
    STRIDE1,
    TIMM,
    building_globals,
    image_datasets,
    model_factory,
    reading_globals,
    submodule_aliases,
    torchreid,
)
from torchreid_amd.core.images import read_image
from torchreid_amd.core.registry import datasets
from torchreid_amd.engine.amd_model import interpreted_factory
from torchreid_amd.engine.engine import ImageAMDEngine, interpreter_of
from torchreid_amd.engine.surroundings import knowing_surroundings
from torchreid_amd.losses import AttributePriorLoss, MetricDistillationLoss
from torchreid_amd.targets.families.last_stride import stride1_factory
from torchreid_amd.targets.timm.model import timm_factory

Constructor = Callable[..., Any]
_undo: list[Callable[[], object]] = []


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
            raise :class:`~torchreid_amd.core.errors.InputError` for a name it does not know.
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


def handing_over(engine: Any) -> Any:
    """torchreid's softmax or triplet engine, handing interpreters over to :class:`ImageAMDEngine`.

    A script written for torchreid then trains ``amd_<model>`` without a change: arguments that
    concern identity losses (label smoothing, margin …) mean nothing to an interpreter.
    """

    class HandingOver(engine):
        def __new__(cls, datamanager: Any, model: Any = None, *args: Any, **kwargs: Any) -> Any:
            if interpreter_of(model) is None:
                return super().__new__(cls)
            given = inspect.signature(engine.__init__).bind(None, datamanager, model, *args, **kwargs)
            kept = ("optimizer", "scheduler", "use_gpu")
            chosen = {k: v for k, v in given.arguments.items() if k in kept}
            return ImageAMDEngine(datamanager, model, **chosen)

    HandingOver.__name__ = HandingOver.__qualname__ = engine.__name__
    HandingOver.__doc__ = engine.__doc__
    return HandingOver


def install() -> None:
    """Register everything into torchreid; a second call changes nothing.

    Data sets go through torchreid's public function; for every model name ``m`` the factory gets
    ``amd_m``, and it is opened to all names ``timm_…`` and ``stride1_…``, also behind ``amd_``;
    ``ImageAMDEngine`` and the losses become attributes of ``torchreid.engine`` and ``torchreid.losses``; the
    softmax and triplet engines hand a model built by ``amd_m`` over to ``ImageAMDEngine``.
    ``torchreid.utils`` and its like become modules that can be imported also where PyPI's torchreid has
    them as attributes alone. A name that torchreid already has is left alone.

    Example:
        >>> import torchreid, torchreid_amd as amd
        >>> amd.install()  # importing did it
        >>> model = torchreid.models.build_model("amd_osnet_x0_25", num_classes=751, pretrained=False)
        >>> model.interpreter.target.name
        'osnet_x0_25'
    """
    if _undo:
        return
    package = torchreid()
    for alias, module in submodule_aliases().items():
        if sys.modules.setdefault(alias, module) is module:
            _undo.append(partial(sys.modules.pop, alias, None))
    known = image_datasets()
    for name in datasets.list():
        if name not in known:
            package.data.register_image_dataset(name, datasets[name])
            _undo.append(partial(known.pop, name, None))
    families: dict[str, Callable[[str], Any]] = {TIMM: timm_factory, STRIDE1: stride1_factory}
    families |= {PREFIX + f: lambda n: interpreted_factory(n.removeprefix(PREFIX)) for f in (TIMM, STRIDE1)}
    factory = _open_factory(families)
    for name in list(factory):
        if not name.startswith(PREFIX) and PREFIX + name not in factory:
            factory[PREFIX + name] = interpreted_factory(name)
            _undo.append(partial(factory.pop, PREFIX + name, None))
    _set(package.engine, "ImageAMDEngine", ImageAMDEngine)
    for loss in (MetricDistillationLoss, AttributePriorLoss):
        _set(package.losses, loss.__name__, loss)
    reading = reading_globals()  # torchreid's own reader tries a broken file for ever
    _undo.append(partial(reading.__setitem__, "read_image", reading["read_image"]))
    reading["read_image"] = read_image
    building = building_globals()
    _undo.append(partial(building.__setitem__, "build_transforms", building["build_transforms"]))
    building["build_transforms"] = knowing_surroundings(building["build_transforms"])
    for name in ("ImageSoftmaxEngine", "ImageTripletEngine"):
        _set(package.engine, name, handing_over(getattr(package.engine, name)))


def uninstall() -> None:
    """Put torchreid back as it was before :func:`install`.

    Example:
        >>> import torchreid, torchreid_amd as amd
        >>> amd.uninstall()
        >>> hasattr(torchreid.engine, "ImageAMDEngine")
        False
        >>> amd.install()
        >>> hasattr(torchreid.engine, "ImageAMDEngine")
        True
    """
    while _undo:
        _undo.pop()()


def _open_factory(families: dict[str, Callable[[str], Any]]) -> OpenFactory:
    """Put a factory open to families of names in the place of torchreid's, until :func:`uninstall`."""
    models, closed = torchreid().models, model_factory()
    opened = OpenFactory(closed, families)
    setattr(models, "__model_factory", opened)  # noqa: B010

    def close() -> None:
        names = dict(opened)  # others may have added some, or taken some away
        closed.clear()
        closed.update(names)
        setattr(models, "__model_factory", closed)  # noqa: B010

    _undo.append(close)
    return opened


def _set(module: Any, name: str, value: Any) -> None:
    """Set an attribute of one of torchreid's modules, to be undone by :func:`uninstall`."""
    if name in vars(module):
        _undo.append(partial(setattr, module, name, getattr(module, name)))
    else:
        _undo.append(partial(delattr, module, name))
    setattr(module, name, value)
