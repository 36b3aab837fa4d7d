"""What is seen of stored photographs, a block at a time, and where photographs lie in stores."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchreid_amd.core.errors import InputError
from torchreid_amd.gallery.mark import Mark
from torchreid_amd.gallery.search import Gallery
from torchreid_amd.gallery.seen import Seen
from torchreid_amd.gallery.store import MEMORY, Store


def seen_blocks(stores: Sequence[Store], memory: int = MEMORY) -> Iterator[Seen]:
    """What is seen of all photographs, in their order, a block at a time.

    Raises:
        InputError: a store was made without it.
    """
    for store in stores:
        step = max(1, memory // max(1, store.seen[:1].nbytes))
        for start in range(0, len(store), step):
            rows = slice(start, start + step)
            yield Seen(*(torch.from_numpy(np.array(x[rows])) for x in (store.embedding, store.seen)))


def stores_among(gallery: Sequence[Any], mark: Mark) -> list[Store]:
    """The stores that a gallery consists of, checked; none where it consists of photographs.

    Args:
        gallery: photographs or stores.
        mark: of the model that is to use them.

    Raises:
        InputError: it is both, or a store is unfinished, of another model, or without what is seen.
    """
    stores = [one for one in gallery if isinstance(one, Store)]
    if stores and len(stores) < len(gallery):
        raise InputError("the gallery is both stored features and photographs; give one kind")
    for store in stores:
        store.check(mark)
        store.array("seen")
    return stores


def seen_at(gallery: Gallery, rows: Sequence[int]) -> Seen:
    """What is seen of the photographs at some places (n,)."""
    return _seen([gallery.place(row) for row in rows])


def seen_of_files(stores: Sequence[Store], paths: Sequence[str]) -> Seen:
    """What is seen of photographs by their paths (n,)."""
    return _seen(places_of(stores, paths))


def embedding_of_files(stores: Sequence[Store], paths: Sequence[str]) -> Tensor:
    """Stored embeddings (n, D) of photographs by their paths."""
    return torch.from_numpy(np.stack([store.embedding[row] for store, row in places_of(stores, paths)]))


def names_of(gallery: Sequence[str] | Sequence[Store]) -> list[str]:
    """The paths of a gallery's photographs."""
    each = ([one] if isinstance(one, str) else map(one.file, range(len(one))) for one in gallery)
    return [path for paths in each for path in paths]


def places_of(stores: Sequence[Store], paths: Sequence[str]) -> list[tuple[Store, int]]:
    """The store and the row of each photograph.

    Raises:
        InputError: a photograph is in none of the stores.
    """
    places = {path: (store, row) for store in stores for path, row in store.rows().items()}
    found = [places.get(os.path.abspath(path)) for path in paths]
    missing = [path for path, place in zip(paths, found, strict=True) if place is None]
    if missing:
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        raise InputError(
            f"{missing[0]!r}{more} cannot be found among the stored features; extract every split that is "
            "tested: --split query gallery"
        )
    return [place for place in found if place is not None]


def _seen(places: Sequence[tuple[Store, int]]) -> Seen:
    columns = ([store.embedding[row] for store, row in places], [store.seen[row] for store, row in places])
    return Seen(*(torch.from_numpy(np.stack(column)) for column in columns))
