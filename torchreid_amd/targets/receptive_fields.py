"""Where in the image the cells of a feature map lie.

A convolution of stride 2 with as much padding on every side looks at every other pixel, beginning
with the first: cell i lies at pixel 2i, half a pixel up and left of where a map that is spread evenly
over the image would have it. Layer by layer this adds up: by 1.5 pixels in an OSNet, by 15.5 in the
last map of a ResNet (of stride 32). After Araujo et al., *Computing Receptive Fields of Convolutional
Neural Networks*, Distill 2019, https://distill.pub/2019/computing-receptive-fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

_aten = torch.ops.aten
_CONVOLUTION = _aten.convolution.default
_MAX, _AVERAGE = _aten.max_pool2d_with_indices.default, _aten.avg_pool2d.default


class Cells(TorchDispatchMode):
    """Follows convolutions and pooling as they run in its context, and knows where their cells lie.

    What changes a map in another way (an upsampling, patches that are merged) is taken to spread its
    cells evenly; of several ways to maps of one size the first that is run counts.

    Args:
        size: (H, W) of the images.
    """

    def __init__(self, size: Sequence[int]) -> None:
        super().__init__()
        self.size = tuple(size)
        # along each axis: number of cells -> (pixel at the centre of the first, pixels from one to the next)
        self.known = [{cells: (0.0, 1.0)} for cells in self.size]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation, and take note of it."""
        out = func(*args, **(kwargs or {}))
        if func is _CONVOLUTION and not args[6]:
            self._note(args[0], out, args[1].shape[2:], args[3], args[4], args[5])
        elif func in (_MAX, _AVERAGE):
            kernel, stride, padding, dilation = (*args[1:], *((), (), (0,), (1,))[len(args) - 1 :])[:4]
            apart = dilation if func is _MAX else (1,)
            self._note(args[0], out[0] if func is _MAX else out, kernel, stride or kernel, padding, apart)
        return out

    def _note(self, value: Tensor, out: Tensor, *numbers: Sequence[int]) -> None:
        if out.ndim != 4:
            return
        for axis, known in enumerate(self.known):
            kernel, stride, padding, dilation = (n[axis if len(n) > 1 else 0] for n in numbers)
            before, after = value.shape[2 + axis], out.shape[2 + axis]
            if before in known and after not in known:
                first, step = known[before]
                known[after] = first + step * (dilation * (kernel - 1) / 2 - padding), step * stride

    def offset(self, grid: Sequence[int]) -> tuple[float, float]:
        """By how much of a cell a map lies lower and further right than one that is spread evenly.

        Args:
            grid: (h, w) of the map.
        """
        down, right = (self._along(axis, cells) for axis, cells in enumerate(grid))
        return down, right

    def _along(self, axis: int, cells: int) -> float:
        if cells not in self.known[axis]:
            return 0.0
        first, step = self.known[axis][cells]
        pixels = self.size[axis]
        return (first + step * (cells - 1) / 2 - (pixels - 1) / 2) * cells / pixels


def resized(maps: Tensor, grid: Sequence[int], offset: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    """Maps (B, M, h, w) on a grid that is spread evenly over the image.

    Averages where it is coarser, bilinear where it is finer; positive maps stay positive and a
    constant map constant.

    Args:
        maps: as they are.
        grid: (h, w) wanted.
        offset: by how much of its cells a map lies lower and further right than an even one.
    """
    coarse = min(maps.shape[2], grid[0]), min(maps.shape[3], grid[1])
    if coarse != tuple(maps.shape[2:]):  # offsets are in cells, which grow
        offset = offset[0] * coarse[0] / maps.shape[2], offset[1] * coarse[1] / maps.shape[3]
        maps = functional.adaptive_avg_pool2d(maps, coarse)
    for axis in (2, 3):
        if maps.shape[axis] == grid[axis - 2] and not offset[axis - 2]:
            continue
        weights = _between(maps.shape[axis], grid[axis - 2], offset[axis - 2]).to(maps)
        maps = weights @ maps if axis == 2 else maps @ weights.T
    return maps


def _between(cells: int, wanted: int, offset: float) -> Tensor:
    """(wanted, cells) weights of linear interpolation; what lies outside is the outermost cell."""
    at = (torch.arange(wanted) + 0.5) * cells / wanted - 0.5 - offset
    at = at.clamp(0, cells - 1)
    low = at.floor().long().clamp(max=max(0, cells - 2))
    high = (low + 1).clamp(max=cells - 1)
    part = at - low
    return functional.one_hot(low, cells) * (1 - part).unsqueeze(1) + functional.one_hot(
        high, cells
    ) * part.unsqueeze(1)
