"""λ, the say of attributes in re-ranking: from 0, the target alone, to infinity, the attributes alone."""

from __future__ import annotations

import math

from torch import Tensor

ALONE = math.inf  #: what stands for the attributes alone


def added(own: Tensor, attributes: Tensor, strength: float) -> Tensor:
    """d + λ a, or a where λ is infinite.

    Args:
        own: distances of the target, of any shape.
        attributes: distances of the attributes in the same unit, of that shape.
        strength: λ.
    """
    return attributes if strength == ALONE else own + strength * attributes


def said(strength: float) -> str:
    """λ for readers: ``0.5``, or ``∞``."""
    return "∞" if strength == ALONE else f"{strength:g}"


def jsonable(strength: float) -> float | str:
    """λ for a JSON file, which has no infinity: the number, or ``"inf"``; ``float`` reads both."""
    return "inf" if strength == ALONE else float(strength)
