"""A small network that sees attributes: what, where and how surely.

It looks at the target's own feature maps, fine and coarse, from the top down, and gives one map of
log-odds for each attribute. It is taught by labels of identities alone: an attribute is recognised
by the places that show it best (a soft maximum over the map), so that the map learns where it is.
What was seen of an attribute in one image helps to find it in the next: people stand upright in their
boxes, so places where it is usually seen are favoured. Attributes that exclude each other, the
colours of a shirt, share that knowledge.

After Lin et al., *Feature Pyramid Networks for Object Detection*, CVPR 2017 (coarse maps refined by
fine ones) and Pinheiro and Collobert, *From Image-level to Pixel-level Labeling with Convolutional
Networks*, CVPR 2015 (log-sum-exp over places).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from torchreid_amd.targets.receptive_fields import resized

GRID = 32  #: rows of the maps, about: those of the finest feature map, or a whole fraction of them
SHARPNESS = 3.0  #: of the soft maximum over places
PACE = 128  #: channels; a map of more of them, the coarse ones, would learn faster than the fine ones do
MOMENTUM = 0.02  #: weight of a batch in the usual places
LEAST = 0.02  #: of the highest share, what a place where an attribute is never seen has at least


def block(inputs: int, outputs: int) -> nn.Sequential:
    """Convolution 3×3, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class AttributeRecogniser(nn.Module):
    """The target's feature maps -> log-odds of each attribute at each place.

    Args:
        levels: feature maps (B, C_i, h_i, w_i) of the size to come, the finest first.
        same: (M, M) bool: which attributes share what is known of usual places; true on the diagonal.
        width: channels inside.
        places: whether usual places are favoured.
        offsets: by how much of a cell each feature map lies lower and further right than one that is
            spread evenly over the image, see :mod:`torchreid_amd.targets.receptive_fields`; nothing
            where empty.
        dropout: shares of channels dropped in training: of coarse feature maps, and before the end.
    """

    usual: Tensor
    same: Tensor

    def __init__(
        self,
        levels: Sequence[Tensor],
        same: Tensor,
        width: int = 64,
        places: bool = True,
        offsets: Sequence[tuple[float, float]] = (),
        dropout: tuple[float, float] = (0.2, 0.1),
    ) -> None:
        super().__init__()
        channels = [f.shape[1] for f in levels]
        grid = _grid(levels)
        self.places = places
        offsets = tuple(offsets) or ((0.0, 0.0),) * len(levels)
        finest, (down, right) = levels[0].shape, offsets[0]
        #: the same of the maps that it makes, whose cells are those of the finest feature map
        self.offset = down * grid[0] / finest[2], right * grid[1] / finest[3]
        self.offsets = [  # against the finest
            (y - down * f.shape[2] / finest[2], x - right * f.shape[3] / finest[3])
            for f, (y, x) in zip(levels, offsets, strict=True)
        ]
        self.register_buffer("usual", torch.full((len(same), *grid), 1 / (grid[0] * grid[1])))
        self.register_buffer("same", same, persistent=False)
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
        self.score = nn.Conv2d(width, len(same), 1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Feature maps (B, C_i, h_i, w_i), the finest first -> log-odds (B, M, h, w)."""
        grid = _grid(levels)
        seen = [
            resized(look(f) * min(1.0, PACE / f.shape[1]), grid, offset)
            for look, f, offset in zip(self.looks, levels, self.offsets, strict=True)
        ]
        scores: Tensor = self.score(self.merged(sum(seen[1:], seen[0])))
        if not self.places:
            return scores
        usual = resized(self.usual.unsqueeze(0), grid)
        return scores + (usual / usual.amax((2, 3), keepdim=True)).clamp_min(LEAST).log()

    @torch.no_grad()
    def remember(self, scores: Tensor, labels: Tensor) -> None:
        """Take note of where attributes are seen in images of people who have them.

        Args:
            scores: (B, M, h, w) log-odds.
            labels: (B, M) 1 yes, 0 no or unknown.
        """
        maps = resized(torch.sigmoid(scores.float()), self.usual.shape[1:])
        maps = maps / maps.sum((2, 3), keepdim=True).clamp_min(torch.finfo(maps.dtype).tiny)
        yes, share = labels.float(), self.same.float()
        count = share @ yes.sum(0)
        mean = torch.einsum("kl,bl,blhw->khw", share, yes, maps) / count.clamp_min(1).view(-1, 1, 1)
        seen = count > 0
        self.usual[seen] = self.usual[seen].lerp(mean[seen], MOMENTUM)


def _grid(levels: Sequence[Tensor]) -> tuple[int, int]:
    rows, columns = levels[0].shape[2:]
    part = max(1, round(rows / GRID))
    return math.ceil(rows / part), math.ceil(columns / part)


def recognised(scores: Tensor) -> Tensor:
    """Log-odds at each place (B, M, h, w) -> log-odds that the person has the attribute (B, M)."""
    places = scores.flatten(2)
    return (torch.logsumexp(SHARPNESS * places, 2) - math.log(places.shape[2])) / SHARPNESS
