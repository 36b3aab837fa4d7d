"""Contributions of every pair of a block, finished some thousand pairs at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from torchreid_amd.core.room import Room
from torchreid_amd.interpreter.contributions import PairwiseDistance, Side, unscaled_contributions
from torchreid_amd.interpreter.distances import NOWHERE
from torchreid_amd.interpreter.factored import Factored

_EUCLIDEAN = ("euclidean", "squared_euclidean")
_TINY = 1e-12  # as a length, what cosine distance takes for 0


class BlockContributions:
    """What :func:`~torchreid_amd.interpreter.contributions.unscaled_contributions` gives, the products first.

    Squares, roots and sums wait for :meth:`finish`, which whoever ranks the contributions asks for some
    thousand pairs at a time: then all of it happens in the processor's cache. Sums of Euclidean, squared and
    cosine distances need the same products.

    Args:
        distance: what is decomposed.
        form: ``'mean'``, ``'sum'`` or ``'additive'``.
        a, b: embeddings and components of the two sides, as of :meth:`DecomposedImages.block`.
        others: names of further distances whose sum is wanted.
        room: where products may be written.

    Attributes:
        whole: (q, g) sums over the attributes, complete when every pair is finished.
        scale: () or (q, g) what contributions and sums are still to be multiplied by.
        rest: () or (q, g) remainders, in units of the distance.
    """

    def __init__(
        self,
        distance: PairwiseDistance,
        form: str,
        a: Side,
        b: Side,
        others: Sequence[str] = (),
        room: Room | None = None,
    ) -> None:
        self.squares: tuple[Tensor, Tensor] | None = None
        self.sums: dict[str, Tensor] = {}  # by name of another distance
        self.roots = distance.name == "euclidean"
        if form == "additive" or distance.name not in _EUCLIDEAN:
            self.products, self.rest, self.scale = unscaled_contributions(distance, form, a, b, room)
        else:
            x, y = (p.dense().transpose(0, 1) if isinstance(p, Factored) else p for p in (a[1], b[1]))
            self.products = (room or Room()).tensor((len(x), x.shape[1], y.shape[1]), x)
            self.products.baddbmm_(x, y.transpose(1, 2), beta=0, alpha=-2)
            of_x, of_y = (torch.linalg.vector_norm(side, dim=-1) for side in (x, y))
            self.lengths = of_x.clamp_min(_TINY).unsqueeze(2), of_y.clamp_min(_TINY).unsqueeze(1)
            self.squares = of_x.square_().unsqueeze(2), of_y.square_().unsqueeze(1)
            self.rest, self.scale = (
                x.new_zeros(()),
                x.new_tensor(1 / max(1, len(x)) if form == "mean" else 1.0),
            )
            ready = ("cosine", "squared_euclidean") if self.roots else ("cosine",)
            self.sums = {name: self._pairs() for name in others if name in ready}
        self.whole = self._pairs()

    def _pairs(self) -> Tensor:
        return self.products.new_empty(self.products.shape[1:])

    def finish(self, q: slice, g: slice, out: Tensor) -> None:
        """Sizes of the contributions of some of the pairs, written to (M, c, e), and their sums."""
        part = self.products[:, q, g]
        if self.squares is None:
            torch.sum(part, 0, out=self.whole[q, g])
            torch.abs(part, out=out)
            return
        if "cosine" in self.sums:
            torch.div(part, self.lengths[0][:, q], out=out).div_(self.lengths[1][..., g])
            torch.sum(out, 0, out=self.sums["cosine"][q, g])
        torch.add(part, self.squares[0][:, q], out=out).add_(self.squares[1][..., g])
        if self.roots:
            functional.threshold(out, NOWHERE, 0.0, inplace=True)
            if "squared_euclidean" in self.sums:
                torch.sum(out, 0, out=self.sums["squared_euclidean"][q, g])
            out.sqrt_()
        else:
            out.clamp_min_(0)
        torch.sum(out, 0, out=self.whole[q, g])

    def decomposed(self, other: str) -> Tensor | None:
        """(q, g) mean or sum of another distance of the components; None where it was not added up."""
        if self.squares is None and self.roots and other == "squared_euclidean":  # additive
            return torch.where(self.scale > 0, self.whole + self.rest / self.scale, 0.0)
        if other not in self.sums:
            return None
        total = self.sums[other]
        if other == "cosine":  # of −2 cos
            total = len(self.products) + total / 2
        return total * self.scale
