"""Which photographs are to be stored: a folder, a data set of torchreid, or paths."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torchreid_amd.config import activate, dataset_kwargs
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError, unknown_name
from torchreid_amd.core.images import list_images
from torchreid_amd.gallery.store import NOBODY, SPLITS

_MARKET = re.compile(r"(-?\d+)_c(\d+)")


@dataclass(frozen=True)
class Listed:
    """A photograph with what is known of it.

    Attributes:
        path: the file, whole.
        identity: who is on it; :data:`~torchreid_amd.gallery.store.NOBODY` where unknown.
        camera: which camera took it, counted from 0 as torchreid does; the same where unknown.
        split: ``train``, ``query``, ``gallery`` or "".
    """

    path: str
    identity: int = NOBODY
    camera: int = NOBODY
    split: str = ""


def listed(
    data: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    config: Any,
    splits: Sequence[str] = ("gallery",),
) -> list[Listed]:
    """The photographs of a folder, of a data set, or some paths.

    Of a folder and of paths, identity and camera are read off names in the manner of Market-1501
    (``0002_c1s1_….jpg``); a data set says them itself.

    Args:
        data: a folder, the name of a data set of torchreid, or paths.
        config: torchreid's tree, for the options of data sets.
        splits: of the data set.

    Raises:
        InputError: no such folder or data set, or no photograph in it.
    """
    if isinstance(data, str | os.PathLike):
        if os.path.isdir(Path(data).expanduser()):
            return [_named(path) for path in list_images(Path(data).expanduser())]
        return _of_dataset(str(data), config, splits)
    return [_named(str(path)) for path in data]


def _named(path: str) -> Listed:
    found = _MARKET.match(Path(path).name)
    whole = os.path.abspath(os.path.expanduser(path))
    return Listed(whole) if found is None else Listed(whole, int(found[1]), int(found[2]) - 1)


def _of_dataset(name: str, config: Any, splits: Sequence[str]) -> list[Listed]:
    for split in splits:
        if split not in SPLITS[1:]:
            raise unknown_name("split", split, SPLITS[1:])
    known = host.image_datasets()
    if name not in known:
        raise InputError(f"{name!r} is no folder, and {unknown_name('data set', name, known)}")
    on_demand = getattr(known[name], "on_demand", False)
    if not on_demand and not Path(config.data.root).expanduser().is_dir():
        raise InputError(
            f"data root {config.data.root!r} is not a folder; expected the folder that holds {name!r} "
            "(--root); nothing is downloaded"
        )
    activate(config)
    try:
        data = host.image_dataset(name, **dataset_kwargs(config))
        return [
            Listed(os.path.abspath(path), int(pid), int(camera), split)
            for split in splits
            for path, pid, camera, *_ in sorted(getattr(data, split))
        ]
    except InputError:
        raise
    except Exception as error:  # a data set is foreign code: anything may come out of it
        said = " ".join(str(error).split())[:200] or traceback.extract_tb(error.__traceback__)[-1].line
        raise InputError(
            f"torchreid cannot load {name} under {config.data.root!r}: {said}; check --root"
        ) from None
