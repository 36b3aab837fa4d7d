"""X-mAP_e, X-mAP_c and hit rates of every pair of a block, added up query by query.

What :class:`~torchreid_amd.evaluation.naming.attribute_scores.AttributeScores` adds pair by pair, where
an image is known in every attribute or in none. A pair is ranked by one sort of whole numbers: the bits of
a share order as the share does, and below them stand the attribute, which settles ties, and whether the
two differ in it. With these last bits e_s in ascending order, the sums of both average precisions are
quadratic forms, Σ_s e_s Σ_{t≥s} e_t / (M − s) for the exclusive attributes and the same from the other end
for the common ones, 1 − e. Some thousand pairs are ranked at a time, in buffers that stay in the
processor's cache.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from torch import Tensor

from torchreid_amd.attributes.exclusive import ALL_COMMON_CEILING
from torchreid_amd.evaluation.naming.labelled_block import KnownLabels
from torchreid_amd.evaluation.naming.ranked_pairs import precision_behind_errors

PAIRS = {"cpu": 4096}  #: ranked at a time by kind of device
PAIRS_ELSEWHERE = 2**20
_HIGH = 1 if sys.byteorder == "little" else 0  # which half of a 64-bit number counts more
_LOW = 1 - _HIGH


def block_sums(shares: Tensor, labels: KnownLabels) -> Tensor:
    """Totals over the pairs of each query; :meth:`KnownLabels.counts` says of how many.

    Args:
        shares: (M, q, g) float32, not negative, or anything proportional to them within a pair.
        labels: of the same pairs.

    Returns:
        (q, 4 + 2M) float64: X-mAP_e, X-mAP_c, the exclusive and the common hit rate, then the hits of each
        attribute, exclusive and common.
    """
    attributes, queries, gallery = shares.shape
    most = PAIRS.get(shares.device.type, PAIRS_ELSEWHERE)
    buffers = _Buffers(attributes, max(1, min(queries, most // max(gallery, 1))), labels)
    found = [buffers.of_queries(shares, start) for start in range(0, queries, buffers.queries)]
    precision, top, top_and_yes = (torch.cat(each).double() for each in zip(*found, strict=True))

    counts = labels.counts
    common_pairs, common_by_attribute = counts[:, 1], counts[:, 4 + attributes :]
    average = precision.view(queries, 2, 2, attributes).sum(3)
    common = average[:, 1, 1] + common_pairs
    common.index_add_(0, labels.alike[0], _above_two_shares(shares, labels))
    # of what is among the N largest, the exclusive: those that one of the two has alone
    has = labels.yes_i.unsqueeze(1) > 0
    inside = torch.where(has, top - top_and_yes, top_and_yes)  # (q, 4, M)
    hits, rate, _, missed = inside.unbind(1)
    common_hits = common_by_attribute - (top[:, 0] - hits)
    of_rest = (attributes - 2 * labels.exclusive) * labels.weights[:, 3]
    common_rate = missed.sum(1) + of_rest.sum(1, dtype=torch.float64)
    means = torch.stack([average[:, 0, 0], common, rate.sum(1), common_rate], 1)
    return torch.cat([means, hits, common_hits], 1)


def _above_two_shares(shares: Tensor, labels: KnownLabels) -> Tensor:
    """(P,) what X-mAP_c of pairs with N = 0 lacks of 1: shares above 2/M are errors that stand first."""
    theirs = shares[:, labels.alike[0], labels.alike[1]]
    attributes = len(theirs)
    over = (theirs > ALL_COMMON_CEILING * theirs.mean(0)).sum(0)
    return precision_behind_errors(attributes).double().to(shares.device)[over, attributes - over] - 1


class _Buffers:
    """Room for the pairs of some queries, used again for the next ones.

    Args:
        attributes: M.
        queries: how many at most.
        labels: of the whole block.
    """

    def __init__(self, attributes: int, queries: int, labels: KnownLabels) -> None:
        gallery, device = len(labels.yes_j), labels.yes_j.device
        pairs = queries * gallery
        self.labels, self.queries = labels, queries
        self.keys = torch.empty(pairs, attributes, dtype=torch.int64, device=device)
        self.bits = torch.empty(pairs, attributes, dtype=torch.int32, device=device)
        self.differs = torch.empty(pairs, attributes, device=device)
        self.products = torch.empty(3 * attributes, pairs, device=device)
        self.top = torch.empty(attributes, pairs, device=device)
        self.forms = _forms(attributes).to(device)
        self.yes = labels.yes_j.T.contiguous().unsqueeze(1)
        backwards = torch.arange(attributes - 1, -1, -1, dtype=torch.int32, device=device)
        self.codes_i, self.codes_j = labels.yes_i.int(), 2 * backwards + labels.yes_j.int()
        self.least = (attributes - labels.exclusive).clamp_max_(attributes - 1)  # of the N largest, in order

    def of_queries(self, shares: Tensor, start: int) -> tuple[Tensor, Tensor, Tensor]:
        """Sums over the gallery for c queries from ``start`` on.

        Returns:
            The terms of both quadratic forms, weighted by 1/N and 1/(M − N), (c, 2, 2M); which attributes
            are among the N largest shares, (c, 4, M), weighted as in :attr:`KnownLabels.weights`;
            the same times the gallery's labels.
        """
        rows = slice(start, start + self.queries)
        shares, weights = shares[:, rows], self.labels.weights[rows]
        attributes, queries, gallery = shares.shape
        keys, differs = self._sorted(shares, self.codes_i[rows])
        products = torch.mm(self.forms, differs.T, out=self.products[:, : len(keys)])
        forms = products.view(3, attributes, queries, gallery)
        precision = forms[:2].mul_(forms[2]).view(2 * attributes, queries, gallery)
        top = self._among_largest(shares, keys, self.least[rows])
        found = [each @ x.permute(1, 2, 0) for each, x in ((weights[:, 1:3], precision), (weights, top))]
        return found[0], found[1], weights @ top.mul_(self.yes).permute(1, 2, 0)

    def _sorted(self, shares: Tensor, codes_i: Tensor) -> tuple[Tensor, Tensor]:
        """The attributes of each pair in ascending order of their shares, both (P, M).

        Returns:
            int64: bits of the share, the attribute from the last on, whether it differs; and that last bit
            as a number.
        """
        attributes, queries, gallery = shares.shape
        pairs = queries * gallery
        keys, bits, differs = self.keys[:pairs], self.bits[:pairs], self.differs[:pairs]
        halves = keys.view(torch.int32).view(queries, gallery, attributes, 2)
        low = halves.view(pairs, attributes, 2)[..., _LOW]
        whole, codes_i = shares.view(torch.int32).permute(1, 2, 0), codes_i.unsqueeze(1)
        if keys.device.type == "cpu":  # numpy sorts short rows in a tenth of the time, and copies in half
            ours = halves.numpy()
            ours[..., _HIGH] = whole.numpy()
            np.bitwise_xor(self.codes_j.numpy(), codes_i.numpy(), out=ours[..., _LOW])
            keys.numpy().sort(axis=1)
            np.bitwise_and(low.numpy(), 1, out=bits.numpy())
        else:
            halves[..., _HIGH] = whole
            halves[..., _LOW] = self.codes_j ^ codes_i
            torch.sort(keys.clone(), dim=1, out=(keys, torch.empty_like(keys)))
            torch.bitwise_and(low, 1, out=bits)
        return keys, differs.copy_(bits)

    def _among_largest(self, shares: Tensor, keys: Tensor, least: Tensor) -> Tensor:
        """(M, c, g) float, 1 where the attribute is among the N largest of its pair; anything where N = 0."""
        attributes, queries, gallery = shares.shape
        halves = keys.view(torch.int32).view(len(keys), attributes, 2)
        at = least.view(-1, 1)
        border, below = (halves[..., _HIGH].gather(1, place) for place in (at, (at - 1).clamp_min_(0)))
        smallest = border.view(torch.float32).view(queries, gallery)
        top = torch.ge(shares, smallest, out=self.top[:, : len(keys)].view_as(shares))
        tied = (border == below).view(queries, gallery)
        if tied.any():  # the border runs between equal shares
            inside = attributes - 1 - (halves[..., _LOW].gather(1, at) >> 1).view_as(tied)  # the last one
            behind = torch.arange(attributes, device=keys.device).unsqueeze(1) > inside[tied]
            top[:, tied] -= ((shares[:, tied] == smallest[tied]) & behind).float()
        return top


def _forms(attributes: int) -> Tensor:
    """(3M, M): both quadratic forms, without what depends on N alone, and the identity."""
    ones = torch.ones(attributes, attributes, dtype=torch.float64)
    place = torch.arange(1, attributes + 1, dtype=torch.float64).unsqueeze(1)
    from_largest, from_smallest = ones.triu() / place.flip(0), ones.tril() / place
    from_smallest -= from_smallest.sum(0).diag()
    return torch.cat([from_largest, from_smallest, torch.eye(attributes)]).float()
