"""A small network that sees attributes: what, where and how surely.

It looks at the pixels and, from the top down, at the target's own features, and gives one map of
log-odds for each attribute. It is taught by labels of identities alone: an attribute is recognised
by the places that show it best (a soft maximum over the map), so that the map learns where it is.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

GRID = 32  #: rows of a map, about: a quarter of the image's, or a whole fraction of that
SHARPNESS = 3.0  #: of the soft maximum over places


def block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class Eye(nn.Module):
    """Images and the target's feature maps -> log-odds of each attribute at each place.

    Args:
        attributes: M.
        channels: channels of the target's maps that are looked at, coarse ones last.
        width: channels inside.
        dropout: share of inner channels dropped in training.
    """

    def __init__(
        self,
        attributes: int,
        channels: tuple[int, ...],
        width: int = 64,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.pixels = nn.Sequential(block(3, width // 2, stride=2), block(width // 2, width, stride=2))
        self.near = block(width, width)
        self.above = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(c), nn.Dropout2d(0.2), nn.Conv2d(c, width, 1)) for c in channels
        )
        self.merged = nn.Sequential(
            nn.BatchNorm2d(width), nn.ReLU(), block(width, width), block(width, width), nn.Dropout2d(dropout)
        )
        self.score = nn.Conv2d(width, attributes, 1)

    def forward(self, images: Tensor, above: tuple[Tensor, ...]) -> Tensor:
        """Images (B, 3, H, W) and maps of the target (B, C_i, h_i, w_i) -> log-odds (B, M, h, w)."""
        fine = self.pixels(images)
        seen = self.near(functional.avg_pool2d(fine, max(1, round(fine.shape[2] / GRID))))
        for look, features in zip(self.above, above, strict=True):
            seen = seen + functional.interpolate(
                look(features), seen.shape[2:], mode="bilinear", align_corners=False
            )
        scores: Tensor = self.score(self.merged(seen))
        return scores


def recognised(scores: Tensor) -> Tensor:
    """Log-odds at each place (B, M, h, w) -> log-odds that the person has the attribute (B, M)."""
    places = scores.flatten(2)
    return (torch.logsumexp(SHARPNESS * places, 2) - math.log(places.shape[2])) / SHARPNESS
