"""Components that are a number times a direction, without being multiplied out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Factored:
    """Components f_k = s_k w_k of N embeddings: M numbers an image instead of M · D.

    With them ⟨f_k(i) − f_k(j), e(i) − e(j)⟩ = (s_k(i) − s_k(j)) (⟨w_k, e(i)⟩ − ⟨w_k, e(j)⟩), so that what an
    attribute adds to a distance takes no product of D numbers a pair.

    Attributes:
        strengths: (N, M).
        directions: (M, D), the same for all images.

    Example:
        >>> import torch
        >>> from torchreid_amd.interpreter.factored import Factored
        >>> two = Factored(torch.tensor([[1.0, 0.5], [0.0, 2.0]]), torch.tensor([[1.0, 0.0], [1.0, 2.0]]))
        >>> two.dense()[0].tolist(), two.summed()[0].tolist()
        ([[1.0, 0.0], [0.5, 1.0]], [1.5, 1.0])
    """

    strengths: Tensor
    directions: Tensor

    @property
    def shape(self) -> torch.Size:
        """(N, M, D), as of :meth:`dense`."""
        return torch.Size((*self.strengths.shape, *self.directions.shape[1:]))

    def __getitem__(self, images: Any) -> Factored:
        """Some of the images: a slice, indices or a mask."""
        return Factored(self.strengths[images], self.directions)

    def select(self, attributes: Sequence[int]) -> Factored:
        """Some of the attributes, by position."""
        kept = list(attributes)
        return Factored(self.strengths[:, kept], self.directions[kept])

    def goes_with(self, other: Factored) -> bool:
        """Whether both have the same directions."""
        return torch.equal(self.directions, other.directions)

    def to(self, device: torch.device, dtype: torch.dtype) -> Factored:
        """The same elsewhere, in another precision."""
        return Factored(self.strengths.to(device, dtype), self.directions.to(device, dtype))

    def dense(self) -> Tensor:
        """The components themselves (N, M, D)."""
        return self.strengths.unsqueeze(2) * self.directions

    def summed(self) -> Tensor:
        """(N, D): what the components of an image add up to."""
        return self.strengths @ self.directions

    def __truediv__(self, length: Tensor) -> Factored:
        """Components divided by a length of each image (N, 1)."""
        return Factored(self.strengths / length, self.directions)
