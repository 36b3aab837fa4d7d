"""How a tensor lies in the file of a cached training, so that a batch is read into place as it is.

Maps that a target computes channels last lie so in the file. What it gives in bfloat16 is kept bit by
bit where half precision is asked for; numbers of other kinds are kept in the precision that is asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchreid_amd.core.errors import InputError

DTYPES: dict[str, Any] = {"fp16": np.dtype(np.float16), "fp32": np.dtype(np.float32)}
BITS = np.dtype(np.int16)  #: of bfloat16, which numpy does not know


def kind_of(leaf: Tensor, precision: str) -> Any:
    """In what a tensor is kept.

    Args:
        leaf: as the target gives it.
        precision: ``'fp16'`` or ``'fp32'``.
    """
    return BITS if leaf.dtype == torch.bfloat16 and precision == "fp16" else DTYPES[precision]


def named(kind: Any) -> str:
    """A kind in words."""
    return next((name for name, known in DTYPES.items() if kind == known), "bfloat16")


def is_last(leaf: Tensor) -> bool:
    """Whether its channels stand last in memory."""
    return leaf.ndim == 4 and not leaf.is_contiguous() and leaf.permute(0, 2, 3, 1).is_contiguous()


def to_file(leaf: Tensor, kind: Any, last: bool) -> NDArray[Any]:
    """A tensor (B, …) as it is written.

    Raises:
        InputError: a value is not finite, or too large for half precision.
    """
    leaf = leaf.detach().cpu()
    leaf = (leaf.permute(0, 2, 3, 1) if last else leaf).contiguous()
    whole = leaf.isfinite().all()
    if kind == BITS:
        kept = leaf.bfloat16().view(torch.int16).numpy()
    else:
        with np.errstate(over="ignore"):
            kept = leaf.float().numpy().astype(kind, copy=False)
    if not whole:
        raise InputError("the target's maps are not finite; check its weights")
    if kind == DTYPES["fp16"] and not np.isfinite(kept).all():
        raise InputError(
            f"the target's maps reach {leaf.abs().max():.3g}, which half precision cannot hold; set "
            "amd.cache_precision fp32"
        )
    return kept


def from_file(values: NDArray[Any], last: bool) -> Tensor:
    """The tensor (B, …) again: bfloat16 where that was kept, else in single precision."""
    leaf = torch.from_numpy(values)
    leaf = leaf.view(torch.bfloat16) if values.dtype == BITS else leaf.float()
    return leaf.permute(0, 3, 1, 2) if last else leaf
