"""X-mAP_e, X-mAP_c and hit rates of every pair of a block, added up query by query.

What :class:`~torchreid_amd.evaluation.naming.attribute_scores.AttributeScores` adds pair by pair, where
an image is known in every attribute or in none, on the CPU. Some thousand pairs are ranked at a time, in
buffers that stay in the processor's cache, by NumPy, which compares and adds bytes several times as fast as
torch does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchreid_amd.attributes.exclusive import ALL_COMMON_CEILING
from torchreid_amd.evaluation.naming.counted_places import count_places
from torchreid_amd.evaluation.naming.labelled_block import KnownLabels
from torchreid_amd.evaluation.naming.ranked_bits import precision_sums, ranked_bits
from torchreid_amd.evaluation.naming.ranked_pairs import precision_behind_errors
from torchreid_amd.evaluation.pairs.blocks import slices

PAIRS = 12288  #: ranked at a time: 16 queries × 768


Shares = Callable[[slice, slice, Tensor], object]  #: writes the sizes of those of pairs q × g to (M, c, e)


def shares_of_block(shares: Tensor) -> Shares:
    """Of shares (M, q, g) that are there."""
    return lambda q, g, out: torch.abs(shares[:, q, g], out=out)


def block_sums(shares: Shares, labels: KnownLabels) -> NDArray[np.float64]:
    """Totals over the pairs of each query; :attr:`KnownLabels.counts` says of how many.

    Args:
        shares: of pairs, or anything proportional to them within a pair; each is asked for once.
        labels: of the same pairs, M at most :data:`~.counted_places.MOST`.

    Returns:
        (q, 4 + 2M): X-mAP_e, X-mAP_c, the exclusive and the common hit rate, then the hits of each
        attribute, exclusive and common.
    """
    (queries, gallery), attributes = labels.exclusive.shape, labels.yes_i.shape[1]
    columns = max(1, min(gallery, PAIRS))
    rows = max(1, min(queries, PAIRS // columns))
    some = _Pairs(attributes, rows * columns, labels)
    found = np.zeros((queries, 4 + 2 * attributes))
    for q in slices(queries, rows):
        for g in slices(gallery, columns):
            found[q] += some.sums(shares, q, g)
    found[:, 4 + attributes :] += labels.counts[:, 4 + attributes :].numpy()
    return found


class _Pairs:
    """Room for some pairs, used again for the next ones.

    Args:
        attributes: M.
        pairs: how many at most.
        labels: of the whole block.
    """

    def __init__(self, attributes: int, pairs: int, labels: KnownLabels) -> None:
        self.exclusive = labels.exclusive.numpy()
        self.yes_i, self.yes_j = (np.ascontiguousarray(x.numpy().T) for x in (labels.yes_i, labels.yes_j))
        self.shares = torch.empty(attributes * pairs)
        self.bytes = np.empty((3, attributes, pairs), np.uint8)
        self.behind_errors = precision_behind_errors(attributes).double().numpy()
        n = np.arange(attributes + 2)  # N, and M + 1 where a pair does not count
        some, rest = (n > 0) & (n <= attributes), n < attributes
        self.per_exclusive = some / np.maximum(n, 1)
        self.per_common = rest / np.maximum(attributes - n, 1)
        self.per_common_of_both = self.per_common * some
        self.largest = np.where(some, n, 0).astype(np.uint8)

    def sums(self, shares: Shares, q: slice, g: slice) -> NDArray[np.float64]:
        """Of the c × e pairs q × g, (c, 4 + 2M), the last M less the pairs that agree."""
        n = self.exclusive[q, g]
        attributes, pairs = len(self.yes_i), n.size
        shape = (attributes, *n.shape)
        given = self.shares[: attributes * pairs].view(shape)
        shares(q, g, given)
        size = given.view(attributes, pairs).numpy()
        differs, places, room = self.bytes[..., :pairs]
        np.bitwise_xor(self.yes_i[:, q, None], self.yes_j[:, None, g], out=differs.reshape(shape))
        count_places(size, places, room)
        exclusive, common = precision_sums(ranked_bits(differs, places), attributes)
        self._errors_first(common, size, np.flatnonzero(n == 0))
        # what is among the N largest, and of that what is exclusive
        largest = np.less(places, self.largest.take(n).ravel(), out=room.view(bool)).view(np.uint8)
        top = largest.reshape(shape).sum(2, dtype=np.uint16)
        largest &= differs
        hits = largest.reshape(shape).sum(2, dtype=np.uint16)
        inside = np.add.reduce(largest, axis=0, dtype=np.uint8).reshape(n.shape)

        per_exclusive = self.per_exclusive.take(n)
        means = [
            np.einsum("ce,ce->c", weights, values.reshape(n.shape))
            for weights, values in (
                (per_exclusive, exclusive),
                (self.per_common.take(n), common),
                (per_exclusive, inside),
                (self.per_common_of_both.take(n), attributes - 2.0 * n + inside),
            )
        ]
        return np.concatenate([means, hits, hits - top.astype(float)]).T

    def _errors_first(
        self, common: NDArray[np.float64], size: NDArray[np.float32], alike: NDArray[np.intp]
    ) -> None:
        """X-mAP_c of pairs with N = 0: shares above 2/M are errors that stand before the others."""
        attributes, theirs = len(size), size.take(alike, axis=1)
        over = (theirs > ALL_COMMON_CEILING * theirs.mean(0)).sum(0, dtype=np.uint8)
        common[alike] = attributes * self.behind_errors[over, attributes - over]
