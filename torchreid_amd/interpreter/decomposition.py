"""What an interpreter says of images and of a pair: decompositions and comparisons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Decomposition:
    """What the interpreter says of B images.

    Attributes:
        embedding: the target's own embedding (B, D).
        maps: attribute-guided attention maps (B, M, h, w).
        components: attribute components of the embedding (B, M, D).
        strengths: (B, M) where each component is a number times a direction that all images share
            (:attr:`Interpreter.directions <torchreid_amd.Interpreter.directions>`): that number; else None.

    Example:
        >>> import torch, torchreid_amd as amd
        >>> embedding, maps, components = torch.ones(2, 4), torch.ones(2, 3, 8, 4), torch.ones(2, 3, 4)
        >>> whole = amd.Decomposition(embedding, maps, components)  # B=2, M=3, D=4
        >>> len(whole), whole[0].components.shape
        (2, torch.Size([1, 3, 4]))
        >>> whole.normalized().embedding[0]
        tensor([0.5000, 0.5000, 0.5000, 0.5000])
    """

    embedding: Tensor
    maps: Tensor
    components: Tensor
    strengths: Tensor | None = None

    def __len__(self) -> int:
        return len(self.embedding)

    def __getitem__(self, index: Any) -> Decomposition:
        """Some of the images; an integer keeps the batch dimension."""
        if isinstance(index, int):
            index = [index]
        return self._each(lambda values: values[index])

    def to(self, device: torch.device | str) -> Decomposition:
        """The same on another device."""
        return self._each(lambda values: values.to(device))

    def detach(self) -> Decomposition:
        """The same without gradients."""
        return self._each(Tensor.detach)

    def normalized(self) -> Decomposition:
        """Embedding at unit length, components scaled alike (torchreid's ``normalize_feature``)."""
        norm = self.embedding.norm(dim=1, keepdim=True).clamp_min(1e-12)
        strengths = None if self.strengths is None else self.strengths / norm
        return Decomposition(self.embedding / norm, self.maps, self.components / norm.unsqueeze(2), strengths)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Decomposition:
        strengths = None if self.strengths is None else change(self.strengths)
        return Decomposition(change(self.embedding), change(self.maps), change(self.components), strengths)

    @staticmethod
    def cat(parts: Sequence[Decomposition]) -> Decomposition:
        """Several batches as one."""
        strengths = [p.strengths for p in parts if p.strengths is not None]
        return Decomposition(
            torch.cat([p.embedding for p in parts]),
            torch.cat([p.maps for p in parts]),
            torch.cat([p.components for p in parts]),
            torch.cat(strengths) if len(strengths) == len(parts) else None,
        )


@dataclass(frozen=True)
class Comparison:
    """What the distance between two images is made of, for B pairs.

    Attributes:
        metric: ``euclidean``, ``squared_euclidean`` or ``cosine``.
        distance: the target's own distance (B,).
        contributions: each attribute's part of the distance (B, M), in units of the distance.
        shares: sizes of the contributions divided by their sum (B, M); uniform where that is 0.
        remainder: what belongs to no attribute (B,); 0 unless the form is ``additive``.
        residual: distance minus contributions and remainder (B,): what is not accounted for.

    Example:
        >>> import torch, torchreid_amd as amd
        >>> interpreter = amd.create_interpreter("osnet_x0_25", head="amd")
        >>> images = torch.rand(2, 3, 64, 32)
        >>> with torch.no_grad():
        ...     out = interpreter(images)
        ...     pair = interpreter.compare(out[0], out[1])
        >>> isinstance(pair, amd.Comparison), pair.metric, pair.contributions.shape
        (True, 'euclidean', torch.Size([1, 26]))
        >>> parts = pair.contributions.sum(-1) + pair.remainder + pair.residual
        >>> torch.allclose(parts, pair.distance)
        True
    """

    metric: str
    distance: Tensor
    contributions: Tensor
    shares: Tensor
    remainder: Tensor
    residual: Tensor
