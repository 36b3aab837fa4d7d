"""Each process's part of every batch; together they are the batches that one process would have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from torchreid_amd.core.processes import count, share
from torchreid_amd.core.seeds import seeded

Draw = tuple[int, int]  #: a photograph, and the place in the epoch at which it is drawn


class OwnPart:
    """This process's part of each batch.

    All processes draw whole batches, from the same seed: identities are balanced as one process would
    balance them.

    Args:
        batches: the whole ones: sequences of B.
    """

    def __init__(self, batches: Any) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[list[Any]]:
        for batch in self.batches:
            yield list(share(list(batch)))

    def __len__(self) -> int:
        return len(self.batches)


class _Numbered:
    """Batches of photographs with the place of each in the epoch."""

    def __init__(self, batches: Any) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[list[Draw]]:
        place = 0
        for batch in self.batches:
            yield [(int(photograph), place + n) for n, photograph in enumerate(batch)]
            place += len(batch)

    def __len__(self) -> int:
        return len(self.batches)


class Photographs(Dataset[dict[str, Any]]):
    """torchreid's photographs, each augmented from a seed of its own.

    Random numbers go on as before, so they stay the same in all processes; and what is drawn for a
    photograph does not depend on how many processes there are.

    Args:
        dataset: torchreid's.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.train, self.data = dataset.train, dataset.data
        self.seed = 0

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, draw: Draw) -> dict[str, Any]:
        photograph, place = draw
        with seeded([self.seed, place]):
            found: dict[str, Any] = self.dataset[photograph]
        return found


def own_batches(loader: Any) -> Any:
    """The batches of a test loader that are this process's; all processes together have all of them."""
    if count() == 1:
        return loader
    return DataLoader(
        loader.dataset,
        batch_sampler=share(list(loader.batch_sampler)),
        num_workers=loader.num_workers,
        pin_memory=loader.pin_memory,
    )


class OwnLoader:
    """torchreid's loader of training batches, of which this process gets its part.

    Args:
        loader: torchreid's.
    """

    def __init__(self, loader: Any) -> None:
        self.dataset = Photographs(loader.dataset)
        self.batch_size = loader.batch_size  #: of all processes together
        self._loader: DataLoader[Any] = DataLoader(
            self.dataset,
            batch_sampler=OwnPart(_Numbered(loader.batch_sampler)),
            num_workers=loader.num_workers,
            pin_memory=loader.pin_memory,
        )

    def __iter__(self) -> Iterator[Any]:
        self.dataset.seed = torch.initial_seed() % 2**63  # of the epoch
        return iter(self._loader)

    def __len__(self) -> int:
        return len(self._loader)
