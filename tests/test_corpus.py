"""Every input of the corpus works, with the right value, or gives one line and exit code 2."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from corpus import Case, World, all_cases
from tiny_market import write_tiny_market

from torchreid_amd.cli import main
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A tiny Market-1501, an OSNet of random weights, and a run of one epoch on them."""
    folder = tmp_path_factory.mktemp("world")
    root = write_tiny_market(folder / "data")
    torch.manual_seed(0)
    weights = folder / "target.pth"
    torch.save(host.build_model("osnet_x0_25", num_classes=6).state_dict(), weights)
    chosen = ["model.name", "osnet_x0_25", "model.load_weights", str(weights), "test.ranks", "[1]"]
    chosen += ["data.height", "64", "data.width", "32", "data.workers", "0"]
    chosen += ["train.batch_size", "4", "train.max_epoch", "1", "data.save_dir", str(folder / "run")]
    sets = ["-s", "market1501_attr", "-t", "market1501_attr", "--root", str(root)]
    assert main(["train", *sets, *chosen]) == 0
    a, b = map(str, sorted((root / "market1501").rglob("query/*.jpg"))[:2])
    told = folder / "pair.json"
    assert main(["explain", str(folder / "run"), a, b, "--json", str(told)]) == 0
    distance = json.loads(told.read_text(encoding="utf-8"))["distance"]
    return World(root, folder / "run", weights, a, b, distance)


def outcome(do: list[str] | Callable[[], Any]) -> tuple[int, str]:
    """The exit code of a command line, and what a call that is refused says."""
    if isinstance(do, list):
        return main(do), ""
    try:
        do()
    except InputError as error:
        return 2, f"{error}\n"
    return 0, ""


def lying_in(folder: Path) -> dict[str, bytes]:
    files = (f for f in folder.rglob("*") if f.is_file() and not f.name.startswith("train.log"))
    return {str(f.relative_to(folder)): f.read_bytes() for f in files}


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in all_cases()])
@pytest.mark.filterwarnings("ignore")
def test_it_works_or_says_why_not(
    case: Case,
    world: World,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    made = case.make(world, tmp_path)
    do, check = made if isinstance(made, tuple) else (made, None)
    before = lying_in(tmp_path)
    capsys.readouterr()
    code, said = outcome(do)
    said = said or capsys.readouterr().err
    if not case.says:
        assert code == 0, said
        assert check is not None, "a case that works has a check of its value"
        check()
        return
    assert code == 2
    assert said.count("\n") == 1 and len(said) < 700, said
    assert re.search(case.says, said), said
    assert lying_in(tmp_path) == before, "something half-written is left"
