"""Everything on a GPU that is not there: a tensor made on the wrong device stops the test, as CUDA would."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from simulated_gpu import WrongDevice, on_gpu, simulated_gpu
from tiny_market import write_tiny_market
from tiny_pedestrians import TINY, render_tiny
from torch import nn

import torchreid_amd as amd
from torchreid_amd.cli import main
from torchreid_amd.core import host
from torchreid_amd.core.images import read_image
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.distances import get_distance
from torchreid_amd.losses import AttributePriorLoss, batch_pairs

# -- the GPU itself ------------------------------------------------------------------------------


def test_tensors_say_where_they_are() -> None:
    outside = torch.zeros(2)
    with simulated_gpu():
        assert torch.cuda.is_available() and torch.cuda.device_count() == 1
        a = torch.rand(3, 2, device="cuda")
        made = (a + 1, a[0], a.T, a.to("cuda"), a.double(), torch.zeros_like(a), a.new_ones(2), a.sum())
        assert all(t.is_cuda and t.device == torch.device("cuda", 0) for t in made)
        back = (a.cpu(), a.to("cpu"), a.to(outside), torch.zeros(2), torch.zeros_like(a, device="cpu"))
        assert not any(t.is_cuda for t in back) and outside.device.type == "cpu"
        assert outside.to(a).is_cuda and outside.cuda().is_cuda and not outside.is_cuda
        assert a.cuda() is a and a.to("cuda", torch.float32) is a
        b = torch.zeros(3, 2)
        b.copy_(a)
        assert not b.is_cuda and torch.equal(b, a.cpu())
    assert not torch.cuda.is_available() and a.device.type == "cpu"


MIXED: dict[str, Callable[[torch.Tensor, torch.Tensor], object]] = {
    "sum": lambda gpu, cpu: gpu + cpu,
    "in place": lambda gpu, cpu: cpu.add_(gpu),
    "list": lambda gpu, cpu: torch.cat([gpu, cpu]),
    "index": lambda gpu, cpu: cpu[gpu.long()],
    "value": lambda gpu, cpu: gpu.__setitem__(gpu > 0, cpu),
    "scalar on the GPU": lambda gpu, cpu: cpu * gpu.sum(),
    "module": lambda gpu, cpu: nn.Linear(2, 2)(gpu),
    "array": lambda gpu, cpu: np.asarray(gpu),
    "numpy": lambda gpu, cpu: gpu.numpy(),
}


@pytest.mark.parametrize("name", MIXED)
def test_the_two_sides_do_not_mix(name: str) -> None:
    with simulated_gpu():
        gpu, cpu = torch.ones(2, device="cuda"), torch.ones(2)
        with pytest.raises(
            (WrongDevice, TypeError), match="same device|indices should be|cuda:0 device type"
        ):
            MIXED[name](gpu, cpu)
        assert (gpu + torch.tensor(1.0)).is_cuda and gpu[torch.tensor([0])].is_cuda  # as CUDA lets


def test_learning_there_is_learning_here() -> None:
    def learned(device: str) -> list[torch.Tensor]:
        torch.manual_seed(0)
        layers = (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(24, 2))
        model = nn.Sequential(*layers)
        images = torch.rand(5, 3, 5, 4).to(device)
        optimizer = torch.optim.Adam(model.parameters(), 0.1)  # before the move, as torchreid does
        model.to(device)
        for _ in range(3):
            optimizer.zero_grad()
            model(images).square().mean().backward()
            assert all(on_gpu(p.grad) == (device == "cuda") for p in model.parameters() if p.grad is not None)
            optimizer.step()
        return [v.cpu() for v in model.state_dict().values()]

    here = learned("cpu")
    with simulated_gpu():
        there = learned("cuda")
    assert all(torch.equal(a, b) for a, b in zip(here, there, strict=True))


# -- the whole path ------------------------------------------------------------------------------

SMALL = (
    *("model.name", "osnet_x0_25", "model.pretrained", "False", "data.height", "64", "data.width", "32"),
    *("data.workers", "0", "train.batch_size", "4", "train.max_epoch", "1", "test.ranks", "[1]"),
)


def command(*words: Any) -> None:
    assert main([str(word) for word in words]) == 0


def whole_path(root: Path, data: str, weights: Path, run: Path, options: tuple[str, ...], *skip: str) -> None:
    """Train, score, explain, account, rank, store, rank from the store."""
    where = ("--root", root, "-s", data, "-t", data)
    command("train", *where, *SMALL, *options, "data.save_dir", run, "model.load_weights", weights)
    few = ("--pairs", 2, "--images", 2, "--removal-pairs", 1, *(x for part in skip for x in ("--skip", part)))
    command("evaluate", run, "--root", root, *few)
    explainer = amd.Explainer.from_pretrained(run, device="cuda")
    assert on_gpu(next(explainer.interpreter.head.parameters()))
    photographs = sorted(root.rglob("query/*.jpg"))[:4]
    explained = explainer.explain(*photographs[:2])
    assert explained.account is not None and sum(explained.account.by_part().values()) == pytest.approx(
        explained.distance, rel=1e-4
    )
    explainer.account = False
    ranked = explainer.explain_ranking(photographs[0], photographs, topk=2)
    stored = amd.extract(explainer, photographs, run / "gallery.h5", maps=True)
    again = explainer.explain_ranking(photographs[0], stored, topk=2)
    assert again.distances == pytest.approx(sorted(ranked.distances)[:2], rel=1e-4, abs=1e-5)
    metric = explained.metric
    alone = amd.Explainer.from_target("osnet_x0_25", weights, (64, 32), metric, device="cuda")
    assert alone.explain(*photographs[:2]).distance == pytest.approx(explained.distance, rel=1e-4)


LONG = ("probe", "sanity", "reweight", "removal")  #: parts that take long; the heavy test has them, too


def test_the_whole_path(weights: Path, tmp_path: Path) -> None:
    root = write_tiny_market(tmp_path / "data")
    with simulated_gpu():
        whole_path(root, "market1501_attr", weights, tmp_path / "run", ("amd.head", "additive"), *LONG)


@pytest.mark.heavy
@pytest.mark.parametrize(
    "options",
    [
        ("amd.head", "additive"),
        ("amd.head", "additive", "amd.fast", "True", "amd.amp", "True"),
        ("amd.head", "amd", "amd.loss.prior.colour", "1.0"),
        ("amd.head", "amd", "amd.cache", "True", "amd.fast", "True"),
        ("amd.head", "attrimeter", "test.dist_metric", "cosine", "test.normalize_feature", "True"),
    ],
    ids=["additive", "fast", "amd", "cache", "cosine"],
)
def test_every_question_on_every_head(options: tuple[str, ...], weights: Path, tmp_path: Path) -> None:
    sizes = [word for key, value in TINY.items() for word in (f"amd.synthetic.{key}", str(value))]
    render_tiny(tmp_path / "data")
    with simulated_gpu():
        whole_path(tmp_path / "data", "synthetic_attr", weights, tmp_path / "run", (*options, *sizes))


# -- it catches ----------------------------------------------------------------------------------


def test_a_wrong_device_put_in_by_hand_is_caught(weights: Path, tmp_path: Path) -> None:
    """Places where a device is said, each forgotten once."""
    root = write_tiny_market(tmp_path / "data")
    photographs = sorted(root.rglob("query/*.jpg"))
    target = host.build_model("osnet_x0_25", num_classes=5)
    distance = get_distance("euclidean")
    with simulated_gpu():
        explainer = amd.Explainer(amd.create_interpreter(target, "amd"), (64, 32), device="cuda")
        explainer.account = False
        explainer.explain(*photographs[:2])
        with forgotten(Decomposer, "_input", lambda self, images: images), pytest.raises(WrongDevice):
            explainer.explain(*photographs[:2])
        as_it_is = torch.Tensor.cpu
        with forgotten(torch.Tensor, "cpu", lambda tensor: tensor), pytest.raises(TypeError, match="cuda:0"):
            explainer.explain(*photographs[:2])
        assert torch.Tensor.cpu is as_it_is
        prior = AttributePriorLoss([[0, 1]])
        shares = torch.full((2, 3), 1 / 3, device="cuda")
        labels = torch.tensor([[1, 0, 1], [0, 1, 1]])
        prior(shares, labels.to("cuda"), labels.flip(0).to("cuda"))
        with pytest.raises(WrongDevice):
            prior(shares, labels, labels.flip(0))
        embedding = torch.rand(3, 4, device="cuda")
        with pytest.raises(WrongDevice):
            distance.matrix(embedding, torch.rand(2, 4))
        i, _ = batch_pairs(3, torch.device("cuda"))
        with pytest.raises(WrongDevice):
            torch.rand(3, 4)[i]


@contextlib.contextmanager
def forgotten(home: Any, name: str, instead: Any) -> Any:
    kept = getattr(home, name)
    setattr(home, name, instead)
    try:
        yield
    finally:
        setattr(home, name, kept)


def test_photographs_stay_where_they_are(tmp_path: Path) -> None:
    """What reads photographs makes CPU tensors, and nothing of the simulation is left behind."""
    with simulated_gpu():
        pass
    root = write_tiny_market(tmp_path)
    image = read_image(sorted(root.rglob("query/*.jpg"))[0])
    assert np.asarray(image).shape == (64, 32, 3) and torch.zeros(1).device.type == "cpu"
