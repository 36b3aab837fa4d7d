"""Two processes do what one does: the same losses and weights, one writer, one message when one is lost."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import safetensors.torch
import shared_work
import torch
from tiny_market import write_tiny_market
from torch.utils.data import DataLoader

from torchreid_amd import cli
from torchreid_amd.core import processes
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.whole_batch import rows_of_all, whole_batch
from torchreid_amd.engine.processes import answers, synchronised
from torchreid_amd.engine.processes.batches import OwnLoader
from torchreid_amd.engine.processes.shared_step import check_share
from torchreid_amd.engine.processes.synchronised import synchronise
from torchreid_amd.engine.train import train
from torchreid_amd.evaluation.counterfactual import account_pairs, record, true_account
from torchreid_amd.evaluation.counterfactual.true_account import TrueAccounts
from torchreid_amd.evaluation.data.labelled_images import LabelledImages
from torchreid_amd.gallery.store import Store

LOST = "torchreid-amd: another process of this job has ended ("


class Both(NamedTuple):
    """What two processes made.

    Attributes:
        root: of the data sets.
        folder: of everything they wrote.
        found: what they found, by name.
        ended: how the job ended.
    """

    root: Path
    folder: Path
    found: dict[str, Any]
    ended: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    """Everything that two processes are asked for here, in one job."""
    folder = tmp_path_factory.mktemp("both")
    root = write_tiny_market(folder / "data")
    alone = ("amd.head", "attrimeter", "train.max_epoch", 1)
    train(shared_work.configuration(root, folder / "run", *alone))
    shutil.copytree(folder / "run", folder / "run of one")
    script = Path(__file__).with_name("shared_work.py")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    ended = subprocess.run(
        [*torchrun, str(script), str(root), str(folder)],
        capture_output=True,
        text=True,
        timeout=500,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert (folder / "found.pt").is_file(), ended.stderr[-4000:]
    return Both(root, folder, torch.load(folder / "found.pt", weights_only=True), ended)


class Draws:
    """Three photographs that show what is drawn for them."""

    train = data = ("a", "b", "c")

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, photograph: int) -> dict[str, Any]:
        return {"img": torch.rand(2), "photograph": photograph}


def test_parts_of_batches_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = [[2, 0, 1, 2], [1, 1, 0, 0]]
    loader = DataLoader(Draws(), batch_sampler=batches)
    drawn = {}
    for count in (1, 2, 4):
        parts = []
        for rank in range(count):
            monkeypatch.setattr(processes, "_jobs", [processes._Job(None, rank, count)])
            torch.manual_seed(5)
            mine = list(OwnLoader(loader))
            after = torch.rand(1)
            parts.append(mine)
        assert len(mine) == 2
        whole = [
            {key: torch.cat([part[n][key] for part in parts]) for key in ("img", "photograph")}
            for n in (0, 1)
        ]
        assert [batch["photograph"].tolist() for batch in whole] == batches
        drawn[count] = torch.cat([batch["img"] for batch in whole]), after
    assert all(torch.equal(a, b) for one in drawn.values() for a, b in zip(one, drawn[1], strict=True))
    assert len(drawn[1][0].unique()) == 16  # no two photographs are augmented alike
    torch.manual_seed(6)
    assert not torch.equal(next(iter(OwnLoader(loader)))["img"], drawn[4][0][3:4])


@pytest.mark.parametrize("options", [{}, {"affine": False, "momentum": None}, {"track_running_stats": False}])
@pytest.mark.parametrize("half", [False, True])
def test_a_shared_normalisation_of_one_process(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], half: bool
) -> None:
    one = SimpleNamespace(all_gather=lambda parts, own: parts[0].copy_(own), all_reduce=lambda sums: None)
    monkeypatch.setattr(synchronised, "dist", one)
    plain = torch.nn.Sequential(torch.nn.BatchNorm2d(3, **options), torch.nn.ReLU(inplace=True))
    if plain[0].affine:
        torch.nn.init.normal_(plain[0].weight), torch.nn.init.normal_(plain[0].bias)
    shared = copy.deepcopy(plain)
    assert synchronise(shared) == 1
    images = (3 * torch.randn(4, 3, 5, 2) + 2).to(torch.bfloat16 if half else torch.float32)
    weights = torch.randn(4, 3, 5, 2).to(images.dtype)
    found = []
    for layers in (plain, shared):
        given = images.clone().requires_grad_()
        for _ in range(2):
            made = layers(given)
        made.backward(weights)
        found.append([made, given.grad, *(p.grad for p in layers.parameters()), *layers.buffers()])
        found[-1].append(layers.eval()(images))
    off = {"rtol": 3e-2, "atol": 3e-2} if half else {"rtol": 1e-5, "atol": 1e-5}
    for a, b in zip(*found, strict=True):
        assert a.dtype == b.dtype and torch.allclose(a, b, **off)


def test_a_batch_that_cannot_be_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_jobs", [processes._Job(None, 0, 3)])
    check_share(9)
    with pytest.raises(
        InputError, match="batch_size is 8, which 3 processes cannot share evenly; .*multiple of 3"
    ):
        check_share(8)


def test_alone_nothing_changes() -> None:
    rows = torch.rand(2, 3, requires_grad=True)
    with processes.joined():
        assert processes.count() == 1 and not torch.distributed.is_initialized()
        assert whole_batch(rows) is rows and torch.equal(rows_of_all([rows[:1], rows[1:]]), rows)
        assert processes.together(3) == [3] and processes.by_first(lambda: 4) == 4
        assert processes.share([1, 2]) == [1, 2]


def test_torchrun_is_for_what_can_be_shared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("WORLD_SIZE", "2"), ("MASTER_ADDR", "localhost"), ("MASTER_PORT", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RANK", "0")
    assert cli.main(["list", "heads"]) == 2
    assert "torchrun shares the work of train, evaluate and extract" in capsys.readouterr().err
    monkeypatch.setenv("RANK", "1")
    for command in (["list", "heads"], ["trian"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(command)
        assert ended.value.code == 2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", list(shared_work.TRAININGS))
def test_the_losses_and_weights_of_one_process(both: Both, tmp_path: Path, name: str) -> None:
    alone = shared_work.steps(both.root, tmp_path, *shared_work.TRAININGS[name])
    shared = both.found[name]
    assert len(alone["losses"]) == len(shared["losses"]) == shared_work.STEPS
    for one, two in zip(alone["losses"], shared["losses"], strict=True):
        assert one.keys() == two.keys() and one["loss"] > 0
        for term, value in one.items():
            # no loss: the gap over the distance, where distances of this random target cancel most digits
            off = 3e-4 if term == "relative_gap" else 1e-5 * one["loss"]
            assert two[term] == pytest.approx(value, rel=1e-5, abs=off), term
    assert alone["head"].keys() == shared["head"].keys()
    for key, value in alone["head"].items():
        off = (value.double() - shared["head"][key].double()).abs().max()
        assert off <= 2e-5 * value.double().abs().max(), key


def test_one_writer(both: Both) -> None:
    assert "Cache: 12 photographs × 4 views" in both.ended.stdout
    assert both.ended.stdout.count("Cache: ") == 1
    assert len(list((both.folder / "killed").glob("train.log-*"))) == 1
    assert len(list((both.folder / "killed").glob("events.out.tfevents*"))) == 1
    assert both.ended.stdout.count("epoch: [1/3][3/3]") == 1
    assert "torch " in both.ended.stdout and ", CPU, 2 processes\n" in both.ended.stdout


def same(one: Any, two: Any, key: str = "") -> None:
    """Two records are equal, but for how sums of the same numbers are rounded."""
    assert type(one) is type(two), key
    if isinstance(one, dict):
        assert one.keys() == two.keys()
        for name in one:
            same(one[name], two[name], f"{key}.{name}")
    elif isinstance(one, list):
        assert len(one) == len(two), key
        for a, b in zip(one, two, strict=True):
            same(a, b, key)
    elif isinstance(one, float):
        assert two == pytest.approx(one, rel=1e-9, abs=1e-9, nan_ok=True), key
    else:
        assert one == two, key


def test_the_scores_of_one_process(both: Both) -> None:
    one, two = both.folder / "run of one", both.folder / "run"
    shared_work.scored(both.root, one)
    records = [json.loads((run / "scores.json").read_text())["datasets"] for run in (one, two)]
    assert {"removal", "reweight"} <= records[0]["market1501_attr"].keys()
    same(*records)
    trained = [json.loads((run / "run.json").read_text())["scores"] for run in (one, two)]
    assert trained[0] == trained[1]
    assert both.ended.stdout.count("Written: ") == both.ended.stdout.count(f"Written: {two}") > 1


def test_the_store_of_one_process(both: Both, tmp_path: Path) -> None:
    shared_work.extracted(both.root, both.folder / "run", tmp_path / "gallery.h5")
    one, two = Store(tmp_path / "gallery.h5"), Store(both.folder / "run" / "gallery.h5")
    assert len(one) == len(two) == 20 and one.done.all() and two.done.all() and two.verify() == []
    assert one.path.stat().st_size == two.path.stat().st_size
    for name in (
        "name",
        "bytes",
        "identity",
        "camera",
        "split",
        "checksum",
        "embedding",
        "components",
        "maps",
    ):
        assert one.array(name).tobytes() == two.array(name).tobytes(), name


@pytest.mark.parametrize("count", [2, 3])
def test_pairs_are_shared_and_put_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, count: int
) -> None:
    """Each process has its pairs measured; in their order they are those of one."""
    pairs = [(0, 1), (0, 2), (1, 2), (1, 1), (2, 0)]
    people = LabelledImages(
        (str(tmp_path / "a" / "b" / "c.jpg"),) * 3, np.arange(3), np.zeros(3), np.zeros((3, 1), np.int8)
    )
    interpreter = SimpleNamespace(metric="euclidean", target=SimpleNamespace(model=torch.nn.Linear(1, 1)))
    testbed: Any = SimpleNamespace(
        decomposer=SimpleNamespace(interpreter=interpreter, size=(4, 2)),
        query=people,
        gallery=people,
        truth="known",
        seed=0,
        regression=None,
        pairs=lambda *_: pairs,
    )
    monkeypatch.setattr(record, "measure_effects", lambda d, q, g, mine, *_: list(mine))
    monkeypatch.setattr(account_pairs, "_given", lambda d, paths, labels: {})
    monkeypatch.setattr(TrueAccounts, "of", lambda *_: SimpleNamespace(by_entry=dict))
    parts: dict[str, list[Any]] = {"effects": [], "accounts": []}
    for module in (record, account_pairs, true_account):
        monkeypatch.setattr(module, "together", lambda mine: [mine])
    for rank in range(count):
        monkeypatch.setattr(processes, "_jobs", [processes._Job(None, rank, count)])
        parts["effects"] += record.effect_pairs(testbed, 5)
        parts["accounts"] += [pair.identity for pair in account_pairs.account_pairs(testbed, 5)]
    assert parts == {"effects": pairs, "accounts": [0, 0, 1, 1, 2]}


@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_question_is_answered_once(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    asked = ("place", "account", "effect", "removal", "sanity", "reweight", "rerank", "attributes", "more")
    answered: list[tuple[int, str, int]] = []
    found = []
    for rank in range(count):
        monkeypatch.setattr(processes, "_jobs", [processes._Job(None, rank, count)])

        def answer(part: str, rank: int = rank) -> dict[str, Any]:
            answered.append((rank, part, processes.count()))
            return {"of": part}

        monkeypatch.setattr(answers, "together", lambda mine: [{part: {} for part in asked} | mine])
        made = answers.answers({part: partial(answer, part) for part in asked})
        assert list(made) == list(asked)
        found.append(made)
    by_all = [a for a in answered if a[1] in ("account", "effect")]
    by_one = [a for a in answered if a not in by_all]
    assert sorted(part for _, part, _ in by_one) == sorted(set(asked) - {"account", "effect"})
    assert len(by_all) == 2 * count and all(sharing == count for *_, sharing in by_all)
    assert all(sharing == 1 for *_, sharing in by_one)  # inside, a process does not wait for others
    of = {part: rank for rank, part, _ in by_one}
    assert of["rerank"] == of["attributes"]  # which look at the same
    assert len(set(of.values())) == min(count, 5)


def test_a_killed_process_ends_the_job_with_one_line(both: Both) -> None:
    assert both.ended.returncode != 0
    said = [line for line in both.ended.stderr.splitlines() if line.startswith("torchreid-amd: ")]
    assert len(said) == 1 and said[0].startswith(LOST), both.ended.stderr[-3000:]
    assert said[0].endswith("a training goes on with model.resume RUN, an extraction with the same command")
    assert "epoch: [2/3][3/3]" not in both.ended.stdout
    assert not (both.folder / "killed" / "run.json").exists()


def test_the_rest_of_a_killed_training_by_one_process(both: Both, tmp_path: Path) -> None:
    killed, opts = both.folder / "killed", shared_work.KILLED
    assert (killed / "progress.pth.tar").is_file()
    train(shared_work.configuration(both.root, killed, *opts, "model.resume", killed))
    train(shared_work.configuration(both.root, tmp_path / "whole", *opts))
    whole, rest = (
        safetensors.torch.load_file(folder / "interpreter.safetensors")
        for folder in (tmp_path / "whole", killed)
    )
    assert whole.keys() == rest.keys()
    for key, value in whole.items():
        assert (value - rest[key]).abs().max() <= 2e-5 * value.abs().max(), key
