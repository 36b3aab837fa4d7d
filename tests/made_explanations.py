"""An explanation whose numbers are known, for tests of what is made of it."""

from __future__ import annotations

import numpy as np
from toy_interpreter import noisy

from torchreid_amd.attributes.sets import market1501
from torchreid_amd.explanation.explanation import Explanation


def market_explanation(
    signed: bool = False, labels: bool = True, names: tuple[str, str] = ("A", "B")
) -> Explanation:
    """Market's 26 attributes; contributions 1 … 26 over their sum, the last five negative if signed."""
    schema = market1501()
    parts = np.arange(26, 0, -1.0)
    if signed:
        parts[-5:] *= -1
    shares = parts / parts.sum()
    rng = np.random.default_rng(0)
    maps = rng.uniform(0.5, 2, (2, 26, 8, 4)).astype(np.float32)
    known = (np.arange(26) % 2).astype(np.int8), np.array([1, 0, -1] * 8 + [1, 1], np.int8)
    return Explanation(
        10.0, "euclidean", 9.0 * shares, shares, 1.0, schema, (maps[0], maps[1]),
        (noisy(1, (64, 128)), noisy(2, (300, 200))), names, known if labels else None,
    )  # fmt: skip
