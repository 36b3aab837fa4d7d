"""What can be said before training is said before the first epoch, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_market import write_tiny_market

from torchreid_amd.cli import main
from torchreid_amd.core import host

#: 12 training photographs of 6 people
SMALL = (
    *("model.name", "osnet_x0_25", "model.pretrained", "False", "data.height", "64", "data.width", "32"),
    *("data.workers", "0", "train.batch_size", "4", "train.max_epoch", "1", "test.ranks", "[1]"),
    *("amd.head", "amd"),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_market(tmp_path_factory.mktemp("data"))


@pytest.fixture
def train(root: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Trains; gives exit code, what was printed, and the error stream."""

    def run(folder: Path, *more: Any, sets: str = "market1501_attr") -> tuple[int, str, str]:
        command = ["train", "--root", root, "-s", sets, "-t", sets, *SMALL, "data.save_dir", folder, *more]
        capsys.readouterr()
        code = main([str(part) for part in command])
        return code, *capsys.readouterr()

    return run


def nothing_was_trained(folder: Path, out: str, err: str) -> None:
    assert err.count("\n") == 1 and "Traceback" not in err
    assert "Start training" not in out and "Final test" not in out
    assert not [p.name for p in folder.glob("*") if not p.name.startswith("train.log")]


@pytest.mark.parametrize("head", ["amd", "additive"])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["train.batch_size", 13],
            "12 training photographs of 6 people fill no batch of train.batch_size 13",
        ),
        (["train.batch_size", 1], "train.batch_size is 1; an interpreter learns from the pairs of a batch"),
        (["train.max_epoch", 0], "train.max_epoch is 0"),
        (
            ["train.batch_size", 27, "sampler.train_sampler", "RandomIdentitySampler"],
            "fill no batch of train.batch_size 27 (sampler.train_sampler RandomIdentitySampler)",
        ),  # it draws 4 photographs of each of 6 people: 24
        (
            [
                "sampler.num_instances",
                1,
                "sampler.train_sampler",
                "RandomIdentitySampler",
                "train.batch_size",
                8,
            ],
            "assert len(self.pids) >= self.num_pids_per_batch",
        ),  # 8 people a batch are asked for, and there are 6
        (["amd.metric", "euclidean", "test.dist_metric", "cosine"], "test.dist_metric is 'cosine'"),
        (["test.dist_metric", "manhattan"], "unknown metric 'manhattan'"),
    ],
)
def test_nothing_would_be_trained(
    train: Callable[..., Any], tmp_path: Path, head: str, options: list[Any], said: str
) -> None:
    code, out, err = train(tmp_path / "run", "amd.head", head, *options)
    assert code == 2 and said in err
    nothing_was_trained(tmp_path / "run", out, err)


def test_a_batch_that_just_fits_is_one_step(train: Callable[..., Any], tmp_path: Path) -> None:
    code, out, _ = train(tmp_path / "run", "train.batch_size", 12, "train.print_freq", 1)
    assert code == 0 and "epoch: [1/1][1/1]" in out


def test_labels_for_test_people_alone(train: Callable[..., Any], tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text("pid,hat\n101,1\n102,0\n")  # the training people are 1 to 6
    code, out, err = train(tmp_path / "run", "amd.attributes.file", table, sets="market1501")
    assert code == 2 and "none of the 12 training photographs has a known label" in err
    nothing_was_trained(tmp_path / "run", out, err)


def test_the_metric_follows_the_tested_one(train: Callable[..., Any], root: Path, tmp_path: Path) -> None:
    """As in the YAML that OSNet-AIN is published with; nothing is said of amd.metric there."""
    yaml = tmp_path / "ain.yaml"
    yaml.write_text("test:\n  dist_metric: 'cosine'\n")
    sets = ["--root", str(root), "-s", "market1501_attr", "-t", "market1501_attr"]
    more = [*SMALL, "data.save_dir", str(tmp_path / "run")]
    assert main(["train", "--config-file", str(yaml), *sets, *more]) == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["interpreter"]["metric"] == "cosine"
    code, _, _ = train(tmp_path / "plain")
    record = json.loads((tmp_path / "plain" / "run.json").read_text())
    assert code == 0 and record["interpreter"]["metric"] == "euclidean"


def test_a_finished_run_is_not_overwritten(train: Callable[..., Any], tmp_path: Path) -> None:
    run, weights = tmp_path / "run", tmp_path / "w.pth"
    torch.save(host.build_model("osnet_x0_25", num_classes=6).state_dict(), weights)
    given = ("model.load_weights", weights)
    assert train(run, *given)[0] == 0
    kept = {p.name: p.read_bytes() for p in run.glob("[ir]*.*")}
    assert len(kept) == 2
    for change, said in (
        (("train.lr", 0.1), "(train.lr was 0.0003 and is now 0.1)"),
        (("amd.head", "attrimeter", "train.seed", 2), "(train.seed was 1 and is now 2 and 1 more)"),
        (("train.max_epoch", 2), "(train.max_epoch was 1 and is now 2)"),
    ):
        code, out, err = train(run, *given, *change)
        assert code == 2 and said in err and "amd.overwrite True" in err and err.count("\n") == 1
        assert "Start training" not in out
        assert {p.name: p.read_bytes() for p in run.glob("[ir]*.*")} == kept
    assert train(run, *given, "train.print_freq", 1)[0] == 0, "the same configuration gives the same run"
    again = {p.name: p.read_bytes() for p in run.glob("[ir]*.*")}
    assert again["interpreter.safetensors"] == kept["interpreter.safetensors"]
    assert train(run, *given, "train.max_epoch", 2, "model.resume", run)[0] == 0, "going on is no overwriting"
    assert train(run, *given, "train.lr", 0.1, "amd.overwrite", True)[0] == 0
    torch.save(host.build_model("osnet_x0_25", num_classes=6).state_dict(), weights)
    code, _, err = train(run, *given, "train.lr", 0.1)
    assert code == 2 and "for other weights of the target" in err
    (run / "run.json").write_text("{")
    code, _, err = train(run, *given, "train.lr", 0.1)
    assert code == 2 and "cannot be read" in err
