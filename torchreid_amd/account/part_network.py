"""A small network that says which part of a person each pixel shows.

An encoder and a decoder with skips after Ronneberger et al., *U-Net*, MICCAI 2015,
https://arxiv.org/abs/1505.04597, with additions for concatenations: 54 thousand numbers. It has seen nothing
but pedestrians rendered by this package, day and night, changed at random in look and place, and learnt
from the true part of every pixel; ``examples/learn_parts.py`` makes its weights again.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load
from torch import Tensor, nn

from torchreid_amd.attributes.parts import PARTS

GRID = (128, 64)  #: (h, w) at which photographs are looked at, whatever their size
WIDTHS = (12, 20, 28, 36)  #: channels at the whole grid, a half, a quarter and an eighth of it
WEIGHTS = "part_network.safetensors"  #: beside this file
SIZES = (1.0, 0.9, 1.1)  #: in which a photograph is looked at
_SPREAD = 16.0  #: least spread of a photograph's pixels that is brought to 1

Pixels = NDArray[np.uint8]


class PartNetwork(nn.Module):
    """Log-odds of each part at each pixel."""

    def __init__(self) -> None:
        super().__init__()
        inside = zip((5, *WIDTHS), WIDTHS, strict=False)
        self.down = nn.ModuleList(
            nn.Sequential(*_layer(a, b, 1 if level == 0 else 2), *([] if level == 0 else _layer(b, b)))
            for level, (a, b) in enumerate(inside)
        )
        coarse_to_fine = list(zip(WIDTHS[:0:-1], WIDTHS[-2::-1], strict=True))
        self.narrow = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in coarse_to_fine)
        self.up = nn.ModuleList(nn.Sequential(*_layer(b, b)) for _, b in coarse_to_fine)
        self.out = nn.Conv2d(WIDTHS[0], len(PARTS), 1)

    def forward(self, photographs: Tensor) -> Tensor:
        """(B, 3, h, w) RGB of 0 … 255 at :data:`GRID` -> (B, P, h, w), P in the order of PARTS."""
        x = _with_places(photographs)
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
        for narrow, up, skip in zip(self.narrow, self.up, skips[-2::-1], strict=True):
            wide = nn.functional.interpolate(narrow(x), scale_factor=2.0, mode="bilinear")
            x = up(wide + skip)
        found: Tensor = self.out(x)
        return found


def _layer(inside: int, outside: int, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
    return [conv, nn.BatchNorm2d(outside), nn.ReLU(inplace=True)]


def _with_places(photographs: Tensor) -> Tensor:
    """(B, 5, h, w): each photograph with mean 0 and spread 1, and height and width of each pixel."""
    mean = photographs.mean((1, 2, 3), keepdim=True)
    spread = photographs.std((1, 2, 3), keepdim=True).clamp_min(_SPREAD)
    count, _, height, width = photographs.shape
    rows = torch.linspace(-1, 1, height).view(1, 1, -1, 1).expand(count, 1, height, width)
    columns = torch.linspace(-1, 1, width).view(1, 1, 1, -1).expand(count, 1, height, width)
    return torch.cat([(photographs - mean) / spread, rows, columns], 1)


@lru_cache(maxsize=1)
def trained() -> PartNetwork:
    """The network with the package's weights."""
    network = PartNetwork()
    stored = load(resources.files(__package__).joinpath(WEIGHTS).read_bytes())
    network.load_state_dict({name: value.float() for name, value in stored.items()}, strict=False)
    return network.eval()


def fitted(pixels: Pixels) -> Pixels:
    """A photograph (H, W, 3) at the size of :data:`GRID`."""
    height, width = GRID
    shrinks = pixels.shape[0] > height or pixels.shape[1] > width
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=way), np.uint8)


def odds_of_parts(pixels: Pixels) -> NDArray[np.float32]:
    """(h, w, P) log-odds of each part at the pixels of :data:`GRID`, P in the order of PARTS.

    The photograph is looked at in a few sizes, each with its mirror image, and their answers are averaged.

    Args:
        pixels: (H, W, 3) RGB, of any size.
    """
    small = fitted(pixels)
    scaled = [_scaled(small, size, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE) for size in SIZES]
    views = np.stack([view[:, ::way] for view in scaled for way in (1, -1)])
    with torch.inference_mode():
        odds = trained()(torch.from_numpy(views).permute(0, 3, 1, 2).float())
        found = nn.functional.log_softmax(odds, 1).permute(0, 2, 3, 1).numpy()
    back = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP  # beyond a view that is cut, all parts have 0
    both = (found[0::2] + found[1::2, :, ::-1]) / 2
    seen = [_scaled(one, size, back, cv2.BORDER_CONSTANT) for one, size in zip(both, SIZES, strict=True)]
    mean: NDArray[np.float32] = np.mean(seen, 0)
    return mean


def _scaled(image: NDArray[Any], size: float, way: int, border: int) -> NDArray[Any]:
    """An image (h, w, …) of the grid scaled about its middle; with WARP_INVERSE_MAP scaled back."""
    height, width = GRID
    x, y = (1 - size) * (width - 1) / 2, (1 - size) * (height - 1) / 2
    move = np.array([[size, 0, x], [0, size, y]], np.float32)
    return np.asarray(cv2.warpAffine(image, move, (width, height), flags=way, borderMode=border))
