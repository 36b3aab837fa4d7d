"""Memory that is used again."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class Room:
    """Room for one tensor after the other: memory that is fresh each time takes longer to get than to fill.

    A tensor from here is overwritten by the next one.
    """

    def __init__(self) -> None:
        self.memory = torch.empty(0)

    def tensor(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """(shape) float32 that holds anything, on the device of ``like``."""
        size = math.prod(shape)
        if len(self.memory) < size or self.memory.device != like.device:
            self.memory = torch.empty(size, device=like.device)
        return self.memory[:size].view(shape)
