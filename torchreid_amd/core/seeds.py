"""Random numbers from a seed of their own."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(entropy: Sequence[int]) -> Iterator[None]:
    """Random numbers of Python, NumPy and torch from a seed; afterwards they go on as before.

    Args:
        entropy: numbers from 0; others, another seed.
    """
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    before = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            random.seed(seed)
            np.random.seed(seed)
            torch.manual_seed(seed)
            yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
