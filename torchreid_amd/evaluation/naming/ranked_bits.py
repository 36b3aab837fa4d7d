"""Average precisions of rankings that are written as bits, by tables of what a dozen bits add to them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CHUNK = 13  #: bits that are looked up together; a table of them stays in the processor's cache
WORD = 2 * CHUNK  #: bits of a 32-bit number that are used


def ranked_bits(differs: NDArray[np.uint8], places: NDArray[np.uint8]) -> list[NDArray[np.intp]]:
    """Which attributes of a pair differ, from the largest share to the smallest, the first as the lowest bit.

    Args:
        differs: (M, P) 1 where the two people differ, 0 where they agree.
        places: (M, P) of the attributes, 0 for the largest share.

    Returns:
        (P,) numbers, one for each :data:`CHUNK` places.
    """
    word, bit = np.empty((2, places.shape[1]), np.uint32)
    chunks: list[NDArray[np.intp]] = []
    for start in range(0, len(places), WORD):
        word[...] = 0
        for each, place in zip(differs, places, strict=True):
            # a place below the word turns into one far above it; nothing is left of what is shifted so far
            shift = place - np.uint8(start) if start else place
            word |= np.left_shift(each, shift, out=bit, dtype=np.uint32)
        for first in range(start, min(start + WORD, len(places)), CHUNK):
            chunks.append((word >> (first - start) & (2**CHUNK - 1)).astype(np.intp))
    return chunks


def precision_sums(chunks: list[NDArray[np.intp]], attributes: int) -> tuple[NDArray, NDArray]:
    """Both average precisions times the number of their positives, N and M − N.

    Args:
        chunks: of :func:`ranked_bits`.
        attributes: M.

    Returns:
        Both (P,) float64: exclusive attributes from the largest share on, common ones from the smallest.
    """
    exclusive, common = _tables(attributes)
    found = _summed(zip(exclusive, chunks, strict=True))
    return found, _summed(zip(common, chunks[::-1], strict=True))


class _Table(NamedTuple):
    """What a chunk adds to the sum, over its positives, of the positives up to each divided by its place.

    Attributes:
        inside: (2^n,) the sum, counting the positives of the chunk alone.
        each: (2^n,) what it grows by for every positive that stands before the chunk.
        number: (2^n,) of positives.
    """

    inside: NDArray[np.float64]
    each: NDArray[np.float64]
    number: NDArray[np.float64]

    @classmethod
    def of(cls, positive: NDArray[np.integer], start: int) -> _Table:
        """(2^n, n) of every chunk whether each place counts, behind ``start`` other places."""
        each = positive / np.arange(start + 1, start + 1 + positive.shape[1])
        return cls((each * positive.cumsum(1)).sum(1), each.sum(1), positive.sum(1).astype(float))


@lru_cache(maxsize=4)
def _tables(attributes: int) -> tuple[list[_Table], list[_Table]]:
    """For exclusive attributes, the first chunk first; for common ones, from the other end."""
    exclusive, common = [], []
    for start in range(0, attributes, CHUNK):
        size = min(CHUNK, attributes - start)
        bits = np.arange(2**size)[:, None] >> np.arange(size) & 1
        exclusive.append(_Table.of(bits, start))
        common.append(_Table.of(1 - bits[:, ::-1], attributes - start - size))
    return exclusive, common[::-1]


def _summed(chunks: Iterable[tuple[_Table, NDArray[np.intp]]]) -> NDArray[np.float64]:
    (table, chunk), *rest = chunks
    total, before = table.inside.take(chunk), table.number.take(chunk)
    for at, (table, chunk) in enumerate(rest, 1):
        total += table.inside.take(chunk)
        total += before * table.each.take(chunk)
        if at < len(rest):
            before += table.number.take(chunk)
    return total
