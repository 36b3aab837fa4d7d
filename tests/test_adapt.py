"""An interpreter in a domain without labels: statistics, what tracks agree on, the run that is written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from annotated_folders import duke_folders
from test_engine import config
from tiny_market import write_tiny_market

import torchreid_amd as amd
from torchreid_amd.attributes.datamanager_labels import ManagerLabels
from torchreid_amd.cli import main
from torchreid_amd.core.images import read_image
from torchreid_amd.engine.agreement import AgreedLabels, agreed, tracks_of
from torchreid_amd.engine.normalisation import reestimate
from torchreid_amd.engine.train import train
from torchreid_amd.interpreter.run_folder import load_run, read_run

NEW = "dukemtmcreid"  # torchreid's own, which has no labels


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Market-1501, and a DukeMTMC-reID of three people with two photographs a track."""
    folder = write_tiny_market(tmp_path_factory.mktemp("data"))
    train = [f"{pid:04d}_c{camera}_f{n}" for pid in (5, 6, 9) for camera in (1, 2) for n in (1, 2)]
    duke_folders(folder, train, ["0007_c1_f1", "0008_c1_f1"], ["0007_c2_f1", "0008_c2_f1"])
    return folder


@pytest.fixture(scope="module")
def runs(root: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of each of two heads, on the market."""
    found = {head: tmp_path_factory.mktemp(head) / "run" for head in ("additive", "amd")}
    for head, folder in found.items():
        train(config(root, folder, "amd.head", head, "train.max_epoch", 1, "model.load_weights", weights))
    return found


# --- tracks


def test_a_track_is_what_one_camera_saw_of_one_person() -> None:
    items = [("a", 0, 0, 1), ("b", 0, 1, 1), ("c", 0, 0, 1), ("d", 1, 0, 1), ("e", 0, 0, 2)]
    assert tracks_of(items).tolist() == [0, 1, 0, 2, 3]


def test_photographs_of_a_track_agree_or_nothing_is_known() -> None:
    strengths = torch.tensor(
        [
            [0.9, 0.1, 0.8],  # of track 0, as is the next
            [0.5, 0.4, 0.2],
            [0.9, 0.1, 0.9],  # alone: nobody contradicts it, so it says nothing
            [0.6, 0.7, 0.0],  # of track 2, of three photographs
            [0.6, 0.7, 0.0],
            [0.6, 0.2, 0.4999],
        ]
    )
    found = agreed(strengths, np.array([0, 0, 1, 2, 2, 2]))
    assert found.dtype == np.int8
    assert found.tolist() == [[1, 0, -1], [1, 0, -1], [-1, -1, -1], *[[1, -1, 0]] * 3]


def test_labelled_photographs_keep_their_labels_and_the_new_ones_have_the_agreed(root: Path) -> None:
    cfg = config(root)
    known = ManagerLabels(cfg)
    path = next(str(p) for p in sorted(root.rglob("bounding_box_train/0001*.jpg")))
    given = np.full(26, -1, np.int8)
    given[3] = 1
    labels = AgreedLabels(known, {"new.jpg": given})
    batch = {"impath": ["new.jpg", path, "new.jpg"], "dsetid": torch.tensor([1, 0, 1])}
    found = labels.train(batch)
    assert (found[0] == given).all() and (found[2] == given).all()
    assert (found[1] == known.train({"impath": [path], "dsetid": [0]})[0]).all() and (found[1] >= 0).all()
    items = [(path, 0, 0, 0), ("new.jpg", 1, 0, 1)]
    assert (labels.rates(items) == known.rates(items[:1])).all()


# --- statistics


@pytest.mark.parametrize("head", ["additive", "amd"])
def test_statistics_are_those_of_the_photographs(runs: dict[str, Path], head: str) -> None:
    interpreter = load_run(runs[head]).interpreter
    target = {k: v.clone() for k, v in interpreter.target.state_dict().items()}
    weights = {k: v.clone() for k, v in interpreter.head.named_parameters()}
    batches = [torch.randn(4, 3, 64, 32, generator=torch.Generator().manual_seed(n)) for n in range(3)]
    count = reestimate(interpreter, batches)
    layers = [m for m in interpreter.head.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    assert count == len(layers) > 2 and not any(m.training for m in interpreter.modules())
    assert all(torch.equal(v, target[k]) for k, v in interpreter.target.state_dict().items())
    assert all(torch.equal(v, weights[k]) for k, v in interpreter.head.named_parameters())
    if head == "additive":  # its first layer is given the target's finest map as it is
        maps = [interpreter.target.levels(b)[0][0] for b in batches]
        first = interpreter.head.eye.looks[0][0]
        expected = torch.stack([m.mean((0, 2, 3)) for m in maps]).mean(0)
        spread = torch.stack([m.var((0, 2, 3)) for m in maps]).mean(0)
        assert torch.allclose(first.running_mean, expected, rtol=1e-4, atol=1e-5)
        assert torch.allclose(first.running_var, spread, rtol=1e-3, atol=1e-5)


# --- the command


def adapted(root: Path, run: Path, out: Path, *options: str) -> int:
    opts = ("data.workers", "0", "train.print_freq", "1")
    return main(["adapt", str(run), "--root", str(root), "-t", NEW, "--out", str(out), *options, *opts])


def test_the_command_writes_a_run_of_the_same_target(
    root: Path, runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapted(root, runs["additive"], tmp_path / "out", "--epochs", "1", "--statistics") == 0
    printed = capsys.readouterr().out
    assert "Statistics: 8 normalisation layers of the head, from 12 photographs" in printed
    assert "Self-training: 6 tracks of 12 photographs" in printed
    before, after = load_run(runs["additive"]), load_run(tmp_path / "out")
    assert before.fingerprint == after.fingerprint
    ours, theirs = (run.interpreter.target.state_dict() for run in (before, after))
    assert all(torch.equal(v, theirs[k]) for k, v in ours.items() if "classifier" not in k)
    head, now = (run.interpreter.head.state_dict() for run in (before, after))
    assert {"eye.score.weight", "eye.looks.0.0.running_mean"} <= {
        k for k, v in head.items() if not torch.equal(v, now[k])
    }
    data = read_run(tmp_path / "out")["config"]["data"]
    assert (data["sources"], data["targets"]) == (["market1501_attr"], [NEW])
    assert main(["evaluate", str(tmp_path / "out"), *(x for p in SKIPPED for x in ("--skip", p))]) == 0
    amd.Explainer.from_pretrained(tmp_path / "out")


SKIPPED = ("probe", "place", "account", "effect", "removal", "sanity", "reweight", "rerank", "attributes")


def test_a_run_that_was_trained_before_other_surroundings_is_scored_at_home_too(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    run = shutil.copytree(runs["additive"], tmp_path / "run")
    skip = [x for part in SKIPPED for x in ("--skip", part)]
    both = ["-t", "market1501_attr", NEW, *skip, "data.workers", "0", "data.load_train_targets", "True"]
    assert main(["evaluate", str(run), *both]) == 0


def test_statistics_alone_change_nothing_else(
    root: Path, runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapted(root, runs["amd"], tmp_path / "out", "--epochs", "0", "--statistics") == 0
    assert "Self-training" not in capsys.readouterr().out
    head, now = (load_run(r).interpreter.head.state_dict() for r in (runs["amd"], tmp_path / "out"))
    moved = {k.rpartition(".")[2] for k, v in head.items() if not torch.equal(v, now[k])}
    assert moved and moved <= {"running_mean", "running_var", "num_batches_tracked"}


def test_labels_of_the_new_domain_are_not_looked_at(
    root: Path, runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: list[Any] = []
    learn = AgreedLabels.train

    def watched(self: AgreedLabels, batch: dict[str, Any]) -> Any:
        taught.append((batch["dsetid"], learn(self, batch)))
        return taught[-1][1]

    monkeypatch.setattr(AgreedLabels, "train", watched)
    assert adapted(root, runs["additive"], tmp_path / "out", "--epochs", "1") == 0
    rows = np.concatenate([labels[np.asarray(sets) == 1] for sets, labels in taught])
    assert len(rows) and set(np.unique(rows)) <= {-1, 0, 1}
    assert any((np.asarray(sets) == 0).any() for sets, _ in taught)  # its own photographs, too


def test_surroundings_are_those_of_the_new_photographs(
    root: Path,
    runs: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    taken: list[str] = []

    def read(path: str) -> Any:
        taken.append(path)
        return read_image(path)

    monkeypatch.setattr("torchreid_amd.engine.surroundings.read_image", read)
    options = ("--epochs", "1", "amd.cache", "on", "data.transforms", "['random_surroundings']")
    assert adapted(root, runs["additive"], tmp_path / "out", *options) == 0
    assert "24 photographs × 1 views" in capsys.readouterr().out  # as many as epochs, not amd.cache_views
    new = {str(path) for path in root.rglob("DukeMTMC-reID/bounding_box_train/*.jpg")}
    assert taken and set(taken) <= new


@pytest.mark.parametrize(
    ("head", "options", "said"),
    [
        ("additive", ("--epochs", "0"), "0 epochs of self-training without statistics"),
        ("additive", ("--epochs", "-1", "--statistics"), "-1 epochs of self-training with statistics"),
        ("amd", (), "head 'amd' is taught by distances and recognises nothing"),
        ("additive", ("-t", "market1501_attr"), "the run was trained on 'market1501_attr' and its labels"),
        ("additive", ("-t", "nowhere"), "unknown dataset 'nowhere'"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    root: Path,
    runs: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    head: str,
    options: tuple[str, ...],
    said: str,
) -> None:
    assert adapted(root, runs[head], tmp_path / "out", *options) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out" / "run.json").exists()


def test_a_finished_run_is_not_overwritten(root: Path, runs: dict[str, Path], tmp_path: Path) -> None:
    out = shutil.copytree(runs["additive"], tmp_path / "out")
    assert adapted(root, runs["additive"], out, "--epochs", "0", "--statistics") == 2
    assert load_run(out).fingerprint == load_run(runs["additive"]).fingerprint


def test_a_new_data_set_has_to_be_named(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adapt", str(runs["amd"]), "--out", "x"]) == 2
    assert "-t NAME" in capsys.readouterr().err


def test_photographs_that_agree_on_nothing_teach_nothing(
    root: Path,
    runs: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("torchreid_amd.engine.adapt.tracks_of", lambda items: np.arange(len(items)))
    assert adapted(root, runs["additive"], tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert "nothing to learn" in error and len(error.strip().splitlines()) == 1
