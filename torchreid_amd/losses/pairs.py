"""The pairs of a batch that a loss is averaged over."""

from __future__ import annotations

import torch
from torch import Tensor


def batch_pairs(batch: int, device: torch.device | str | None = None) -> tuple[Tensor, Tensor]:
    """Every unordered pair of a batch, self-pairs left out.

    Args:
        batch: number of images B.
        device: where the indices are wanted.

    Returns:
        ``i`` and ``j``, both (P,) with P = B(B−1)/2 and i < j. Empty for B < 2.

    Example:
        >>> i, j = batch_pairs(3)
        >>> i.tolist(), j.tolist()
        ([0, 0, 1], [1, 2, 2])
    """
    i, j = torch.triu_indices(batch, batch, offset=1, device=device)
    return i, j


def pair_mean(values: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean over pairs; 0, still attached to the graph, where there is no pair.

    Args:
        values: (P,).
        valid: (P,) bool, the pairs that count; all of them where it is None.
    """
    if valid is None:
        return values.sum() / max(values.numel(), 1)
    return torch.where(valid, values, torch.zeros_like(values)).sum() / valid.sum().clamp_min(1)


def at_least_single(values: Tensor) -> Tensor:
    """Half-precision values in float32, so that small shares keep their digits; others as they are."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
