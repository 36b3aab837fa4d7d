"""Scores of a decomposition over all query × gallery pairs, under torchreid's own protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.progress_bar import progress
from torchreid_amd.core.room import Room
from torchreid_amd.evaluation.data.decomposed_images import DecomposedImages
from torchreid_amd.evaluation.naming.chance import prior_shares
from torchreid_amd.evaluation.naming.labelled_block import LabelledBlock
from torchreid_amd.evaluation.pairs.block_contributions import BlockContributions
from torchreid_amd.evaluation.pairs.blocks import (
    MEMORY,
    PER_RANKED_PAIR_AND_ATTRIBUTE,
    block_sizes,
    label_pairs,
    same_person_and_camera,
    slices,
)
from torchreid_amd.evaluation.pairs.pair_scores import PairScores
from torchreid_amd.evaluation.pairs.record import DecompositionScores
from torchreid_amd.interpreter.contributions import (
    PairwiseDistance,
    check_form,
    decomposed_matrix,
)

IN_CACHE = 2**18  #: pairs whose distances are looked at together


@torch.no_grad()
def evaluate_decomposition(
    query: DecomposedImages,
    gallery: DecomposedImages,
    distance: PairwiseDistance,
    form: str = "mean",
    attributes: Sequence[str] | None = None,
    rates: Tensor | Sequence[float] | None = None,
    device: torch.device | str = "cpu",
    memory: int = MEMORY,
    *,
    others: Sequence[PairwiseDistance] = (),
    rankers: Mapping[str, tuple[Tensor, Tensor]] | None = None,
) -> DecompositionScores:
    """Score a decomposition on every pair torchreid would compare.

    Removed are gallery images of the query's identity under the query's camera. A pair at
    distance 0 is left out of ADRE, a pair without an attribute known of both persons out of the
    attribute scores. No array of size query × gallery × M is made, nor one of query × gallery.

    Args:
        query, gallery: the two sides, with the same M and D.
        distance: what is decomposed, e.g. ``get_distance('euclidean')``.
        form: ``'mean'``: the decomposed distance is (1/M) Σ d_k; ``'sum'``: Σ d_k; ``'additive'``: the
            sum of contributions and remainder, see :mod:`torchreid_amd.interpreter.contributions`.
        attributes: M names for the scores by attribute; their positions where it is None.
        rates: (M,) share of "yes" among the known *training* labels, for the image-free prior.
        device: where blocks are computed.
        memory: bytes the blocks may take together.
        others: further distances whose ADRE is wanted too.
        rankers: other rankings of attributes by name: (Q, M) and (G, M) numbers of the images; the
            attributes of a pair are ranked by how far they lie apart.

    Raises:
        InputError: sides, names or rates that do not fit each other, an unknown form, or values
            that are not finite.
    """
    state = score_pairs(query, gallery, distance, form, rates, device, memory, others=others, rankers=rankers)
    names = list(attributes) if attributes is not None else [str(k) for k in range(query.num_attributes)]
    _check_length("attribute names", names, query.num_attributes)
    return state.scores(names)


@torch.no_grad()
def score_pairs(
    query: DecomposedImages,
    gallery: DecomposedImages,
    distance: PairwiseDistance,
    form: str = "mean",
    rates: Tensor | Sequence[float] | None = None,
    device: torch.device | str = "cpu",
    memory: int = MEMORY,
    *,
    others: Sequence[PairwiseDistance] = (),
    rankers: Mapping[str, tuple[Tensor, Tensor]] | None = None,
) -> PairScores:
    """As :func:`evaluate_decomposition`, as sums that merge with those of other queries.

    To share the work, give each process some of the queries (``query.part(rows)``) and the whole
    gallery, and merge: ``state.merge_processes().scores(names)``.
    """
    rankers = rankers or {}
    _check(query, gallery, form, rates, rankers)
    device = torch.device(device)
    others = [other for other in others if other.name != distance.name]
    state = PairScores(
        query.num_attributes, distance.name, form, [d.name for d in others], list(rankers), rates is not None
    )
    size = (len(query), len(gallery), query.num_attributes, query.embedding.shape[1], memory)
    rows, columns = block_sizes(*size, per_share=PER_RANKED_PAIR_AND_ATTRIBUTE)
    rooms = (Room(), Room())  # for the gallery's components, and for contributions
    for q in progress(slices(len(query), rows), "scoring pairs, by query", len(query), rows):
        kept = ~same_person_and_camera(query, gallery, q)
        found = _rows(state, query, gallery, q, columns, kept, distance, others, rankers, device, rooms)
        adre = state.adre[distance.name]
        for few in slices(len(kept), max(1, IN_CACHE // len(gallery))):
            adre.update_rows(found[0][few], found[1][few], kept[few], query.pids[q][few])
        q_distance, q_decomposed = (x.numpy() for x in found)
        who = [x.numpy() for x in (query.pids[q], gallery.pids, query.camids[q], gallery.camids)]
        state.target.update(q_distance, *who)
        state.decomposed.update(q_decomposed, *who)
        state.correlation.update(q_distance, q_decomposed, kept.numpy(), who[0])
        state.counts["used"] += int(kept.sum())
    state.counts["all"] = len(query) * len(gallery)
    _add_baselines(state, query, gallery, rates, memory)
    return state


def _rows(
    state: PairScores,
    query: DecomposedImages,
    gallery: DecomposedImages,
    q: slice,
    size: int,
    kept_rows: Tensor,
    distance: PairwiseDistance,
    others: Sequence[PairwiseDistance],
    rankers: Mapping[str, tuple[Tensor, Tensor]],
    device: torch.device,
    rooms: tuple[Room, Room],
) -> tuple[Tensor, Tensor]:
    """Some queries against the gallery, block by block: both distances, (q, G)."""
    embedding, _ = one = query.block(q, device)
    labels, pids = query.known_labels[q].to(device), query.pids[q].to(device)
    distances = torch.empty(len(labels), len(gallery))
    decomposed = torch.empty_like(distances)
    for g in slices(len(gallery), size):
        g_embedding, _ = other_one = gallery.block(g, device, rooms[0])
        g_labels = gallery.known_labels[g].to(device)
        kept = kept_rows[:, g].to(device)
        d = distance.matrix(embedding, g_embedding)
        parts = BlockContributions(distance, state.form, one, other_one, list(state.adre), rooms[1])
        known = (labels >= 0).float() @ (g_labels >= 0).float().t() > 0
        annotated = kept & known
        named = LabelledBlock(labels, g_labels, annotated, pids)
        state.named.update_block(parts.finish, named)
        by_attributes = parts.whole * parts.scale
        for other in others:
            whole = parts.decomposed(other.name)
            if whole is None:
                whole = decomposed_matrix(other, state.form, one, other_one)
            state.adre[other.name].update_rows(other.matrix(embedding, g_embedding), whole, kept, pids)
        distances[:, g], decomposed[:, g] = d, by_attributes + parts.rest
        state.explained.sums.add(_explained(d, by_attributes, kept), pids)
        for name, (of_query, of_gallery) in rankers.items():
            apart = of_query[q].to(device).T.unsqueeze(2) - of_gallery[g].to(device).T.unsqueeze(1)
            state.baselines[name].update_block(apart.float(), named)
        state.counts["annotated"] += int(annotated.sum())
    return distances, decomposed


def _explained(distance: Tensor, by_attributes: Tensor, kept: Tensor) -> Tensor:
    """(q, 2) sum over pairs of the part of a distance that the attributes make up, and how many count."""
    apart = kept & (distance > 0)
    part = (by_attributes / distance).masked_fill_(~apart, 0.0)
    return torch.stack([part.sum(1, dtype=torch.float64), apart.sum(1).double()], 1)


def _add_baselines(
    state: PairScores,
    query: DecomposedImages,
    gallery: DecomposedImages,
    rates: Tensor | Sequence[float] | None,
    memory: int,
) -> None:
    shares = None if rates is None else prior_shares(torch.as_tensor(rates))
    for labels_i, labels_j, weight, identity in progress(
        label_pairs(query, gallery, memory), "scoring chance and the prior, blocks of labels"
    ):
        state.baselines["random"].update_random(labels_i, labels_j, weight, identity)
        if shares is not None:
            guess = shares.expand(len(weight), -1)
            state.baselines["prior"].update(guess, labels_i, labels_j, weight, identity)


def _check(
    query: DecomposedImages,
    gallery: DecomposedImages,
    form: str,
    rates: Tensor | Sequence[float] | None,
    rankers: Mapping[str, tuple[Tensor, Tensor]],
) -> None:
    check_form(form)
    if query.components.shape[1:] != gallery.components.shape[1:]:
        raise InputError(
            f"query components have (M, D) = {tuple(query.components.shape[1:])} and those of the gallery "
            f"{tuple(gallery.components.shape[1:])}; expected both from one interpreter"
        )
    if not len(query) or not len(gallery):
        raise InputError(
            f"there are {len(query)} query and {len(gallery)} gallery images; expected some of both"
        )
    if rates is not None:
        _check_length("training rates", rates, query.num_attributes)
    for name, sides in rankers.items():
        for side, images in zip(sides, (query, gallery), strict=True):
            if tuple(side.shape) != (len(images), query.num_attributes):
                raise InputError(
                    f"ranking {name!r} has shape {tuple(side.shape)}; expected "
                    f"{(len(images), query.num_attributes)}, one number for each image and attribute"
                )


def _check_length(what: str, given: Tensor | Sequence[object], num_attributes: int) -> None:
    if len(given) != num_attributes:
        raise InputError(
            f"{len(given)} {what} were given; expected M = {num_attributes}, one for each attribute"
        )
