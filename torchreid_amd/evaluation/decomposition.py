"""Scores of a decomposition over all query × gallery pairs, under torchreid's own protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from torchreid_amd.errors import InputError, unknown_name
from torchreid_amd.evaluation.adre import ADRE
from torchreid_amd.evaluation.attribute_scores import AttributeScores
from torchreid_amd.evaluation.baselines import prior_shares
from torchreid_amd.evaluation.blocks import (
    MEMORY,
    block_sizes,
    label_pairs,
    same_person_and_camera,
    slices,
)
from torchreid_amd.evaluation.decomposed_images import DecomposedImages
from torchreid_amd.evaluation.decomposition_scores import DecompositionScores
from torchreid_amd.evaluation.retrieval import Retrieval

_FORMS = ("mean", "sum")


class PairwiseDistance(Protocol):
    """What is needed of a :class:`torchreid_amd.distances.Distance`."""

    @property
    def name(self) -> str:
        """Name of the distance."""

    def matrix(self, x: Tensor, y: Tensor, /) -> Tensor:
        """(…, N, D), (…, K, D) -> (…, N, K)."""


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
) -> DecompositionScores:
    """Score a decomposition on every pair torchreid would compare.

    Removed are gallery images of the query's identity under the query's camera. A pair at
    distance 0 is left out of ADRE, a pair without an attribute known of both persons out of the
    attribute scores. No array of size query × gallery × M is made, nor one of query × gallery.

    Args:
        query, gallery: the two sides, with the same M and D.
        distance: what is decomposed, e.g. ``get_distance('euclidean')``.
        form: ``'mean'``: the decomposed distance is (1/M) Σ d_k; ``'sum'``: Σ d_k.
        attributes: M names for the scores by attribute; their positions where it is None.
        rates: (M,) share of "yes" among the known *training* labels, for the image-free prior.
        device: where blocks are computed.
        memory: bytes the blocks may take together.

    Raises:
        InputError: sides, names or rates that do not fit each other, an unknown form, or values
            that are not finite.
    """
    names = _check(query, gallery, form, attributes, rates)
    device = torch.device(device)
    target, decomposed = Retrieval(), Retrieval()
    adre, named = ADRE(), AttributeScores(query.attributes)
    used = annotated = 0
    sizes = block_sizes(len(query), len(gallery), query.attributes, query.embedding.shape[1], memory)
    for q in slices(len(query), sizes[0]):
        q_embedding, q_components = query.block(q, device)
        q_labels = query.known_labels[q].to(device)
        q_distance = torch.empty(len(q_labels), len(gallery))
        q_decomposed = torch.empty_like(q_distance)
        for g in slices(len(gallery), sizes[1]):
            g_embedding, g_components = gallery.block(g, device)
            g_labels = gallery.known_labels[g].to(device)
            d = distance.matrix(q_embedding, g_embedding)
            components = distance.matrix(q_components, g_components)  # (M, q, g)
            whole = components.mean(0) if form == "mean" else components.sum(0)
            q_distance[:, g], q_decomposed[:, g] = d, whole
            kept = ~same_person_and_camera(query, gallery, q, g).to(device)
            adre.update(d[kept], whole[kept])
            known = (q_labels >= 0).float() @ (g_labels >= 0).float().t() > 0
            i, j = (kept & known).nonzero().unbind(1)
            named.update(components[:, i, j].t(), q_labels[i], g_labels[j])
            used, annotated = used + int(kept.sum()), annotated + len(i)
        who = [x.numpy() for x in (query.pids[q], gallery.pids, query.camids[q], gallery.camids)]
        target.update(q_distance.numpy(), *who)
        decomposed.update(q_decomposed.numpy(), *who)

    prior, chance = _baselines(query, gallery, rates, memory)
    return DecompositionScores(
        metric=distance.name,
        form=form,
        target=target.percent(),
        interpreter=decomposed.percent() | {"ADRE": adre.value} | named.percent(),
        prior=prior.percent(),
        random=chance.percent(),
        per_attribute=_per_attribute(names, named, prior, chance),
        pairs={
            "all": len(query) * len(gallery),
            "removed": len(query) * len(gallery) - used,
            "used": used,
            "zero_distance": adre.left_out,
            "annotated": annotated,
            "unannotated": used - annotated,
            "with_exclusive": int(named.exclusive.count),
            "with_common": int(named.common.count),
        },
    )


def _baselines(
    query: DecomposedImages,
    gallery: DecomposedImages,
    rates: Tensor | Sequence[float] | None,
    memory: int,
) -> tuple[AttributeScores, AttributeScores]:
    prior, chance = AttributeScores(query.attributes), AttributeScores(query.attributes)
    shares = None if rates is None else prior_shares(torch.as_tensor(rates))
    for labels_i, labels_j, weight in label_pairs(query, gallery, memory):
        chance.update_random(labels_i, labels_j, weight)
        if shares is not None:
            prior.update(shares.expand(len(weight), -1), labels_i, labels_j, weight)
    return prior, chance


def _per_attribute(
    names: list[str], named: AttributeScores, prior: AttributeScores, chance: AttributeScores
) -> dict[str, dict[str, float | None]]:
    rows = zip(
        named.hit_by_attribute.count.tolist(),
        named.percent_by_attribute(),
        prior.percent_by_attribute(),
        chance.percent_by_attribute(),
        strict=True,
    )
    return {
        name: {"exclusive_pairs": int(pairs), "interpreter": hits, "prior": guess, "random": luck}
        for name, (pairs, hits, guess, luck) in zip(names, rows, strict=True)
    }


def _check(
    query: DecomposedImages,
    gallery: DecomposedImages,
    form: str,
    attributes: Sequence[str] | None,
    rates: Tensor | Sequence[float] | None,
) -> list[str]:
    if form not in _FORMS:
        raise unknown_name("form of the decomposition", form, _FORMS)
    if query.components.shape[1:] != gallery.components.shape[1:]:
        raise InputError(
            f"query components have (M, D) = {tuple(query.components.shape[1:])} and those of the gallery "
            f"{tuple(gallery.components.shape[1:])}; expected both from one interpreter"
        )
    if not len(query) or not len(gallery):
        raise InputError(
            f"there are {len(query)} query and {len(gallery)} gallery images; expected some of both"
        )
    m = query.attributes
    for what, given in (("attribute names", attributes), ("training rates", rates)):
        if given is not None and len(given) != m:
            raise InputError(f"{len(given)} {what} were given; expected M = {m}, one for each attribute")
    return [str(k) for k in range(m)] if attributes is None else list(attributes)
