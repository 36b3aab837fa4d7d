"""Query × gallery, a block at a time, so that memory does not grow with the data set."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from torchreid_amd.evaluation.data.decomposed_images import DecomposedImages

MEMORY = 2**31  #: bytes the blocks of an evaluation may take together

# generous estimates in bytes, temporaries included
PER_PAIR_AND_ATTRIBUTE = 64  #: where shares of all pairs are ranked or added up at once
PER_RANKED_PAIR_AND_ATTRIBUTE = 12  #: where they are ranked some thousand at a time
GALLERY = 384  #: images of a block, or a multiple: products of other widths take up to a fifth longer
_PER_COMPONENT_VALUE = 12  # one number of a component: float32 copy, another of unit length or centred
_PER_ROW_VALUE = 16  # one query × gallery distance: both distances, and which pairs count


def block_sizes(
    queries: int,
    gallery: int,
    num_attributes: int,
    dimension: int,
    memory: int = MEMORY,
    per_share: int = PER_PAIR_AND_ATTRIBUTE,
) -> tuple[int, int]:
    """How many queries and how many gallery images make a block.

    Args:
        queries, gallery: images on either side.
        num_attributes: M.
        dimension: D.
        memory: bytes all temporary arrays may take together. A block of one query and one
            gallery image is never divided.
        per_share: bytes for each pair and attribute.

    Returns:
        Queries and gallery images of a block, both at least 1.
    """
    pairs = memory / 4 / (num_attributes * per_share)
    images = memory / 4 / (num_attributes * dimension * _PER_COMPONENT_VALUE)
    rows = memory / 4 / (max(gallery, 1) * _PER_ROW_VALUE)
    # many queries, since the gallery is read again for each block of them; gallery images a few hundred
    most = max(1, int(min(images, rows, max(math.sqrt(pairs), pairs / (2 * GALLERY)))))
    q = max(1, math.ceil(queries / max(1, math.ceil(queries / most))))
    g = max(1, min(gallery, int(min(pairs / q, images))))
    return q, g - g % GALLERY if GALLERY < g < gallery else g


def slices(length: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most ``size``."""
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))


def same_person_and_camera(
    query: DecomposedImages, gallery: DecomposedImages, q: slice, g: slice | None = None
) -> Tensor:
    """(q, g) bool, the pairs torchreid removes: the query's identity under the query's camera."""
    g = slice(None) if g is None else g
    return (query.pids[q, None] == gallery.pids[g]) & (query.camids[q, None] == gallery.camids[g])


def label_pairs(
    query: DecomposedImages, gallery: DecomposedImages, memory: int = MEMORY
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Every combination of query identity and label rows, with the number of kept pairs that have it.

    What depends on labels alone costs one evaluation per combination instead of one per pair;
    with labels per identity that is a small fraction. Rows without any known label are left out.

    Yields:
        ``labels_i`` and ``labels_j``, (P, M) int8, ``weight``, (P,) pairs, and ``identity``, (P,)
        the query's, in blocks.
    """
    person = torch.cat([query.pids.unsqueeze(1), query.known_labels.long()], 1)
    q_rows, q_index = torch.unique(person, dim=0, return_inverse=True)
    q_pids, q_rows = q_rows[:, 0], q_rows[:, 1:].to(torch.int8)
    g_rows, g_index = torch.unique(gallery.known_labels, dim=0, return_inverse=True)
    q_count = torch.bincount(q_index, minlength=len(q_rows))
    g_count = torch.bincount(g_index, minlength=len(g_rows))
    g_count = g_count * (g_rows >= 0).any(1)
    step = max(1, memory // 4 // (max(len(gallery), 1) * 16))
    removed = []  # (2, R) label rows of the pairs that are removed
    for rows in slices(len(query), step):
        i, j = same_person_and_camera(query, gallery, rows).nonzero().unbind(1)
        removed.append(torch.stack([q_index[rows][i], g_index[j]]))
    u, v = torch.cat(removed, 1) if removed else torch.empty(2, 0, dtype=torch.long)
    pairs = memory // 2 // (query.num_attributes * PER_PAIR_AND_ATTRIBUTE)
    for rows in slices(len(q_rows), max(1, pairs // max(len(g_rows), 1))):
        weight = q_count[rows, None] * g_count
        inside = (u >= rows.start) & (u < rows.stop) & (g_count[v] > 0)
        gone = torch.full((int(inside.sum()),), -1)
        weight.index_put_((u[inside] - rows.start, v[inside]), gone, accumulate=True)
        weight *= (q_rows[rows] >= 0).any(1).unsqueeze(1)
        i, j = weight.nonzero().unbind(1)
        yield q_rows[rows][i], g_rows[j], weight[i, j], q_pids[rows][i]
