"""X-mAP_e, X-mAP_c and hit rates of every pair of a block, added up query by query.

What :class:`~torchreid_amd.evaluation.naming.attribute_scores.AttributeScores` adds pair by pair, where
every label is known: what depends on labels alone is then a matrix product of them, and every pair is
ranked where it stands.
"""

from __future__ import annotations

import torch
from torch import Tensor

from torchreid_amd.attributes.exclusive import ALL_COMMON_CEILING
from torchreid_amd.evaluation.naming.ranked_pairs import precision_behind_errors


def block_sums(shares: Tensor, labels_i: Tensor, labels_j: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """Sums over the pairs of each query.

    Args:
        shares: (q, g, M), or anything proportional to them within a pair.
        labels_i, labels_j: (q, M) and (g, M), 1 yes, 0 no; none unknown.
        kept: (q, g) bool, which pairs count.

    Returns:
        Totals and counts, both (q, 4 + 2M) float64: X-mAP_e, X-mAP_c, the exclusive and the common hit rate,
        then the hits of each attribute, exclusive and common.
    """
    attributes = shares.shape[2]
    yes_i, yes_j, one = labels_i.float(), labels_j.float(), kept.float()
    n = yes_i @ (1 - yes_j).T + (1 - yes_i) @ yes_j.T  # (q, g), how many attributes are exclusive
    rest = attributes - n
    place = torch.arange(1, attributes + 1, dtype=torch.float32, device=shares.device)

    order = torch.sort(shares, dim=2, descending=True, stable=True).indices
    exclusive = (labels_i.unsqueeze(1) != labels_j).gather(2, order).float()  # in ranked order
    found = exclusive.cumsum(2)
    precision = (found * exclusive) @ (1 / place) / n.clamp_min(1)
    inside = found.gather(2, (n.long() - 1).clamp_min(0).unsqueeze(2)).squeeze(2) * (n > 0)
    # common ones from the smallest share on: (rest − those with a larger share) / place from the end
    behind = found.sub_(place - 1).add_(rest.unsqueeze(2)).mul_(exclusive.neg_().add_(1))
    common_precision = behind @ (1 / (attributes + 1 - place)) / rest.clamp_min(1)
    _judge_all_common(common_precision, shares, kept & (n == 0))

    rates = (inside / n.clamp_min(1), (rest - n + inside) / rest.clamp_min(1))
    values = torch.stack([precision, common_precision, *rates], 2)
    mixed = (n > 0) & (rest > 0)
    counts = torch.stack([n > 0, rest > 0, n > 0, mixed], 2) & kept.unsqueeze(2)

    first = torch.arange(attributes, device=shares.device) < n.unsqueeze(2)
    top = torch.zeros_like(shares).scatter_(2, order, first.float())  # whether it is among the N largest
    weight = one.unsqueeze(1)
    in_top = (weight @ top).squeeze(1)  # (q, M), summed over the gallery
    in_top_yes = (weight @ top.mul_(yes_j)).squeeze(1)
    with_yes, with_no = one @ yes_j, one @ (1 - yes_j)
    has = labels_i > 0
    exclusive_hits = torch.where(has, in_top - in_top_yes, in_top_yes)
    common_in_top = torch.where(has, in_top_yes, in_top - in_top_yes)
    exclusive_count = torch.where(has, with_no, with_yes)
    common_count = torch.where(has, with_yes, with_no)
    totals = (values.double() * counts).sum(1)
    hits = [exclusive_hits, common_count - common_in_top]
    return (
        torch.cat([totals, *(h.double() for h in hits)], 1),
        torch.cat([counts.double().sum(1), exclusive_count.double(), common_count.double()], 1),
    )


def _judge_all_common(precision: Tensor, shares: Tensor, alike: Tensor) -> None:
    """Pairs without an exclusive attribute: shares above 2/M are errors that stand first; in place."""
    i, j = alike.nonzero().unbind(1)
    theirs = shares[i, j]
    attributes = shares.shape[2]
    over = (theirs > ALL_COMMON_CEILING * theirs.mean(1, keepdim=True)).sum(1)
    table = precision_behind_errors(attributes).to(precision)
    precision[i, j] = table[over, attributes - over]
