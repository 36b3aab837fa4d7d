"""What a gallery is given as on the command line: photographs, folders, a data set, or stored features."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torchreid_amd.core.broken_photographs import broken_photographs, say_broken
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.images import IMAGE_SUFFIXES, list_images
from torchreid_amd.gallery.listing import listed
from torchreid_amd.gallery.store import Store

STORES = (".h5", ".hdf5")  #: how the name of a file of stored features ends


def gallery_of(
    given: Sequence[str],
    config: Any,
    splits: Sequence[str] = ("gallery",),
    skip_broken: bool = False,
    photographs: str = "",
) -> list[str] | list[Store]:
    """The photographs, or the stores, that a gallery consists of.

    Args:
        given: photographs, folders and names of data sets, or files of stored features.
        config: torchreid's tree, for the options of data sets.
        splits: of data sets.
        skip_broken: leave out photographs that cannot be read, and list them.
        photographs: the folder that the photographs of stores are in now; where they were, if empty.

    Raises:
        InputError: photographs and stores together, an unknown data set, a store that cannot be read, or
            photographs that cannot.
    """
    stores = [path for path in given if path.lower().endswith(STORES) and not os.path.isdir(path)]
    if stores and len(stores) < len(given):
        raise InputError(
            f"the gallery is both stored features ({stores[0]!r}) and photographs "
            f"({next(path for path in given if path not in stores)!r}); give one kind"
        )
    if stores:
        opened = [Store(path) for path in stores]
        for store in opened:
            store.root = os.path.abspath(os.path.expanduser(photographs)) if photographs else store.root
        return opened
    found = [file for path in given for file in _photographs(path, config, splits)]
    if skip_broken:
        broken = broken_photographs(found)
        say_broken(broken, skip=True)
        found = [file for file in found if file not in broken]
        if not found:
            raise InputError("no photograph of the gallery can be read; replace the files")
    return found


def _photographs(path: str, config: Any, splits: Sequence[str]) -> list[str]:
    if Path(path).is_dir():
        return list_images(path)
    if os.path.exists(path) or os.sep in path or path.lower().endswith(IMAGE_SUFFIXES):
        return [path]
    return [one.path for one in listed(path, config, splits)]
