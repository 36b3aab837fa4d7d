"""What torchrun says to each of the processes that it starts; asked without torch."""

from __future__ import annotations

import os


def many() -> bool:
    """Whether this is one of several processes of torchrun."""
    needed = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    return all(name in os.environ for name in needed) and int(os.environ["WORLD_SIZE"]) > 1


def is_first() -> bool:
    """Whether this is the first of them, or alone."""
    return not many() or os.environ["RANK"] == "0"
