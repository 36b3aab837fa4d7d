"""How many processes read photographs: those asked for where views are random, else at most one a core."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_engine import config
from tiny_market import write_tiny_market

from torchreid_amd.core.cores import cores
from torchreid_amd.engine.train import build_datamanager


def test_no_more_than_cores_where_nothing_is_random(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_tiny_market(tmp_path / "data")
    monkeypatch.setattr("torchreid_amd.engine.train.cores", lambda: 2)
    for asked, test in ((3, 2), (1, 1), (0, 0)):
        manager = build_datamanager(config(root, tmp_path / "run", "data.workers", asked))
        assert manager.train_loader.num_workers == asked  # random views differ with their number
        for sides in manager.test_loader.values():
            assert [sides[side].num_workers for side in ("query", "gallery")] == [test, test]
    assert cores() >= 1
