"""The precision a target computes in: single, which every head and every sum needs."""

from __future__ import annotations

import copy
import logging
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as tree

from torchreid_amd.core.errors import InputError

_log = logging.getLogger(__name__)


def in_single_precision(model: nn.Module) -> nn.Module:
    """The model itself where it computes in single precision, else a copy of it that does.

    Weights in half precision, bfloat16 or double precision keep their values (double ones are
    rounded), and one logged line says so: distances then differ from the model's own by the rounding of
    its arithmetic.

    Raises:
        InputError: the model is quantised, has no values, or cannot be copied.
    """
    kind = type(model).__name__
    if any(_is_quantised(module) for module in model.modules()):
        raise InputError(
            f"{kind} is quantised (int8); expected floating-point weights: give the model as it was before "
            "it was quantised"
        )
    values = [*model.parameters(), *model.buffers()]
    if any(v.is_meta for v in values):
        raise InputError(
            f"{kind} has no values in its weights (device 'meta'); load them first: "
            "model.to_empty(device='cpu'), then load_weights"
        )
    others = {v.dtype for v in values if v.is_floating_point()} - {torch.float32}
    if not others:
        return model
    found = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in others))
    try:
        single = copy.deepcopy(model).float()
    except Exception as error:  # the model's own code: anything may come out of it
        raise InputError(
            f"{kind} has weights in {found} and cannot be copied to single precision "
            f"({type(error).__name__}: {' '.join(str(error).split())[:100]}); call model.float() first"
        ) from None
    _log.info(f"{kind} has weights in {found}: a copy in single precision is explained")
    return single


def single(values: Any) -> Any:
    """Tensors, or nested tuples of them, in single precision where they are in half."""
    halves = (torch.float16, torch.bfloat16)
    return tree.tree_map_only(Tensor, lambda t: t.float() if t.dtype in halves else t, values)


def _is_quantised(module: nn.Module) -> bool:
    return ".quantized." in f"{type(module).__module__}."
