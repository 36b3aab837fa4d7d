"""In which place the share of each attribute stands, found without sorting."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST = 224  #: attributes; a place, and what a shift of bits takes away from it, fit in a byte


def count_places(
    shares: NDArray[np.float32], places: NDArray[np.uint8], room: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """How many attributes stand before each: a larger share, or an equal one of an earlier attribute.

    Each two attributes are compared once, for all pairs of people at a time. A processor compares sixteen
    shares in one step and adds 64 bytes in one, so that this takes about as long as to sort a
    pair's shares as plain numbers, which would leave open whose they are.

    Args:
        shares: (M, P), one row for each attribute.
        places: (M, P), where the result is written.
        room: (M, P), overwritten.

    Returns:
        ``places``, in each column the numbers from 0 to M − 1.
    """
    attributes = len(shares)
    places[...] = np.arange(attributes, dtype=np.uint8)[::-1, None]  # as if all that follow stood before
    for k in range(attributes - 1):
        behind = room[: attributes - 1 - k]  # which of those that follow do not stand before attribute k
        np.greater_equal(shares[k], shares[k + 1 :], out=behind.view(bool))
        places[k + 1 :] += behind
        places[k] -= np.add.reduce(behind, axis=0, dtype=np.uint8)
    return places
