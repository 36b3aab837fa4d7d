"""Photographs of an evaluation with what is known of them, and pairs drawn from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from torchreid_amd.attributes.exclusive import pair_labels


@dataclass(frozen=True)
class LabelledImages:
    """Photographs with what is known of them.

    Attributes:
        paths: N files.
        pids: (N,) identities.
        camids: (N,) cameras.
        labels: (N, M) 1 yes, 0 no, −1 unknown.
    """

    paths: tuple[str, ...]
    pids: NDArray[np.int64]
    camids: NDArray[np.int64]
    labels: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.paths)

    def part(self, rows: Sequence[int] | NDArray[np.integer]) -> LabelledImages:
        """Some of them, by position."""
        index = np.asarray(rows, dtype=int)
        paths = tuple(self.paths[i] for i in index)
        return LabelledImages(paths, self.pids[index], self.camids[index], self.labels[index])

    def sample(self, count: int, seed: int) -> LabelledImages:
        """At most ``count`` of them, drawn from a seed, in their own order."""
        if count >= len(self):
            return self
        return self.part(np.sort(np.random.default_rng(seed).permutation(len(self))[:count]))


def sample_pairs(
    query: LabelledImages, gallery: LabelledImages, count: int, seed: int, changes: int = 1
) -> list[tuple[int, int]]:
    """Pairs of different persons, drawn from a seed, every query before any comes up again.

    Args:
        query, gallery: the two sides.
        count: at most how many pairs.
        seed: of the draw.
        changes: in how many attributes the two must differ at least.

    Returns:
        Positions in query and gallery.
    """
    rng = np.random.default_rng(seed)
    found: list[tuple[int, int]] = []
    for _ in range(4 * count // max(1, len(query)) + 4):
        for i in rng.permutation(len(query)).tolist():
            j = int(rng.integers(len(gallery)))
            apart = int(pair_labels(query.labels[i], gallery.labels[j])[0].sum())
            if query.pids[i] != gallery.pids[j] and apart >= changes:
                found.append((i, j))
            if len(found) == count:
                return found
    return found
