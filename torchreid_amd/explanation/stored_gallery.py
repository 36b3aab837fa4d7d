"""Rankings of stored features: photographs are opened only for the rows that are shown."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image

from torchreid_amd.attributes.schema import NONE, AttributeSchema
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.images import ImageLike, image_name, read_image
from torchreid_amd.core.language import english
from torchreid_amd.core.progress_bar import progress
from torchreid_amd.explanation.explanation import Explanation, Ranking
from torchreid_amd.explanation.photographs import LabelsByPath, same_persons
from torchreid_amd.gallery.approximate import open_index
from torchreid_amd.gallery.mark import Mark
from torchreid_amd.gallery.rerank import Reranker
from torchreid_amd.gallery.search import Gallery, Nearest, nearest
from torchreid_amd.gallery.seen import Seen, look
from torchreid_amd.gallery.store import Store
from torchreid_amd.gallery.stored_seen import seen_at, seen_blocks
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.distances import get_distance

OTHER = 1e-3  #: of the distance from nothing: a photograph further than this from its features is another
SHORTLIST = 20  #: photographs that are re-ranked for each one that is shown, where an index finds them
GREY = (225, 225, 225)  #: where a photograph would be

MISSING = english("alone.missing")
CHANGED = english("alone.changed")


class ExplainsPairs(Protocol):
    """What is needed of an :class:`~torchreid_amd.explanation.explainer.Explainer`."""

    labels: LabelsByPath | None
    schema: AttributeSchema
    made_by: dict[str, str]

    @property
    def decomposer(self) -> Decomposer:
        """The interpreter with its input."""

    def explain_many(self, pairs: Iterable[tuple[Any, ...]], batch_size: int = 64) -> Iterator[Explanation]:
        """Explain pairs."""


def rank_stored(
    explainer: ExplainsPairs,
    query: ImageLike,
    stores: Sequence[Store],
    topk: int = 10,
    batch_size: int = 64,
    search: str = "exact",
    reranker: Reranker | None = None,
) -> Ranking:
    """Rank stored features by their distance from a query and explain the nearest.

    A photograph that is not there any more, or is another than the one that was stored, is said; of
    it the ranking has the distance alone.

    Args:
        explainer: explains pairs.
        query: the query photograph.
        stores: the gallery; rows count on from one to the next.
        topk: how many of the nearest to explain.
        batch_size: pairs a batch.
        search: ``'exact'``, or an index of FAISS: ``'flat'``, ``'ivfpq'``.
        reranker: orders photographs by what is seen, too; distances stay the target's. With an index, the
            :data:`SHORTLIST` photographs per row that is shown, which it finds nearest, are ordered anew.

    Raises:
        InputError: a store is unfinished or of another model, or the query cannot be read; or a re-ranker is
            of another model, or a store was made without what is seen.
    """
    decomposer = explainer.decomposer
    mark = Mark.of(decomposer)
    for store in stores:
        store.check(mark)
    gallery = Gallery(stores)
    image = read_image(query)
    embedding = decomposer.embed(decomposer.read([image]), ["the query"]).float().cpu()
    metric = get_distance(decomposer.interpreter.metric)
    if reranker is None:
        found = _search(embedding, gallery, topk, metric.name, search)
        rows, distances = found.rows[0].tolist(), found.distances[0].astype(float)
    else:
        asked = look(decomposer, [image])
        rows = _reranked(reranker.checked(decomposer.interpreter.target), asked, gallery, topk, search)
        near = torch.from_numpy(gallery.embeddings(rows))
        distances = metric.between(asked.embedding, near).double().numpy()
    files = [gallery.file(row) for row in rows]
    there = [_can_be_read(file) for file in files]
    pairs = [(query, file) for file, ok in zip(files, there, strict=True) if ok]
    explained = iter(list(explainer.explain_many(pairs, batch_size)))
    name = image_name(query) or "query"
    reach = OTHER * float(metric.between(embedding, torch.zeros_like(embedding))[0])
    explanations = []
    for file, distance, ok in zip(files, distances, there, strict=True):
        e = next(explained) if ok else None
        if e is not None and abs(e.distance - distance) <= max(reach, OTHER * distance):
            explanations.append(replace(e, names=(name, file)))
        else:
            why = CHANGED if os.path.exists(file) else MISSING
            explanations.append(_distance_alone(explainer, image, (name, file), distance, why))
    return Ranking(
        image,
        name,
        decomposer.interpreter.metric,
        explainer.schema,
        tuple(explanations),
        distances,
        tuple(range(len(rows))),
        tuple(files),
        tuple(None if s is None else bool(s) for s in same_persons(name, files, explainer.labels)),
        gallery_size=len(gallery),
        strength=0.0 if reranker is None else reranker.strength,
    )


def _reranked(reranker: Reranker, asked: Seen, gallery: Gallery, topk: int, search: str) -> list[int]:
    """Places of the nearest by what is seen, among all photographs or those that an index finds."""
    places = np.arange(len(gallery))
    if search == "exact":
        blocks: Iterable[Seen] = progress(seen_blocks(gallery.stores), "comparing what is seen")
    else:
        found = _search(asked.embedding, gallery, SHORTLIST * topk, reranker.metric, search)
        places = np.sort(found.rows[0])
        blocks = [seen_at(gallery, places.tolist())]
    values = np.concatenate([reranker.distances(asked, block)[0].numpy() for block in blocks])
    order: list[int] = places[np.argsort(values, kind="stable")[:topk]].tolist()
    return order


def _search(embedding: torch.Tensor, gallery: Gallery, topk: int, metric: str, search: str) -> Nearest:
    distance = get_distance(metric)
    if search == "exact":
        return nearest(embedding, gallery.blocks(), topk, distance)
    found = [
        open_index(store, search, distance).search(embedding, topk, distance) for store in gallery.stores
    ]
    values = np.concatenate([one.distances for one in found], axis=1)
    rows = np.concatenate(
        [one.rows + start for one, start in zip(found, gallery.starts, strict=False)], axis=1
    )
    order = np.lexsort((rows[0], values[0]))[:topk]
    return Nearest(values[:, order], rows[:, order])


def _can_be_read(file: str) -> bool:
    try:
        read_image(file)
    except InputError:
        return False
    return True


def _distance_alone(
    explainer: ExplainsPairs, query: Image.Image, names: tuple[str, str], distance: float, why: str
) -> Explanation:
    """A pair of which nothing but the distance is known."""
    nothing, (height, width) = np.zeros(0), explainer.decomposer.size
    no_maps = np.zeros((0, 1, 1), np.float32)
    return Explanation(
        distance=distance,
        metric=explainer.decomposer.interpreter.metric,
        contributions=nothing,
        shares=nothing,
        residual=distance,
        schema=AttributeSchema(NONE, ()),
        attention=(no_maps, no_maps),
        images=(query, Image.new("RGB", (width, height), GREY)),
        names=names,
        made_by=explainer.made_by,
        not_explained=why,
    )
