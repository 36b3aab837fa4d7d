"""Steps by torch.compile: the same losses; where it cannot be done, the steps as they were, and a line."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from test_engine import config, engine_for
from test_quick_step import stirred
from tiny_market import write_tiny_market
from torch import Tensor

from torchreid_amd.core import processes
from torchreid_amd.engine.compiled import compiled, compiled_step
from torchreid_amd.engine.learner import precision

compile_ = torch.compile


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_market(tmp_path_factory.mktemp("data"))


def by(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.compile with a backend that needs no compiler, or none at all."""
    monkeypatch.setattr(torch, "compile", partial(compile_, backend=backend))


def broken(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
    raise RuntimeError("C++ compiler not found\nand much more")


def two_steps(root: Path, *opts: Any) -> tuple[list[dict[str, float]], dict[str, Tensor], dict[str, Tensor]]:
    """The losses of two steps of Adam from a cache, and the head before and after them.

    What is cached is not traced: tracing a network takes a minute.
    """
    file = root / f"{opts}.h5".replace("/", "")
    opts = ("amd.cache", True, "amd.cache_views", 1, "amd.cache_file", file, *opts)
    engine = engine_for(config(root, "", "train.batch_size", 4, *opts))
    stirred(engine.model.target.model)
    engine.prepare_steps()
    before = {k: v.clone() for k, v in engine.model.head.state_dict().items()}
    engine.epoch = engine.batch_idx = 0
    engine.set_model_mode("train")
    torch.manual_seed(1)
    data = next(iter(engine.train_loader))
    losses = [engine.forward_backward(data) for _ in range(2)]
    return losses, before, engine.model.head.state_dict()


def test_losses_of_compiled_steps(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, start, _ = two_steps(root, "amd.head", "attrimeter")
    by("aot_eager", monkeypatch)
    quick, same, _ = two_steps(root, "amd.head", "attrimeter", "amd.compile", True)
    assert "Steps: compiled\n" in capsys.readouterr().out
    assert all(torch.equal(start[key], same[key]) for key in start)  # trying it has changed nothing
    for one, two in zip(plain, quick, strict=True):
        for term, value in one.items():
            assert two[term] == pytest.approx(value, rel=1e-4, abs=1e-4 * one["loss"]), term


def test_without_a_compiler_steps_are_as_before(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = two_steps(root, "amd.head", "attrimeter")
    by(broken, monkeypatch)
    found = two_steps(root, "amd.head", "attrimeter", "amd.compile", True)
    assert "Steps: not compiled (RuntimeError: C++ compiler not found)\n" in capsys.readouterr().out
    assert plain[0] == found[0]
    assert all(torch.equal(a[key], b[key]) for a, b in zip(plain[1:], found[1:], strict=True) for key in a)


def test_what_fails_only_backwards_is_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    head = torch.nn.BatchNorm1d(2)
    before = copy.deepcopy(head.state_dict())

    def fails(gradient: Tensor) -> None:
        raise ValueError("no gradient here")

    def step(images: Tensor, labels: Tensor) -> tuple[Tensor]:
        made = head(images)
        made.register_hook(fails)
        return (made,)

    by("eager", monkeypatch)
    drawn = torch.get_rng_state()
    with torch.random.fork_rng():
        kept, said = compiled(
            step, head, torch.rand(3, 2), torch.zeros(3, 1), precision(torch.device("cpu"), False)[0]
        )
    assert kept is step and said.startswith("not compiled (") and "no gradient here" in said
    assert all(torch.equal(value, before[key]) for key, value in head.state_dict().items())
    assert head.weight.grad is None and torch.equal(torch.get_rng_state(), drawn)


def test_several_processes_do_not_compile(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_for(config(root))
    engine.step = engine.model  # shared
    monkeypatch.setattr(processes, "_jobs", [processes._Job(None, 0, 2)])
    step, said = compiled_step(engine, engine.model.target)
    assert step is engine.model and said == "not compiled (several processes share them)"
