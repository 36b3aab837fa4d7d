"""The next batch is read from the disk while a step computes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from torch.utils.data import DataLoader


class Ahead:
    """A loader's batches, each read by a thread while the one before it is used.

    Args:
        loader: draws nothing at random behind its first batch, which is read by the caller's own thread.
    """

    def __init__(self, loader: DataLoader[Any]) -> None:
        self.loader, self.dataset = loader, loader.dataset

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        batches = iter(self.loader)
        batch = next(batches, None)
        with ThreadPoolExecutor(1) as reader:
            while batch is not None:
                coming = reader.submit(next, batches, None)
                yield batch
                batch = coming.result()
