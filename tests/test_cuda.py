"""On a real GPU: the same numbers as on the CPU. Skipped, with the reason, where there is none.

python -m pytest tests/test_cuda.py -q
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_market import write_tiny_market

import torchreid_amd as amd
from torchreid_amd.cli import main

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(
        not torch.cuda.is_available(), reason="there is no CUDA here: torch.cuda.is_available()"
    ),
]
CLOSE = 1e-3  #: relative: TF32 is off, convolutions are summed in another order
SETS = ("-s", "market1501_attr", "-t", "market1501_attr")
SMALL = (
    *("model.name", "osnet_x0_25", "model.pretrained", "False", "data.height", "64", "data.width", "32"),
    *("data.workers", "0", "train.batch_size", "4", "train.max_epoch", "2", "test.ranks", "[1]"),
)


@pytest.fixture(autouse=True)
def _exact() -> Iterator[None]:
    """Products without TF32, whose ten bits would be most of a difference."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_market(tmp_path_factory.mktemp("data"))


def trained(root: Path, weights: Path, run: Path, cuda: bool, *options: str) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        if not cuda:
            patch.setattr(torch.cuda, "is_available", lambda: False)
        rest = [*SMALL, *options, "data.save_dir", str(run), "model.load_weights", str(weights)]
        assert main(["train", "--root", str(root), *SETS, *rest]) == 0
    return run


def scores_of(root: Path, run: Path, cuda: bool) -> dict[str, Any]:
    skip = [x for part in ("sanity", "removal", "reweight", "probe") for x in ("--skip", part)]
    with pytest.MonkeyPatch.context() as patch:
        if not cuda:
            patch.setattr(torch.cuda, "is_available", lambda: False)
        assert main(["evaluate", str(run), "--root", str(root), *skip]) == 0
    found: dict[str, Any] = json.loads((run / "scores.json").read_text())["datasets"]["market1501_attr"]
    return found


@pytest.mark.parametrize("head", ["additive", "amd", "attrimeter"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_trained_and_scored_as_on_the_cpu(
    head: str, metric: str, root: Path, weights: Path, tmp_path: Path
) -> None:
    options = ("amd.head", head, "test.dist_metric", metric)
    runs = [trained(root, weights, tmp_path / str(cuda), cuda, *options) for cuda in (True, False)]
    gpu, cpu = (amd.read_state_dict(run / "interpreter.safetensors") for run in runs)
    for name, value in gpu.items():
        assert torch.allclose(value, cpu[name], rtol=CLOSE, atol=CLOSE), name
    there, here = (scores_of(root, runs[0], cuda) for cuda in (True, False))  # one run, on both
    for side in ("target", "interpreter"):
        kept = {k: v for k, v in here[side].items() if v is not None}
        assert {k: there[side][k] for k in kept} == pytest.approx(kept, rel=CLOSE, abs=0.1)  # percent


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_explained_and_ranked_as_on_the_cpu(metric: str, root: Path, weights: Path, tmp_path: Path) -> None:
    run = trained(root, weights, tmp_path / "run", True, "amd.head", "additive", "test.dist_metric", metric)
    photographs = sorted(root.rglob("query/*.jpg"))
    explainers = [amd.Explainer.from_pretrained(run, device=device) for device in ("cuda", "cpu")]
    gpu, cpu = (e.explain(*photographs[:2]) for e in explainers)
    assert gpu.distance == pytest.approx(cpu.distance, rel=CLOSE)
    assert gpu.contributions == pytest.approx(cpu.contributions, rel=CLOSE, abs=CLOSE * cpu.distance)
    assert gpu.account and cpu.account
    for part, value in cpu.account.by_part().items():
        assert gpu.account.by_part()[part] == pytest.approx(value, rel=CLOSE, abs=CLOSE * cpu.distance)
    rankings = [e.explain_ranking(photographs[0], photographs, topk=2) for e in explainers]
    assert rankings[0].order == rankings[1].order
    stores = [amd.extract(e, photographs, tmp_path / f"{n}.h5", maps=True) for n, e in enumerate(explainers)]
    for name in ("embedding", "components", "maps"):
        there, here = (torch.from_numpy(s.array(name).astype("float32")) for s in stores)
        assert torch.allclose(there, here, rtol=CLOSE, atol=CLOSE * float(here.abs().max()))


@pytest.mark.parametrize("head", ["additive", "amd"])
def test_mixed_precision_learns_the_same(head: str, root: Path, weights: Path, tmp_path: Path) -> None:
    """Shares to 1e-2 of those of a training in single precision."""
    options = ("amd.head", head, "amd.fast", "True", "train.lr", "1e-4")
    plain = trained(root, weights, tmp_path / "plain", True, *options)
    mixed = trained(root, weights, tmp_path / "mixed", True, *options, "amd.amp", "True")
    photographs = sorted(root.rglob("query/*.jpg"))[:2]
    explained = [
        amd.Explainer.from_pretrained(r, device="cuda").explain(*photographs) for r in (plain, mixed)
    ]
    assert explained[0].shares == pytest.approx(explained[1].shares, abs=1e-2)
