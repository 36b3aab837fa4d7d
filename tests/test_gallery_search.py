"""Search among stored features: exact, whatever the blocks; by FAISS with how much it finds."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from stored_features import store_of

from torchreid_amd.core.errors import InputError
from torchreid_amd.gallery.approximate import open_index
from torchreid_amd.gallery.search import Gallery, nearest
from torchreid_amd.interpreter.distances import DISTANCES, get_distance


def features(count: int, size: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (count, size)).astype(np.float32)


def slow_order(query: np.ndarray, gallery: np.ndarray, metric: str) -> list[int]:
    """Positions by distance in double precision, one by one."""

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        if metric == "cosine":
            return 1 - float(a @ b) / float(np.sqrt(a @ a) * np.sqrt(b @ b))
        return float(((a - b) ** 2).sum())

    values = [distance(query.astype(float), row.astype(float)) for row in gallery]
    return sorted(range(len(gallery)), key=lambda n: (values[n], n))


@pytest.mark.parametrize("metric", DISTANCES)
@pytest.mark.parametrize("queries", [1, 7])  # by difference, and by products
@pytest.mark.parametrize("block", [3, 60])
def test_nearest_are_those_of_a_slow_search(metric: str, queries: int, block: int) -> None:
    gallery, asked = features(60), features(queries, seed=1)
    blocks = [(start, gallery[start : start + block]) for start in range(0, 60, block)]
    distance = get_distance(metric)
    found = nearest(torch.from_numpy(asked), blocks, 9, distance)
    for q, rows, values in zip(asked, found.rows, found.distances, strict=True):
        assert rows.tolist() == slow_order(q, gallery, metric)[:9]
        exact = distance.between(torch.from_numpy(q), torch.from_numpy(gallery[rows]))
        assert np.allclose(values, exact.numpy(), rtol=1e-6)


def test_equals_keep_their_order_and_fewer_than_asked_are_all() -> None:
    gallery = np.ones((50, 4), np.float32)
    gallery[20] = 0
    blocks = [(0, gallery[:25]), (25, gallery[25:])]
    found = nearest(torch.ones(1, 4), blocks, 3, get_distance("euclidean"))
    assert found.rows.tolist() == [[0, 1, 2]] and found.distances.tolist() == [[0, 0, 0]]
    found = nearest(torch.zeros(1, 4), blocks, 60, get_distance("euclidean"))
    assert found.rows[0, :2].tolist() == [20, 0] and found.rows.shape == (1, 50)


def test_many_queries_near_each_other_are_measured_by_difference() -> None:
    """Far from the origin products round: 1000² has steps of 1/16 in float32, the differences are 0.001."""
    gallery = np.full((400, 4), 1000, np.float32)
    gallery[:, 0] += np.arange(400)[::-1] / 1000
    found = nearest(torch.full((6, 4), 1000.0), [(0, gallery)], 5, get_distance("euclidean"))
    assert found.rows.tolist() == [[399, 398, 397, 396, 395]] * 6


def test_several_stores_are_one_gallery(tmp_path: Path) -> None:
    both = features(30)
    stores = [store_of(tmp_path / "a.h5", both[:12]), store_of(tmp_path / "b.h5", both[12:])]
    gallery = Gallery(stores)
    found = nearest(torch.from_numpy(both[20:21]), gallery.blocks(memory=5 * 24), 4, get_distance("cosine"))
    assert found.rows[0].tolist() == slow_order(both[20], both, "cosine")[:4]
    assert len(gallery) == 30 and gallery.file(20) == str(tmp_path / "8.png")  # 20 − 12
    assert np.array_equal(gallery.embeddings([11, 12]), both[11:13])


# -- FAISS ---------------------------------------------------------------------------------------


def clustered(count: int, size: int = 32) -> np.ndarray:
    """Photographs of people: ten near each other."""
    random = np.random.default_rng(3)
    people = random.normal(0, 1, (count // 10, size)).repeat(10, 0)
    return (people + random.normal(0, 0.2, people.shape)).astype(np.float32)


@pytest.mark.parametrize(("kind", "metric", "least"), [("flat", "cosine", 1.0), ("ivfpq", "euclidean", 0.8)])
def test_an_index_finds_what_it_says(
    kind: str, metric: str, least: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("faiss")
    caplog.set_level("INFO", "torchreid_amd")
    gallery = clustered(2000)
    if metric == "cosine":  # of any length, so that nearest by angle are not nearest by place
        gallery *= np.random.default_rng(4).uniform(1, 50, (2000, 1)).astype(np.float32)
    store, distance = store_of(tmp_path / "s.h5", gallery), get_distance(metric)
    index = open_index(store, kind, distance)
    assert least <= index.recall <= 1 and f"finds {index.recall:.1%} of the exact 10 nearest" in caplog.text
    asked = torch.from_numpy(gallery[:20] * 1.01)
    exact = nearest(asked, store.blocks(), 10, distance)
    found = index.search(asked, 10, distance)
    hits = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact.rows, found.rows, strict=True)])
    assert hits >= least - 0.05
    same = exact.rows == found.rows
    assert np.allclose(exact.distances[same], found.distances[same], rtol=1e-5)  # measured, not the codes'
    before = {p.name: p.stat().st_mtime_ns for p in tmp_path.glob("*.faiss")}
    assert open_index(store, kind, distance).recall == index.recall
    assert {p.name: p.stat().st_mtime_ns for p in tmp_path.glob("*.faiss")} == before  # read, not made again
    changed = store_of(tmp_path / "s.h5", gallery[::-1].copy())
    found = open_index(changed, kind, distance).search(asked, 1, distance)
    assert found.rows[0, 0] == 1999 - exact.rows[0, 0]


def test_an_index_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distance = get_distance("euclidean")
    small = store_of(tmp_path / "small.h5", features(10))
    with pytest.raises(InputError, match="unknown search 'ivfqp'; did you mean 'ivfpq'"):
        open_index(small, "ivfqp", distance)
    with pytest.raises(InputError, match="has 10 photographs; an index is for 1000 and more"):
        open_index(small, "flat", distance)
    large = store_of(tmp_path / "large.h5", features(1000))
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(InputError, match=r"pip install 'torchreid_amd\[faiss\]'"):
        open_index(large, "flat", distance)
