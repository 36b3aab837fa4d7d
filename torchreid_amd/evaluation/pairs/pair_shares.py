"""Shares of pairs of images, a block at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from torchreid_amd.core.progress_bar import progress
from torchreid_amd.evaluation.data.decomposed_images import DecomposedImages
from torchreid_amd.evaluation.pairs.blocks import block_sizes, same_person_and_camera, slices
from torchreid_amd.interpreter.contributions import PairwiseDistance, Side, contributions_matrix, shares_of

NEAREST = 10  #: how many photographs of others an image is held against


def block_shares(distance: PairwiseDistance, form: str, a: Side, b: Side) -> tuple[Tensor, Tensor]:
    """Distances and shares of every pair of a block.

    Args:
        distance: what is decomposed.
        form: ``'mean'``, ``'sum'`` or ``'additive'``.
        a, b: embeddings (q, D) and components, as of :meth:`DecomposedImages.block`.

    Returns:
        (q, g) and (q, g, M).
    """
    contributions = contributions_matrix(distance, form, a, b)[0].permute(1, 2, 0)
    return distance.matrix(a[0], b[0]), shares_of(contributions)


def same_and_nearest(
    images: DecomposedImages, distance: PairwiseDistance, form: str, device: torch.device, memory: int
) -> tuple[Tensor, Tensor]:
    """What a distance has to tell apart, a block at a time.

    Args:
        images: compared with each other.
        distance: what is decomposed.
        form: ``'mean'``, ``'sum'`` or ``'additive'``.
        device: where blocks are computed.
        memory: bytes the blocks may take together.

    Returns:
        (P, 1 + M) logarithm of the distance and shares, of every pair of one person under two cameras,
        and of each image and its :data:`NEAREST` nearest photographs of others. Pairs at distance 0 are
        left out.
    """
    rows, columns = block_sizes(
        len(images), len(images), images.num_attributes, images.embedding.shape[1], memory
    )
    same, other = [], []
    for q in progress(slices(len(images), rows), "comparing photographs", len(images), rows):
        of_query = images.block(q, device)
        nearest = torch.empty(len(of_query[0]), 0, 1 + images.num_attributes)
        for g in slices(len(images), columns):
            d, shares = (x.cpu() for x in block_shares(distance, form, of_query, images.block(g, device)))
            found = torch.cat([d.log().unsqueeze(2), shares], 2)
            one = images.pids[q, None] == images.pids[g]
            kept = one & ~same_person_and_camera(images, images, q, g) & (d > 0)
            same.append(found[kept])
            found[..., 0].masked_fill_(one | (d <= 0), torch.inf)
            nearest = torch.cat([nearest, found], 1)
            at = nearest[..., 0].topk(min(NEAREST, nearest.shape[1]), dim=1, largest=False).indices
            nearest = nearest.gather(1, at.unsqueeze(2).expand(-1, -1, nearest.shape[2]))
        other.append(nearest[nearest[..., 0].isfinite()])
    return torch.cat(same), torch.cat(other)
