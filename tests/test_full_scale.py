"""Market-1501 at its official size, with seeded features: torchreid's numbers, in bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("full_scale.py")


@pytest.fixture
def score(real_file: Callable[[str], Path]) -> Callable[[int, int], dict[str, Any]]:
    """Scores of some queries, in a process of their own so that its memory can be read."""
    folder = [real_file(f"market_eval_{n}.mat") for n in ("queryID", "queryCam", "testID", "testCam")][
        0
    ].parent

    def run(queries: int, dimension: int) -> dict[str, Any]:
        command = [sys.executable, "-W", "ignore", str(SCRIPT), str(folder), str(queries), str(dimension)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return run


def check(found: dict[str, Any], queries: int) -> None:
    assert found["pairs"]["all"] == queries * 15913
    assert 15 < found["ours"]["mAP"] < 85  # neither all right nor all wrong
    for name, theirs in found["torchreid"].items():
        assert abs(found["ours"][name] - theirs) / 100 < 1e-6, name
    for name in ("X-mAP_e", "X-mAP_c"):
        # all components of a pair are nearly alike, so their order has nothing to do with the labels
        assert found["interpreter"][name] == pytest.approx(found["random"][name], abs=4)


def test_some_queries_equal_torchreid(score: Callable[[int, int], dict[str, Any]]):
    check(score(25, 32), 25)


@pytest.mark.heavy
def test_all_queries_equal_torchreid_within_two_gigabytes(score: Callable[[int, int], dict[str, Any]]):
    found = score(3368, 512)
    check(found, 3368)
    assert found["peak_gib"] < 2
