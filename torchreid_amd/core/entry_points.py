"""Others into us: packages that add heads, losses, targets, attribute sets or data sets."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

PLUGIN_GROUP = "torchreid_amd.plugins"


def load_plugins() -> dict[str, Exception]:
    """Load every entry point of the group ``torchreid_amd.plugins``.

    An entry point names a module (importing it registers its components) or a function
    (called without arguments). One that fails is reported by name in a warning and does not
    stop the others.

    Returns:
        The failures, by entry-point name.

    Example:
        >>> import torchreid_amd as amd
        >>> amd.load_plugins()  # all that are installed could be loaded
        {}
    """
    failed: dict[str, Exception] = {}
    for point in entry_points(group=PLUGIN_GROUP):
        try:
            loaded: Callable[[], Any] | Any = point.load()
            if callable(loaded):
                loaded()
        except Exception as error:  # a plug-in is foreign code: anything may come out of it
            failed[point.name] = error
            warnings.warn(
                f"torchreid_amd plug-in {point.name!r} ({point.value}) could not be loaded: "
                f"{type(error).__name__}: {error}",
                stacklevel=2,
            )
    return failed
