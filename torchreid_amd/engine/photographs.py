"""Every photograph of a run is read once before anything is computed.

torchreid tries a file that cannot be read for ever. Found before training, a broken one costs a
line; found after it, a night.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torchreid_amd.config import dataset_kwargs
from torchreid_amd.core import host
from torchreid_amd.core.broken_photographs import broken_photographs, say_broken
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.processes import share, together
from torchreid_amd.engine.cache.store import unchanged
from torchreid_amd.engine.cache.training import cache_path

_SPLITS = ("train", "query", "gallery")


@contextmanager
def whole_photographs(cfg: Any) -> Iterator[None]:
    """Check the photographs of a configuration's data sets; meanwhile torchreid sees whole ones alone.

    Training photographs that a cache was made of (``amd.cache``) were whole then and are not read again.
    Where ``amd.skip_broken`` is set, broken ones are counted and listed, and left out of the data sets
    that are built inside the block.

    Raises:
        InputError: there are broken ones, and they are not to be skipped, or nothing is left.
    """
    names = list(dict.fromkeys([*cfg.data.sources, *cfg.data.targets]))
    sets = [host.image_dataset(name, **dataset_kwargs(cfg)) for name in names]
    paths = [item[0] for data in sets for split in _SPLITS for item in getattr(data, split)]
    known = unchanged(cache_path(cfg), paths) if cfg.amd.cache else set()
    mine = share([path for path in dict.fromkeys(paths) if path not in known])
    found = {path: why for part in together(broken_photographs(mine)) for path, why in part.items()}
    if not found:
        yield
        return
    say_broken(found, cfg.amd.skip_broken)
    classes = host.image_datasets()
    own = {name: classes[name] for name in names}
    classes.update({name: partial(_without, kind, set(found)) for name, kind in own.items()})
    try:
        yield
    finally:
        classes.update(own)


def _without(kind: Callable[..., Any], broken: set[str], **options: Any) -> Any:
    """A data set without some photographs; training identities are numbered from 0 again."""
    verbose = options.pop("verbose", True)
    data = kind(verbose=False, **options)
    for split in _SPLITS:
        kept = [item for item in getattr(data, split) if item[0] not in broken]
        if not kept:
            raise InputError(f"no photograph of {kind.__name__} ({split}) can be read; replace the files")
        setattr(data, split, kept)
    number = {pid: n for n, pid in enumerate(sorted({item[1] for item in data.train}))}
    data.train = [(path, number[pid], *rest) for path, pid, *rest in data.train]
    data.num_train_pids, data.num_train_cams = len(number), data.get_num_cams(data.train)
    data.data = getattr(data, data.mode)
    if verbose:
        data.show_summary()
    return data
