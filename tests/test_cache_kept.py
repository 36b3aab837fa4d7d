"""What a cached training keeps is what the target gave, in its own order, and is read ahead of the steps."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from torchreid_amd.engine.cache.ahead import Ahead
from torchreid_amd.engine.cache.kept import BITS
from torchreid_amd.engine.cache.store import Store, size_of
from torchreid_amd.engine.cache.views import ViewSampler


def of_target() -> dict[str, Any]:
    """Two photographs of two views: maps channels last in bfloat16, others as they are, an embedding."""
    torch.manual_seed(0)
    maps, plain = torch.randn(4, 3, 5, 2), torch.randn(4, 3, 5, 2)
    last = maps.contiguous(memory_format=torch.channels_last)
    return {"levels": (last.bfloat16(), plain), "embedding": torch.randn(4, 6)}


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_a_batch_is_what_was_given_in_its_own_order(tmp_path: Path, precision: str) -> None:
    parts, path = of_target(), tmp_path / "cache.h5"
    Store.create(path, ["a", "b"], 2, parts, precision, {})
    store = Store(path, parts, writing=True)
    store.write([0, 1], parts)
    assert [a.shape[2:] for a in store._arrays] == [(5, 2, 3), (3, 5, 2), (6,)]
    found = store.read([(1, 0), (0, 1), (1, 0)])
    rows = [2, 1, 2]
    half, plain = found["levels"]
    assert torch.equal(half.float(), parts["levels"][0][rows].float())  # to the bit
    assert half.is_contiguous(memory_format=torch.channels_last) and plain.is_contiguous()
    assert half.dtype == (torch.bfloat16 if precision == "fp16" else torch.float32)
    exact = precision == "fp32"
    torch.testing.assert_close(plain, parts["levels"][1][rows], rtol=0 if exact else 5e-4, atol=0)
    torch.testing.assert_close(found["embedding"], parts["embedding"][rows], rtol=5e-4, atol=0)
    # 30 numbers of either map and 6 of the embedding, of four views
    assert size_of(2, 2, parts, precision) == 4 * 66 * (4 if exact else 2)
    store.close()


def test_half_of_float_maps_is_not_bits(tmp_path: Path) -> None:
    """An older file, fp16 and channels first, takes what is computed channels last in bfloat16."""
    parts, path = of_target(), tmp_path / "cache.h5"
    older = parts | {"levels": tuple(x.float().contiguous() for x in parts["levels"])}
    Store.create(path, ["a", "b"], 2, older, "fp16", {})
    store = Store(path, parts, writing=True)
    store.write([0, 1], parts)
    assert store._arrays[1].dtype == np.float16 != BITS
    torch.testing.assert_close(store.read([(1, 1)])["levels"][0], parts["levels"][0][3:].float())
    store.close()


class _Noted(Dataset[Any]):
    def __init__(self) -> None:
        self.threads: list[int] = []

    def __getitem__(self, at: Any) -> Any:
        self.threads.append(threading.get_ident())
        if at == 7:
            raise OSError("no disk")
        return at

    def __len__(self) -> int:
        return 6


def test_batches_come_ahead_in_order_from_a_thread_of_their_own() -> None:
    noted = _Noted()
    ahead = Ahead(DataLoader(noted, sampler=range(6), batch_size=None))
    assert len(ahead) == 6 and ahead.dataset is noted
    seen = []
    for batch in ahead:
        seen.append(batch)
    assert seen == list(range(6))
    assert noted.threads[0] == threading.get_ident() not in noted.threads[1:]
    for _ in ahead:  # left early
        break
    assert threading.active_count() < 10
    with pytest.raises(OSError, match="no disk"):
        list(Ahead(DataLoader(noted, sampler=[1, 7, 2], batch_size=None)))


class _Drawn(Sampler[int]):
    def __iter__(self) -> Iterator[int]:
        for _ in range(20):
            yield int(torch.randint(1000, ()))

    def __len__(self) -> int:
        return 20


def test_nothing_random_is_drawn_behind_the_first_photograph() -> None:
    sampler = ViewSampler(_Drawn(), 3)
    torch.manual_seed(1)
    whole = list(sampler)
    torch.manual_seed(1)
    views = iter(sampler)
    first = next(views)
    torch.rand(1000)  # dropout of a step
    assert [first, *views] == whole and len({i for i, _ in whole}) > 10
