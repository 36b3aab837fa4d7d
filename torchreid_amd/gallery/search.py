"""Finding the nearest among stored features: exact, a block at a time, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchreid_amd.core.progress_bar import progress
from torchreid_amd.gallery.store import MEMORY, Store
from torchreid_amd.interpreter.distances import Distance

FEW = 4  #: up to so many queries are compared by difference, which has no rounding to speak of
MORE = 32  #: candidates beyond those asked for that matrix products, which round, bring along


@dataclass(frozen=True)
class Nearest:
    """The k nearest of each of Q queries, nearest first; of equal distance, the first in the gallery.

    Attributes:
        distances: (Q, k) float32.
        rows: (Q, k) places in the gallery.
    """

    distances: NDArray[np.float32]
    rows: NDArray[np.int64]


class Gallery:
    """Several stores as one gallery: places count on from one store to the next.

    Args:
        stores: at least one.
    """

    def __init__(self, stores: Sequence[Store]) -> None:
        self.stores = tuple(stores)
        self.starts = np.cumsum([0, *map(len, self.stores)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def place(self, row: int) -> tuple[Store, int]:
        """The store that a place lies in, and the row there."""
        number = int(np.searchsorted(self.starts, row, "right")) - 1
        return self.stores[number], int(row - self.starts[number])

    def file(self, row: int) -> str:
        """The photograph at a place."""
        store, there = self.place(row)
        return store.file(there)

    def blocks(self, memory: int = MEMORY) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Embeddings a block at a time: the place of the first, and embeddings (n, D)."""
        for first, store in zip(self.starts.tolist(), self.stores, strict=False):
            for start, block in store.blocks(memory):
                yield first + start, block

    def embeddings(self, rows: Sequence[int] | NDArray[np.integer]) -> NDArray[np.float32]:
        """Embeddings (n, D) at some places."""
        found = [store.embedding[there] for store, there in map(self.place, rows)]
        return np.stack(found).astype(np.float32)


def nearest(
    queries: Tensor, blocks: Iterable[tuple[int, NDArray[np.float32]]], k: int, distance: Distance
) -> Nearest:
    """The k nearest of each query, by comparing it with every feature.

    More than :data:`FEW` queries are compared by matrix products, and the distances of what comes out
    nearest are then computed by difference, as for few.

    Args:
        queries: (Q, D).
        blocks: place of the first feature, and features (n, D), of which one block is held at a time.
        k: how many; all where there are fewer.
        distance: what is near.
    """
    few = len(queries) <= FEW
    kept = k if few else k + MORE
    found = [_Best(kept) for _ in queries]
    queries = queries.detach().float().cpu()
    centre = 0 if distance.name == "cosine" else queries.mean(0)  # products round less near the origin
    with torch.no_grad():
        for first, block in progress(blocks, "searching blocks of features"):
            features = torch.from_numpy(np.ascontiguousarray(block, dtype=np.float32))
            if few:
                every = torch.stack([distance.between(query, features) for query in queries])
            else:
                every = distance.matrix(queries - centre, features - centre)
            for best, values in zip(found, every.numpy(), strict=True):
                best.add(first, values, None if few else features)
        if not few:
            for best, query in zip(found, queries, strict=True):
                best.measure(query, distance)
    return Nearest(np.stack([best.values[:k] for best in found]), np.stack([best.rows[:k] for best in found]))


class _Best:
    """The nearest so far of one query."""

    def __init__(self, kept: int) -> None:
        self.kept = kept
        self.values = np.zeros(0, np.float32)
        self.rows = np.zeros(0, np.int64)
        self.features: Tensor | None = None

    def add(self, first: int, values: NDArray[np.float32], features: Tensor | None) -> None:
        """Look through the distances of a block."""
        limit = np.inf if len(self.values) < self.kept else self.values[-1]
        if len(values) > self.kept:
            limit = min(limit, np.partition(values, self.kept - 1)[self.kept - 1])
        near = np.flatnonzero(values <= limit)
        all_values = np.concatenate([self.values, values[near]])
        all_rows = np.concatenate([self.rows, near + first])
        order = np.lexsort((all_rows, all_values))[: self.kept]
        self.values, self.rows = all_values[order], all_rows[order]
        if features is not None:
            block = features[torch.from_numpy(near)]
            both = block if self.features is None else torch.cat([self.features, block])
            self.features = both[torch.from_numpy(order)]

    def measure(self, query: Tensor, distance: Distance) -> None:
        """Distances by difference instead of by product, and the order that they give."""
        if self.features is None:
            return
        self.values = distance.between(query, self.features).numpy()
        order = np.lexsort((self.rows, self.values))
        self.values, self.rows = self.values[order], self.rows[order]
