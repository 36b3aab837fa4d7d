"""Why there are no retrieval scores, and pairs of equal pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import torchreid_amd as amd
from torchreid_amd.evaluation.data.decomposed_images import DecomposedImages
from torchreid_amd.evaluation.retrieval import warn_where_nothing_counts, why_nothing_counts


def reason(query: list[tuple[int, int]], gallery: list[tuple[int, int]]) -> str:
    """Of (person, camera) pairs."""
    (qp, qc), (gp, gc) = (np.array(side).T for side in (query, gallery))
    return why_nothing_counts(qp, gp, qc, gc)


def test_reasons() -> None:
    assert reason([(1, 0)], [(1, 1)]) == ""
    assert reason([(1, 0), (2, 0)], [(1, 0), (2, 1)]) == ""  # the second query counts
    assert "own camera alone" in reason([(1, 0), (2, 0)], [(1, 0), (2, 0)])
    assert "own camera alone" in reason([(1, 0)], [(1, 0), (3, 1)])  # another person's camera is no help
    assert reason([(1, 0)], [(2, 1)]) == "nobody of the query is in the gallery"


def test_one_camera_for_everybody_is_said(caplog: pytest.LogCaptureFixture) -> None:
    side = DecomposedImages(torch.rand(2, 3), torch.rand(2, 1, 3), torch.tensor([1, 2]), torch.zeros(2))
    warn_where_nothing_counts(side, side)
    assert len(caplog.messages) == 1 and caplog.messages[0].startswith("rank-1, mAP and mINP are not scored")
    caplog.clear()
    other = DecomposedImages(side.embedding, side.components, side.pids, torch.ones(2))
    warn_where_nothing_counts(side, other)
    assert not caplog.messages


@pytest.mark.parametrize("metric", ["euclidean", "squared_euclidean", "cosine"])
@pytest.mark.parametrize("head", ["additive", "amd"])
def test_equal_pixels_are_the_same_to_the_last_bit(build, tmp_path: Path, metric: str, head: str) -> None:
    """Cosine distance of an embedding to itself is 6e-8 in single precision; that is no explanation."""
    explainer = amd.Explainer(
        amd.create_interpreter(build("osnet_x0_25"), head, ["hat", "bag"], metric), size=(64, 32)
    )
    random = np.random.default_rng(0)
    for n in range(6):
        pixels = random.integers(0, 255, (64, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "a.png")
        Image.fromarray(pixels).save(tmp_path / "b.bmp")
        e = explainer.explain(tmp_path / "a.png", tmp_path / "b.bmp")
        assert e.distance == 0 and not e.contributions.any() and e.residual == 0, n
        assert len(set(e.shares)) == 1 and not e.remainder
        pixels[:32] = 255 - pixels[:32]
        assert explainer.explain(tmp_path / "a.png", pixels).distance > 0
