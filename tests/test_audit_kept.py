"""An audit that is cut off goes on with the accounts that were made, and with no others."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from test_audit import Labels, bright
from tiny_market import write_tiny_market

import torchreid_amd as amd
from torchreid_amd.auditing import measured
from torchreid_amd.auditing.kept import FORMAT, KeptAccounts
from torchreid_amd.cli import main
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.host import build_model
from torchreid_amd.targets.weights import write_checkpoint


@pytest.fixture
def people(tmp_path: Path) -> SimpleNamespace:
    """Four persons in four shades, under two cameras; nobody is found wrongly."""
    sides: list[list[tuple[str, int, int]]] = [[], []]
    for person in range(1, 5):
        for camera in (0, 1):
            pixels = np.full((64, 32, 3), 120, np.uint8)
            pixels[14:32, 8 : 24 - camera] = 45 * person
            path = tmp_path / f"{person}_{camera}.png"
            Image.fromarray(pixels).save(path)
            sides[camera].append((str(path), person, camera))
    return SimpleNamespace(query=sides[0], gallery=sides[1])


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """How many accounts were made; ``stop`` of them are the last."""
    made, own = SimpleNamespace(count=0, stop=1000), KeptAccounts.add

    def add(self: KeptAccounts, *given: Any) -> None:
        if made.count == made.stop:
            raise KeyboardInterrupt
        made.count += 1
        own(self, *given)

    monkeypatch.setattr(KeptAccounts, "add", add)
    monkeypatch.setattr(measured, "BATCH", 2)
    return made


def test_a_second_try_makes_the_others_and_says_the_same(
    people: SimpleNamespace, tmp_path: Path, accounts: Any, caplog: pytest.LogCaptureFixture
) -> None:
    keep, given = tmp_path / "sub" / "a.json.part", {"pairs": 4, "labels": Labels()}
    whole = amd.audit(bright(), people, **given)
    pairs = accounts.count
    assert pairs == 8 and not keep.exists()  # four of different persons, four of the same
    accounts.count, accounts.stop = 0, 3
    with pytest.raises(KeyboardInterrupt):
        amd.audit(bright(), people, keep=keep, **given)
    assert len(keep.read_text().splitlines()) == 4  # and what they are
    with keep.open("a") as file:
        file.write('["cut sho')  # by the kill
    accounts.count, accounts.stop = 0, 1000
    caplog.set_level("INFO")
    again = amd.audit(bright(), people, keep=keep, **given)
    assert accounts.count == 5 and "3 of 8 accounts were there already" in caplog.text
    assert _numbers(again) == pytest.approx(_numbers(whole), abs=1e-6) and len(_numbers(whole)) > 50
    amd.audit(bright(), people, keep=keep, **given)
    assert accounts.count == 5
    for line in keep.read_text().splitlines():
        json.loads(line)


def _numbers(found: Any) -> list[float]:
    def leaves(value: Any) -> list[float]:
        if isinstance(value, dict):
            return leaves(list(value.values()))
        if isinstance(value, list):
            return [x for one in value for x in leaves(one)]
        return [float(value)] if isinstance(value, int | float) else []

    return leaves(found.to_dict()["model"])


def test_what_an_account_depends_on_is_not_taken_from_others(
    people: SimpleNamespace, tmp_path: Path, accounts: Any
) -> None:
    keep = tmp_path / "kept"

    def made(explainer: Any, labels: Any = None, pairs: int = 4, **more: Any) -> int:
        accounts.count = 0
        amd.audit(explainer, people, keep=keep, pairs=pairs, labels=labels, **more)
        return int(accounts.count)

    assert made(bright()) == 8
    assert made(bright(), compare_with=bright(2.0)) == 8  # the other model's alone
    assert made(bright(3.0)) == 8
    wider = amd.Explainer(bright().interpreter, size=(32, 32))
    assert made(wider) == 8
    # person 1's photograph: one account of that person and itself, and of others
    os.utime(people.gallery[0][0], (1, 1))
    assert 1 <= made(bright()) <= 4
    assert made(bright(), pairs=3) == 0
    assert made(bright()) == 0


def test_another_file_is_left_alone(people: SimpleNamespace, tmp_path: Path) -> None:
    mine = tmp_path / "thesis"
    spoilt = (f"{FORMAT}\nspoilt\n".encode(), f"{FORMAT}\n[1]\n".encode())
    for content in (b"my thesis\n", b"\xff\xfe", b"", *spoilt):
        mine.write_bytes(content)
        with pytest.raises(InputError, match="is not what an audit left that was cut off; move it") as error:
            amd.audit(bright(), people, keep=mine, pairs=4)
        assert mine.read_bytes() == content and "\n" not in str(error.value)
    mine.write_text(FORMAT + "\n")
    assert amd.audit(bright(), people, keep=mine, pairs=2).findings.kinds
    with pytest.raises(InputError, match="cannot write .*File exists"):
        amd.audit(bright(), people, keep=mine / "below", pairs=2)


def test_the_command_goes_on_and_cleans_up(
    tmp_path: Path, accounts: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_tiny_market(tmp_path / "data")
    weights, page = tmp_path / "w.pth", tmp_path / "a.html"
    torch.manual_seed(0)
    write_checkpoint(weights, build_model("osnet_x0_25", num_classes=4).state_dict())
    given = ["audit", "--model", "osnet_x0_25", "--weights", str(weights), "--size", "64", "32"]
    given += ["--root", str(root), "-t", "market1501_attr", "--pairs", "2", "--html", str(page)]
    accounts.stop = 2
    assert main(given) == 130
    assert (tmp_path / "a.html.part").exists() and not page.exists()
    accounts.stop = 1000
    assert main(given) == 0
    assert "accounts were there already" in capsys.readouterr().out and page.exists()
    assert not (tmp_path / "a.html.part").exists()
