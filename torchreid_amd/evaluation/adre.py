"""ADRE, the average relative error of the decomposed distance.

Chen et al., ICCV 2021, https://arxiv.org/abs/2103.01451, evaluation protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from torchreid_amd.evaluation.mean import Mean


def relative_error(distance: Tensor, decomposed: Tensor) -> tuple[Tensor, Tensor]:
    """|d − decomposed d| / d of each pair.

    Args:
        distance: any shape, the target's distance d.
        decomposed: the same shape, the mean or sum of its components.

    Returns:
        The error as a fraction, 0 where d is not positive, and the bool mask of the pairs with
        d > 0. A pair at distance 0 has no relative error and is left out of ADRE.
    """
    valid = distance > 0
    error = (distance - decomposed).abs() / torch.where(valid, distance, 1.0)
    return torch.where(valid, error, 0.0), valid


class ADRE:
    """Mean of :func:`relative_error` over pairs, in percent; lower is better."""

    def __init__(self) -> None:
        self.error = Mean()
        self.left_out = 0  #: pairs at distance 0

    def update(self, distance: Tensor, decomposed: Tensor) -> None:
        """Add pairs; both of one shape."""
        error, valid = relative_error(distance, decomposed)
        self.error.update(error.flatten(), valid.flatten())
        self.left_out += int((~valid).sum())

    def merge(self, other: ADRE) -> ADRE:
        """Add the state of another process or block; gives itself."""
        self.error.merge(other.error)
        self.left_out += other.left_out
        return self

    @property
    def value(self) -> float | None:
        """ADRE in percent, None without pairs."""
        return None if self.error.value is None else 100 * self.error.value

    def to_dict(self) -> dict[str, Any]:
        """The state, JSON-ready; :meth:`from_dict` reads it back."""
        return {"error": self.error.to_dict(), "left_out": self.left_out}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> ADRE:
        """Read what :meth:`to_dict` wrote."""
        adre = cls()
        adre.error, adre.left_out = Mean.from_dict(state["error"]), int(state["left_out"])
        return adre
