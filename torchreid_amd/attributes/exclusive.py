"""Which attributes of two persons are exclusive, common or unknown."""

from __future__ import annotations

from typing import Any, TypeVar

from numpy.typing import NDArray
from torch import Tensor

ALL_COMMON_CEILING = 2.0  #: N = 0: a share above this many times the uniform one, 2/M, is too large

Given = TypeVar("Given", Tensor, NDArray[Any])


def pair_labels(labels_i: Given, labels_j: Given) -> tuple[Given, Given]:
    """Which attributes are exclusive in a pair, and which are known of both persons.

    Args:
        labels_i, labels_j: (…, M) 1 yes, 0 no, −1 unknown; tensors or arrays.

    Returns:
        ``exclusive`` and ``known``, both (…, M) bool. Common ones are ``known & ~exclusive``.
    """
    known = (labels_i >= 0) & (labels_j >= 0)
    return known & (labels_i != labels_j), known
