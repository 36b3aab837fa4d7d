"""Which pairs an audit looks at: different persons, the same person, and where a model fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchreid_amd.auditing.audited_set import AuditedSet
from torchreid_amd.evaluation.data.labelled_images import LabelledImages
from torchreid_amd.evaluation.retrieval import Retrieval
from torchreid_amd.interpreter.distances import Distance

DIFFERENT, SAME = "different persons", "the same person"
FALSE, MISSED = "false matches at rank 1", "misses"
KINDS = (DIFFERENT, SAME, FALSE, MISSED)
BLOCK = 256  #: queries whose distances are held at a time
Positions = NDArray[np.int64]
Floats = NDArray[np.float64]


class Pair(NamedTuple):
    """A query and a gallery photograph.

    Attributes:
        kind: one of :data:`KINDS`.
        number: of the data set.
        query, gallery: positions there.
    """

    kind: str
    number: int
    query: int
    gallery: int


@dataclass(frozen=True)
class Search:
    """What a model finds for each of Q queries, under torchreid's protocol.

    Gallery photographs of the query's person under the query's camera are removed.

    Attributes:
        first: (Q,) the gallery's position at rank 1; −1 for a query without its person under another camera.
        right: (Q,) the nearest photograph of the query's person under another camera, or −1.
        retrieval: rank-1 and mAP.
    """

    first: Positions
    right: Positions
    retrieval: Retrieval


def distance_blocks(metric: Distance, query: Tensor, gallery: Tensor) -> Iterator[tuple[slice, Floats]]:
    """Distances (n, G) of some queries at a time, in the order given."""
    for start in range(0, len(query), BLOCK):
        rows = slice(start, start + BLOCK)
        yield rows, metric.matrix(query[rows].float(), gallery.float()).double().numpy()


def search(metric: Distance, embeddings: tuple[Tensor, Tensor], data: AuditedSet) -> Search:
    """Search the gallery for every query.

    Args:
        metric: the distance.
        embeddings: of query (Q, D) and gallery (G, D).
        data: who is on them, under which camera.
    """
    query, gallery = data.query, data.gallery
    first, right = np.full(len(query), -1), np.full(len(query), -1)
    retrieval = Retrieval((1,))
    for rows, distances in distance_blocks(metric, *embeddings):
        pids, camids = query.pids[rows], query.camids[rows]
        retrieval.update(distances, pids, gallery.pids, camids, gallery.camids)
        for n, (row, pid, camid) in enumerate(zip(distances, pids, camids, strict=True), rows.start):
            same, here = gallery.pids == pid, gallery.camids == camid
            if (same & ~here).any():
                first[n] = np.where(same & here, np.inf, row).argmin()
                right[n] = np.where(same & ~here, row, np.inf).argmin()
    return Search(first, right, retrieval)


def draw(found: Sequence[Search], data: Sequence[AuditedSet], most: int, seed: int) -> list[Pair]:
    """At most so many pairs of each kind from each data set; in each kind a query comes up at most once.

    Different persons are drawn at random (without gallery photographs of nobody in the query, as distractors
    are); of the same person a photograph under another camera at random. A false match is what is at rank 1
    instead of the person, and a miss the nearest photograph of the person then.
    """
    pairs = []
    for number, (one, sides) in enumerate(zip(found, data, strict=True)):
        kinds = _draw(one, sides.query, sides.gallery, most, seed)
        pairs += [Pair(k, number, q, g) for k, some in zip(KINDS, kinds, strict=True) for q, g in some]
    return pairs


def _draw(
    found: Search, query: LabelledImages, gallery: LabelledImages, most: int, seed: int
) -> list[list[tuple[int, int]]]:
    pairs: list[list[tuple[int, int]]] = [[] for _ in KINDS]
    generator = np.random.default_rng(seed)
    known = np.isin(gallery.pids, query.pids)
    for q in generator.permutation(len(query)).tolist():
        same = gallery.pids == query.pids[q]
        elsewhere = np.flatnonzero(same & (gallery.camids != query.camids[q]))
        wrong = found.first[q] >= 0 and not same[found.first[q]]
        false = found.first[q : q + 1] if wrong else found.first[:0]
        for kind, others in zip(pairs, (np.flatnonzero(known & ~same), elsewhere, false), strict=False):
            if len(others) and len(kind) < most:
                kind.append((q, int(generator.choice(others))))
        if wrong and len(pairs[3]) < most:
            pairs[3].append((q, int(found.right[q])))
    return pairs


def persons_of(data: Sequence[AuditedSet], pairs: Sequence[Pair]) -> Tensor:
    """(N,) a number for the person of each pair's query; persons of different data sets are different."""
    whom = [(pair.number, int(data[pair.number].query.pids[pair.query])) for pair in pairs]
    number = {person: n for n, person in enumerate(sorted(set(whom)))}
    return torch.tensor([number[person] for person in whom], dtype=torch.long)
