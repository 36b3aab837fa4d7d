"""A small network that sees attributes: what, where and how surely.

It looks at the target's own feature maps, fine and coarse, from the top down, and gives one map of
log-odds for each attribute. It is taught by labels of identities alone: an attribute is recognised
by the places that show it best (a soft maximum over the map), so that the map learns where it is.

After Lin et al., *Feature Pyramid Networks for Object Detection*, CVPR 2017 (coarse maps refined by
fine ones) and Pinheiro and Collobert, *From Image-level to Pixel-level Labeling with Convolutional
Networks*, CVPR 2015 (log-sum-exp over places).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from torchreid_amd.targets.tail import resized

GRID = 32  #: rows of the maps, about: those of the finest feature map, or a whole fraction of them
SHARPNESS = 3.0  #: of the soft maximum over places


def block(inputs: int, outputs: int) -> nn.Sequential:
    """Convolution 3×3, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class Eye(nn.Module):
    """The target's feature maps -> log-odds of each attribute at each place.

    Args:
        attributes: M.
        channels: channels of the feature maps, the finest first.
        width: channels inside.
        dropout: shares of channels dropped in training: of coarse feature maps, and before the end.
    """

    def __init__(
        self,
        attributes: int,
        channels: Sequence[int],
        width: int = 64,
        dropout: tuple[float, float] = (0.2, 0.1),
    ) -> None:
        super().__init__()
        self.looks = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(c),
                nn.Dropout2d(dropout[0] if i else 0.0),
                nn.Conv2d(c, width, 1) if i else nn.Conv2d(c, width, 3, padding=1),
            )
            for i, c in enumerate(channels)
        )
        self.merged = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(),
            block(width, width),
            block(width, width),
            nn.Dropout2d(dropout[1]),
        )
        self.score = nn.Conv2d(width, attributes, 1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Feature maps (B, C_i, h_i, w_i), the finest first -> log-odds (B, M, h, w)."""
        rows, columns = levels[0].shape[2:]
        part = max(1, round(rows / GRID))
        grid = math.ceil(rows / part), math.ceil(columns / part)
        looks = [resized(look(f), grid) for look, f in zip(self.looks, levels, strict=True)]
        scores: Tensor = self.score(self.merged(torch.stack(looks).sum(0)))
        return scores


def recognised(scores: Tensor) -> Tensor:
    """Log-odds at each place (B, M, h, w) -> log-odds that the person has the attribute (B, M)."""
    places = scores.flatten(2)
    return (torch.logsumexp(SHARPNESS * places, 2) - math.log(places.shape[2])) / SHARPNESS
