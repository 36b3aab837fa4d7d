"""Maps laid on photographs, where their cells look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from torchreid_amd.targets.receptive_fields import resized

Floats: TypeAlias = NDArray[np.floating[Any]]


def at_size(maps: Tensor, size: Sequence[int], offset: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    """Maps (K, h, w) at another size (K, H, W), float32: bilinear, averaged where it is the smaller one.

    Args:
        maps: as a head made them.
        size: (H, W).
        offset: by how much of their cells they lie lower and further right than if spread evenly.
    """
    given = maps.unsqueeze(0).float()
    if size[0] < maps.shape[1] or size[1] < maps.shape[2]:  # moved while their cells are small
        given, offset = resized(given, maps.shape[1:], offset), (0.0, 0.0)
    return resized(given, size, offset)[0]


def array_at_size(maps: Floats, size: Sequence[int], offset: tuple[float, float] = (0.0, 0.0)) -> Floats:
    """:func:`at_size` for arrays."""
    fitted: Floats = at_size(torch.from_numpy(np.ascontiguousarray(maps)), size, offset).numpy()
    return fitted


def mask_at_size(regions: Tensor, size: Sequence[int]) -> Tensor:
    """Regions (K, H, W) bool at another size, nearest neighbour."""
    fitted = functional.interpolate(regions.unsqueeze(0).float(), tuple(size), mode="nearest")[0]
    return fitted > 0.5
