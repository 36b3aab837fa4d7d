"""The head of an interpreter that knows no attributes: all of a distance is its remainder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from torchreid_amd.targets.target import Target


class NoHead(nn.Module):
    """Embeddings as they are, without maps and components."""

    form = "additive"  #: of the decomposition: what no attribute explains is a remainder

    def decompose(self, target: Target, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The target's embeddings (B, D), no maps (B, 0, 1, 1), no components (B, 0, D)."""
        with torch.no_grad():
            embedding: Tensor = target(images)
        count, size = embedding.shape
        return embedding, embedding.new_zeros(count, 0, 1, 1), embedding.new_zeros(count, 0, size)
