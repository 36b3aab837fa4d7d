"""Rankings of photographs: all are embedded, the nearest are explained."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.images import ImageLike, image_name, read_image
from torchreid_amd.core.progress_bar import progress
from torchreid_amd.explanation.batches import Batches
from torchreid_amd.explanation.explanation import Ranking
from torchreid_amd.explanation.photographs import same_persons
from torchreid_amd.gallery.ranked import rank
from torchreid_amd.gallery.rerank import Reranker
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.distances import get_distance


def rank_photographs(
    batches: Batches,
    query: ImageLike,
    photographs: Sequence[ImageLike],
    topk: int,
    batch_size: int,
    same: Sequence[bool | None] | None = None,
    reranker: Reranker | None = None,
) -> Ranking:
    """Rank photographs by the target's distance from a query and explain the nearest.

    Args:
        batches: explains pairs.
        query: the query photograph.
        photographs: the gallery.
        topk: how many of the nearest to explain.
        batch_size: images a forward pass, and pairs a batch.
        same: whether each photograph shows the query's person; found out, if not given.
        reranker: orders them by what is seen, too; distances stay the target's.

    Raises:
        InputError: a photograph cannot be read, there is none, or ``same`` is of another length.
    """
    if not photographs:
        raise InputError("the gallery is empty; give at least one photograph")
    names = tuple(image_name(p) or f"gallery {n}" for n, p in enumerate(photographs, 1))
    query_name = image_name(query) or "query"
    if same is None:
        same = same_persons(query_name, names, batches.labels)
    elif len(same) != len(photographs):
        raise InputError(f"same has {len(same)} values for {len(photographs)} gallery photographs")

    query_image = read_image(query)
    distances = _distances(batches.decomposer, query_image, photographs, names, batch_size)
    order = tuple(int(i) for i in torch.argsort(distances, stable=True))
    if reranker is not None:
        order = rank(reranker, batches, query_image, photographs).order
    kept = order[:topk]
    pairs = ((query, photographs[i]) for i in kept)
    explained = batches.explain(pairs, batch_size, [(query_name, names[i]) for i in kept])
    return Ranking(
        query_image,
        query_name,
        batches.decomposer.interpreter.metric,
        batches.schema,
        tuple(progress(explained, "explaining the nearest", len(kept))),
        distances.double().numpy(),
        order,
        names,
        tuple(None if s is None else bool(s) for s in same),
        strength=0.0 if reranker is None else reranker.strength,
    )


def _distances(
    decomposer: Decomposer,
    query: Image.Image,
    gallery: Sequence[ImageLike],
    names: Sequence[str],
    batch_size: int,
) -> Tensor:
    """The target's distance of the query from each gallery photograph (N,)."""
    between = get_distance(decomposer.interpreter.metric).between
    wanted = decomposer.embed(decomposer.read([query]), ["the query"])
    found = []
    starts = range(0, len(gallery), batch_size)
    for start in progress(starts, "embedding the gallery", len(gallery), batch_size):
        part = slice(start, start + batch_size)
        embeddings = decomposer.embed(decomposer.read(gallery[part]), names[part], batch_size)
        found.append(between(wanted, embeddings).float().cpu())
    return torch.cat(found)
