"""Doing something when a module is imported later, by whomever.

So ``import torchreid_amd`` costs next to nothing: what it adds to torchreid is added when
torchreid is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.machinery import ModuleSpec
from types import ModuleType

Load = Callable[[], None]


class ImportHook:
    """Acts once a module has been imported and no import of a package is under way.

    A module of the package may be the one that imports it, and the action may need that module
    whole: it then waits for the outermost import of the package to end.

    Args:
        module: the module waited for, e.g. ``'torchreid'``.
        package: the package, e.g. ``'torchreid_amd'``.
        action: what to do, once; afterwards the hook is gone.
        around: until then, what runs the import of other modules, by name; it is given the import
            as a function.
    """

    def __init__(
        self, module: str, package: str, action: Load, around: dict[str, Callable[[Load], None]]
    ) -> None:
        self.module, self.package, self.action, self.around = module, package, action, around
        self._there = False
        self._under_way = 0

    def start(self) -> None:
        """Act at once if the module is there already, else wait for it."""
        if self.module in sys.modules:
            self.action()
        else:
            sys.meta_path.insert(0, self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the other finders find, with its loader watched where the name concerns us."""
        if name not in {self.module, *self.around} and not name.startswith(self.package + "."):
            return None
        others = (finder for finder in list(sys.meta_path) if finder is not self)
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in others)), None)
        if spec is not None and spec.loader is not None:
            run = partial(self._run, spec.loader.exec_module)
            spec.loader.exec_module = run  # type: ignore[method-assign]
        return spec

    def _run(self, load: Callable[[ModuleType], None], module: ModuleType) -> None:
        name = module.__name__
        self._under_way += 1
        try:
            if name in self.around:
                self.around[name](lambda: load(module))
            else:
                load(module)
        finally:
            self._under_way -= 1
            vars(getattr(module.__spec__, "loader", self)).pop("exec_module", None)
        self._there |= name == self.module
        if self._there and not self._under_way and self in sys.meta_path:
            sys.meta_path.remove(self)
            self.action()
