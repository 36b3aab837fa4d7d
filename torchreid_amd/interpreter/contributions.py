"""What each attribute adds to a distance: three forms of one decomposition.

``mean`` and ``sum`` (Chen et al., ICCV 2021) compare the components of two embeddings,
d_k = distance(e_k(i), e_k(j)), and approximate the distance by their mean or sum.

``additive`` uses that squared Euclidean distance and cosine are bilinear. With Δ the difference of
two embeddings, Δ_k that of their components, and the remainder Δ_0 = Δ − Σ_k Δ_k,

    ‖Δ‖² = Σ_k ⟨Δ_k, Δ⟩ + ⟨Δ_0, Δ⟩

holds exactly, whatever the components are. The Euclidean distance divides by ‖Δ‖; cosine distance
is half the squared distance of embeddings of unit length. A contribution is negative where an
attribute brings two persons closer together.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from torchreid_amd.core.errors import unknown_name
from torchreid_amd.core.room import Room
from torchreid_amd.interpreter.distances import Distance
from torchreid_amd.interpreter.factored import Factored

FORMS = ("mean", "sum", "additive")
Side = tuple[Tensor, Tensor | Factored]  #: embeddings (Q, D) and components, attributes first, or factored
_TINY = 1e-12


class PairwiseDistance(Protocol):
    """What is needed of a :class:`torchreid_amd.interpreter.distances.Distance`."""

    @property
    def name(self) -> str:
        """Name of the distance."""

    def matrix(self, x: Tensor, y: Tensor, room: Room | None = None, /) -> Tensor:
        """(…, N, D), (…, K, D) -> (…, N, K)."""


def check_form(form: str) -> str:
    """The form, if it is one.

    Raises:
        InputError: it is none.
    """
    if form not in FORMS:
        raise unknown_name("form of the decomposition", form, FORMS)
    return form


def contributions_between(
    distance: Distance, form: str, a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Contributions of pairs, row by row; a single row is broadcast.

    Args:
        distance: what is decomposed.
        form: ``'mean'``, ``'sum'`` or ``'additive'``.
        a, b: embeddings (B, D) and components (B, M, D).

    Returns:
        Contributions (B, M) in units of the distance, and the remainder (B,), what belongs to no
        attribute: 0 unless the form is additive.
    """
    if form != "additive":
        parts = distance.between(a[1], b[1])
        return (parts / parts.shape[-1] if form == "mean" else parts), parts.new_zeros(parts.shape[:-1])
    (embedding_a, parts_a), (embedding_b, parts_b) = _prepared(distance, *a), _prepared(distance, *b)
    delta = embedding_a - embedding_b
    steps = parts_a - parts_b
    rest = delta - steps.sum(-2)
    scale = _scale(distance, delta.square().sum(-1))
    inner = (steps * delta.unsqueeze(-2)).sum(-1)
    return inner * scale.unsqueeze(-1), (rest * delta).sum(-1) * scale


@torch.no_grad()
def contributions_matrix(distance: PairwiseDistance, form: str, a: Side, b: Side) -> tuple[Tensor, Tensor]:
    """Contributions of each against each, by matrix products; without gradients.

    Args:
        distance: what is decomposed.
        form: ``'mean'``, ``'sum'`` or ``'additive'``.
        a: embeddings (Q, D) and components, attributes first, (M, Q, D), or factored.
        b: embeddings (G, D) and components (M, G, D), or factored.

    Returns:
        Contributions (M, Q, G) and remainders (Q, G).
    """
    parts, rest, scale = unscaled_contributions(distance, form, a, b)
    return parts.mul_(scale), rest


@torch.no_grad()
def unscaled_contributions(
    distance: PairwiseDistance, form: str, a: Side, b: Side, room: Room | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """:func:`contributions_matrix` where only their order and their sum matter: a pass less over them.

    Args:
        distance, form, a, b: as there.
        room: where contributions may be written.

    Returns:
        Contributions (M, Q, G), each still to be multiplied by the third; remainders (Q, G), as they are;
        a factor, not negative, () or (Q, G).
    """
    if form != "additive":
        parts = distance.matrix(_multiplied_out(a[1]), _multiplied_out(b[1]), room)
        factor = 1 / max(1, len(parts)) if form == "mean" else 1.0
        return parts, parts.new_zeros(parts.shape[1:]), parts.new_tensor(factor)
    (embedding_a, parts_a), (embedding_b, parts_b) = (_prepared_side(distance, *side) for side in (a, b))
    rest_a, rest_b = embedding_a - _summed(parts_a), embedding_b - _summed(parts_b)
    centre, rests = embedding_b.mean(0), rest_b.mean(0)  # differences do not feel it
    embedding_a, embedding_b = embedding_a - centre, embedding_b - centre
    if isinstance(parts_a, Factored) and isinstance(parts_b, Factored) and parts_a.goes_with(parts_b):
        inner = _inner_of_factors(parts_a, parts_b, embedding_a, embedding_b, room)
    else:
        parts_a, parts_b = _multiplied_out(parts_a), _multiplied_out(parts_b)
        centres = parts_b.mean(1, keepdim=True)
        inner = _inner(parts_a - centres, parts_b - centres, embedding_a, embedding_b)
    rest = _inner(rest_a - rests, rest_b - rests, embedding_a, embedding_b)
    scale = _scale(distance, (inner.sum(0) + rest).clamp_min(0))
    nowhere = scale == 0
    if nowhere.any():
        inner.masked_fill_(nowhere, 0)  # rounding alone
    return inner, rest.mul_(scale), scale


@torch.no_grad()
def decomposed_matrix(distance: PairwiseDistance, form: str, a: Side, b: Side) -> Tensor:
    """What contributions and remainder of :func:`contributions_matrix` add up to, without each of them.

    Returns:
        (Q, G).
    """
    if form == "additive":  # inner products of sums are sums of inner products
        whole_a, whole_b = ((side[0], _summed(side[1]).unsqueeze(0)) for side in (a, b))
        parts, rest = contributions_matrix(distance, form, whole_a, whole_b)
        return parts[0].add_(rest)
    total = a[0].new_zeros(len(a[0]), len(b[0]))
    for rows, columns in zip(_multiplied_out(a[1]), _multiplied_out(b[1]), strict=True):
        total.add_(distance.matrix(rows, columns))
    return total.div_(max(1, a[1].shape[1 if isinstance(a[1], Factored) else 0])) if form == "mean" else total


def shares_of(contributions: Tensor) -> Tensor:
    """p_k = |c_k| / Σ_l |c_l| over the last dimension; uniform where nothing contributes."""
    size = contributions.abs()
    total = size.sum(-1, keepdim=True)
    uniform = torch.full_like(size, 1 / max(1, size.shape[-1]))
    return torch.where(total > _TINY, size / torch.where(total == 0, 1.0, total), uniform)


def _prepared(distance: PairwiseDistance, embedding: Tensor, components: Tensor) -> tuple[Tensor, Tensor]:
    """Embedding and components as they enter the inner product: cosine wants unit length."""
    if distance.name != "cosine":
        return embedding, components
    norm = embedding.norm(dim=-1, keepdim=True).clamp_min(_TINY)
    return functional.normalize(embedding, dim=-1), components / norm.unsqueeze(-2)


def _prepared_side(distance: PairwiseDistance, embedding: Tensor, components: Tensor | Factored) -> Side:
    """The same with the attributes first."""
    if distance.name != "cosine":
        return embedding, components
    norm = embedding.norm(dim=-1, keepdim=True).clamp_min(_TINY)
    return functional.normalize(embedding, dim=-1), components / norm


def _multiplied_out(components: Tensor | Factored) -> Tensor:
    """Components with the attributes first (M, N, D)."""
    return components.dense().transpose(0, 1) if isinstance(components, Factored) else components


def _summed(components: Tensor | Factored) -> Tensor:
    """(N, D): what the components of an image add up to."""
    return components.summed() if isinstance(components, Factored) else components.sum(0)


def _scale(distance: PairwiseDistance, squared: Tensor) -> Tensor:
    """What inner products are multiplied by; 0 where the Euclidean distance vanishes."""
    if distance.name == "euclidean":
        far = squared > _TINY
        return torch.where(far, squared.clamp_min(_TINY).rsqrt(), torch.zeros_like(squared))
    return torch.full_like(squared, 0.5 if distance.name == "cosine" else 1.0)


def _inner(parts_a: Tensor, parts_b: Tensor, embedding_a: Tensor, embedding_b: Tensor) -> Tensor:
    """⟨f(i) − f(j), e(i) − e(j)⟩ for all i and j: (…, Q, D), (…, G, D) -> (…, Q, G)."""
    own_a, own_b = (parts_a * embedding_a).sum(-1), (parts_b * embedding_b).sum(-1)
    inner = own_a.unsqueeze(-1) + own_b.unsqueeze(-2)
    each = (inner, parts_a, parts_b)
    for plane, rows, columns in zip(*(x if x.ndim == 3 else x.unsqueeze(0) for x in each), strict=True):
        plane.addmm_(rows, embedding_b.T, alpha=-1).addmm_(embedding_a, columns.T, alpha=-1)
    return inner


def _inner_of_factors(
    a: Factored, b: Factored, embedding_a: Tensor, embedding_b: Tensor, room: Room | None
) -> Tensor:
    """The same (M, Q, G) of strengths times directions: a product of two numbers, not of D."""
    along_a, along_b = embedding_a @ a.directions.T, embedding_b @ b.directions.T
    inner = (room or Room()).tensor((along_a.shape[1], len(along_a), len(along_b)), along_a)
    along = along_a.new_empty(inner.shape[1:])
    for k, plane in enumerate(inner):
        torch.sub(a.strengths[:, k, None], b.strengths[:, k], out=plane)
        plane.mul_(torch.sub(along_a[:, k, None], along_b[:, k], out=along))
    return inner
