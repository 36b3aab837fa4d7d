"""Photographs that cannot be read: one line before training, or left out and listed; never for ever."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from campus import FOLDERS, Campus, registered, write

from torchreid_amd.cli import main
from torchreid_amd.config import get_default_config, imagedata_kwargs
from torchreid_amd.core import host
from torchreid_amd.core.broken_photographs import broken_photographs
from torchreid_amd.core.errors import InputError
from torchreid_amd.engine.train import build_datamanager

SMALL = (
    *("model.name", "osnet_x0_25", "model.pretrained", "False", "data.height", "64", "data.width", "32"),
    *("data.workers", "0", "train.batch_size", "4", "train.max_epoch", "1", "test.ranks", "[1]"),
    *("amd.head", "amd", "amd.attributes.identity", FOLDERS),
)
FIRST, SECOND = "train/004/0003_c3.jpg", "test/021/0002_c2.jpg"


@pytest.fixture
def root(tmp_path: Path) -> Any:
    """One empty training photograph, and one of the gallery that is cut short."""
    write(tmp_path / "data", Campus)
    folder = tmp_path / "data" / "campus"
    (folder / FIRST).write_bytes(b"")
    (folder / SECOND).write_bytes((folder / SECOND).read_bytes()[:400])
    with registered():
        yield tmp_path / "data"


def arguments(root: Path, *options: str) -> list[str]:
    sets = ["--root", str(root), *options, "-s", "campus", "-t", "campus"]
    return [*sets, *SMALL, "amd.attributes.file", str(root / "campus.csv")]


def test_training_says_it_first(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *arguments(root), "data.save_dir", str(tmp_path / "run")]) == 2
    said = capsys.readouterr()
    assert re.fullmatch(
        r"torchreid-amd: the image '\S*004/0003_c3.jpg' is empty \(0 bytes\); replace it with a whole image "
        r"file, and 1 more cannot be read; --skip-broken \(amd.skip_broken True\) goes on without them\n",
        said.err,
    )
    assert "Don't worry" not in said.out and not list((tmp_path / "run").glob("*.json"))


def test_skipping_counts_and_lists_them(root: Path, tmp_path: Path, capsys: Any) -> None:
    run = str(tmp_path / "run")
    assert main(["train", *arguments(root, "--skip-broken"), "data.save_dir", run]) == 0
    out = capsys.readouterr().out
    listed = out.split("2 photographs cannot be read and are left out:\n")[1].splitlines()[:2]
    assert FIRST in listed[0] and "empty" in listed[0] and SECOND in listed[1] and "cut short" in listed[1]
    assert re.search(r"train +\| +12 \| +35 ", out) and re.search(r"gallery +\| +8 \| +15 ", out)
    skip = [
        x for part in ("probe", "place", "effect", "removal", "sanity", "reweight") for x in ("--skip", part)
    ]
    assert main(["evaluate", run, *skip]) == 0, "the run remembers that they are to be skipped"
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())["datasets"]["campus"]
    assert scores["pairs"]["all"] == 8 * 15
    assert main(["evaluate", run, *skip, "amd.skip_broken", "False"]) == 2


def test_a_person_without_a_whole_photograph_is_left_out_and_the_others_are_numbered_anew(root: Path) -> None:
    for path in (root / "campus" / "train" / "004").iterdir():
        path.write_bytes(b"")
    cfg = get_default_config()
    cfg.data.root, cfg.data.sources, cfg.data.targets = str(root), ["campus"], ["campus"]
    cfg.data.workers, cfg.train.batch_size, cfg.use_gpu = 0, 4, False
    cfg.amd.skip_broken = True
    manager = build_datamanager(cfg)
    train = manager.train_loader.dataset.train
    assert manager.num_train_pids == 11 and {pid for _, pid, *_ in train} == set(range(11))
    assert {Path(path).parent.name for path, *_ in train} == {f"{n:03d}" for n in range(1, 13) if n != 4}
    assert len(manager.test_loader["campus"]["gallery"].dataset) == 15
    assert host.image_dataset_class("campus") is Campus


def test_nothing_left(root: Path) -> None:
    for path in (root / "campus" / "train").rglob("*.jpg"):
        path.write_text("nothing")
    cfg = get_default_config()
    cfg.data.root, cfg.data.sources, cfg.data.targets = str(root), ["campus"], ["campus"]
    cfg.amd.skip_broken = True
    with pytest.raises(InputError, match="no photograph of Campus .train. can be read"):
        build_datamanager(cfg)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_photograph_that_breaks_later_stops_the_loader_in_one_line(root: Path, workers: int) -> None:
    """torchreid's own reader would print and try again for ever."""
    cfg = get_default_config()
    cfg.data.root, cfg.data.sources, cfg.data.targets = str(root), ["campus"], ["campus"]
    cfg.data.workers, cfg.train.batch_size, cfg.use_gpu = workers, 4, False
    manager = host.torchreid().data.ImageDataManager(**imagedata_kwargs(cfg))
    with pytest.raises(InputError) as error:
        for _ in manager.train_loader:
            pass
    assert str(error.value).startswith("the image '") and str(error.value).count("\n") == 0
    assert FIRST in str(error.value) and "is empty" in str(error.value)


def test_what_is_found(tmp_path: Path) -> None:
    write(tmp_path, Campus)
    good = sorted(map(str, (tmp_path / "campus").rglob("*.jpg")))
    (tmp_path / "page.jpg").write_text("<html>")
    bad = [str(tmp_path / "page.jpg"), str(tmp_path / "none.jpg")]
    found = broken_photographs([*good, *bad, *bad])
    assert list(found) == bad and "is a web page" in found[bad[0]] and "does not exist" in found[bad[1]]
