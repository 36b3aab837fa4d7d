"""The attributes of a pair, ranked by their share, and what that ranking is worth.

Chen et al., ICCV 2021, https://arxiv.org/abs/2103.01451: X-mAP_e and X-mAP_c. An attribute that
is unknown of either person takes no part in the ranking of that pair.

**Ties.** Each pair is ranked once, largest share first, equal shares in the order of the
attributes. The ascending ranking of X-mAP_c is that very list read from its end.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from torchreid_amd.attributes.exclusive import ALL_COMMON_CEILING, pair_labels
from torchreid_amd.core.errors import InputError


@dataclass(frozen=True)
class RankedPairs:
    """P pairs, each with its M attributes from the largest to the smallest share.

    Attributes:
        order: (P, M) positions of the attributes; those unknown of the pair stand last.
        exclusive: (P, M) bool in ranked order, the attributes in which the two differ.
        known_count: (P,) attributes known of both persons.
        exclusive_count: (P,) N, exclusive ones among them.
        over_count: (P,) known attributes whose share is above 2/M, M counting the known ones.
    """

    order: Tensor
    exclusive: Tensor
    known_count: Tensor
    exclusive_count: Tensor
    over_count: Tensor


def rank_pairs(shares: Tensor, labels_i: Tensor, labels_j: Tensor) -> RankedPairs:
    """Rank the attributes of each pair by share.

    Args:
        shares: (P, M) shares, or anything proportional to them within a pair, such as the
            attribute components d_k of the distance.
        labels_i, labels_j: (P, M) 1 yes, 0 no, −1 unknown.

    Raises:
        InputError: shapes that differ.
    """
    if shares.ndim != 2 or not shares.shape == labels_i.shape == labels_j.shape:
        raise InputError(
            f"shares, labels_i and labels_j have shapes {tuple(shares.shape)}, {tuple(labels_i.shape)} "
            f"and {tuple(labels_j.shape)}; expected (P, M) three times"
        )
    exclusive, known = pair_labels(labels_i, labels_j)
    keys = shares.masked_fill(~known, -torch.inf)
    order = torch.sort(keys, dim=1, descending=True, stable=True).indices
    count = known.sum(1)
    uniform = (shares * known).sum(1) / count.clamp_min(1)
    over = known & (shares > ALL_COMMON_CEILING * uniform.unsqueeze(1))
    return RankedPairs(order, exclusive.gather(1, order), count, exclusive.sum(1), over.sum(1))


def exclusive_average_precision(ranked: RankedPairs) -> Tensor:
    """(P,) average precision of the exclusive attributes, largest share first.

    0 where N = 0, a pair that X-mAP_e leaves out. X-mAP_e is its mean over the other pairs.
    """
    place = torch.arange(1, ranked.order.shape[1] + 1, device=ranked.order.device)
    found = ranked.exclusive.cumsum(1, dtype=torch.float32)
    precision = found / place * ranked.exclusive
    return precision.sum(1) / ranked.exclusive_count.clamp_min(1)


def common_average_precision(ranked: RankedPairs) -> Tensor:
    """(P,) average precision of the common attributes, smallest share first.

    Where N = 0 everything is common and order says nothing: attributes with a share above 2/M
    are errors that stand before the others, which are the positives. 0 where N = M, a pair that
    X-mAP_c leaves out. X-mAP_c is its mean over the other pairs.
    """
    attributes = ranked.order.shape[1]
    position = torch.arange(attributes, device=ranked.order.device)
    known = ranked.known_count.unsqueeze(1)
    common = ~ranked.exclusive & (position < known)
    common_count = ranked.known_count - ranked.exclusive_count
    before = common.cumsum(1, dtype=torch.float32) - 1  # common ones with a larger share
    place = (known - position).clamp_min(1)  # counted from the smallest share
    precision = (common_count.unsqueeze(1) - before) / place * common
    average = precision.sum(1) / common_count.clamp_min(1)
    table = precision_behind_errors(attributes).to(average.device)
    behind_errors = table[ranked.over_count, ranked.known_count - ranked.over_count]
    return torch.where((ranked.exclusive_count == 0) & (known[:, 0] > 0), behind_errors, average)


def exclusive_hits(ranked: RankedPairs) -> Tensor:
    """(P, M) bool, attributes in their own order: exclusive *and* among the N largest shares.

    Summed over a row and divided by N it is the pair's exclusive hit rate.
    """
    position = torch.arange(ranked.order.shape[1], device=ranked.order.device)
    top = ranked.exclusive & (position < ranked.exclusive_count.unsqueeze(1))
    return torch.zeros_like(top).scatter(1, ranked.order, top)


def common_hits(ranked: RankedPairs) -> Tensor:
    """(P, M) bool, attributes in their own order: common *and* not among the N largest shares."""
    position = torch.arange(ranked.order.shape[1], device=ranked.order.device)
    n, known = ranked.exclusive_count.unsqueeze(1), ranked.known_count.unsqueeze(1)
    rest = ~ranked.exclusive & (position >= n) & (position < known)
    return torch.zeros_like(rest).scatter(1, ranked.order, rest)


def precision_behind_errors(num_attributes: int) -> Tensor:
    """(M+1, M+1): average precision of ``right`` positives behind ``wrong`` errors, at [wrong, right]."""
    wrong = torch.arange(num_attributes + 1).unsqueeze(1)
    place = torch.arange(1, num_attributes + 1)
    summed = (place / (wrong + place)).cumsum(1) / place
    return torch.cat([torch.zeros(num_attributes + 1, 1), summed], 1)
