"""The attribute decomposition head: feature map -> attribute-guided attention maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

HIDDEN = 256


def phi(x: Tensor) -> Tensor:
    """φ(x) = eˣ for x < 0, √(1+x) for x ≥ 0: positive, increasing, φ(0) = 1, of slow growth."""
    return torch.where(x < 0, x.clamp_max(0).exp(), (1 + x.clamp_min(0)).sqrt())


class DecompositionHead(nn.Module):
    """Convolution 3×3 (C -> 256), convolution 1×1 (256 -> M), no bias, nothing between; then φ.

    The last convolution starts near zero, so that every map starts near 1 and the components
    start near the embedding itself.

    Args:
        channels: C of the feature map.
        num_attributes: M, the number of maps.
    """

    def __init__(self, channels: int, num_attributes: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(channels, HIDDEN, 3, padding=1, bias=False)
        self.project = nn.Conv2d(HIDDEN, num_attributes, 1, bias=False)
        nn.init.normal_(self.project.weight, std=1e-3)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, C, h, w) -> (B, M, h, w)``, positive."""
        return phi(self.project(self.spatial(features)))
