"""Maps laid on photographs, where their cells look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.nn import functional as F

from torchreid_amd.targets.receptive_fields import resized


def at_size(maps: Tensor, size: Sequence[int], offset: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    """Maps (K, h, w) at another size (K, H, W), bilinear.

    Args:
        maps: any.
        size: (H, W).
        offset: by how much of their cells they lie lower and further right than if spread evenly.
    """
    return resized(maps.unsqueeze(0).float(), size, offset)[0]


def mask_at_size(regions: Tensor, size: Sequence[int]) -> Tensor:
    """Regions (K, H, W) bool at another size, nearest neighbour."""
    fitted = functional.interpolate(regions.unsqueeze(0).float(), tuple(size), mode="nearest")[0]
    return fitted > 0.5


Floats = NDArray[np.floating[Any]]


def resize_maps(maps: Floats, height: int, width: int, offset: tuple[float, float] = (0.0, 0.0)) -> Floats:
    """(M, h, w) -> (M, height, width), bilinear; averaged where the new size is the smaller one.

    Args:
        maps: as the head made them.
        height, width: of the result.
        offset: by how much of their cells they lie lower and further right than if spread evenly.
    """
    source = torch.from_numpy(np.ascontiguousarray(maps, dtype=np.float32)).unsqueeze(0)
    if height < maps.shape[1] or width < maps.shape[2]:
        source = resized(source, source.shape[2:], offset)
        source = F.interpolate(
            source, size=(height, width), mode="bilinear", align_corners=False, antialias=True
        )
    else:
        source = resized(source, (height, width), offset)
    array: Floats = source[0].numpy()
    return array
