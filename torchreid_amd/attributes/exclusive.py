"""Which attributes of two persons are exclusive, common or unknown."""

from __future__ import annotations

from torch import Tensor


def pair_labels(labels_i: Tensor, labels_j: Tensor) -> tuple[Tensor, Tensor]:
    """Which attributes are exclusive in a pair, and which are known of both persons.

    Args:
        labels_i, labels_j: (…, M) 1 yes, 0 no, −1 unknown.

    Returns:
        ``exclusive`` and ``known``, both (…, M) bool. Common ones are ``known & ~exclusive``.
    """
    known = (labels_i >= 0) & (labels_j >= 0)
    return known & (labels_i != labels_j), known
