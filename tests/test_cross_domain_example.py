"""examples/cross_domain.py: its tables, its commands, and one real layout to another."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from annotated_folders import DUKE_FOLDERS, MARKET_FOLDERS, codes, write_mat
from PIL import Image
from tiny_market import market_and_duke

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.attributes.sets import dukemtmcreid, market1501
from torchreid_amd.cli import main
from torchreid_amd.cli.parser import command_parser

MARKET, DUKE = market1501(), dukemtmcreid()


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = Path(__file__).parents[1] / "examples" / "cross_domain.py"
    monkeypatch.syspath_prepend(str(path.parent))  # as for a script that is run
    spec = importlib.util.spec_from_file_location("cross_domain", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def scores(shift: float, strength: float = 0.5) -> dict[str, Any]:
    values = {
        "rank-1": 80 + shift,
        "mAP": 60 + shift,
        "X-mAP_e": 65 + shift,
        "X-mAP_c": 92,
        "ADRE": 2 + shift,
    }
    gain = {"values": {"rank-1": 0.0, "mAP": 0.25}, "intervals": {"rank-1": None, "mAP": [-0.125, 0.5]}}
    return {
        "target": {"rank-1": 81, "mAP": 61},
        "interpreter": values,
        "prior": {"X-mAP_e": 48, "X-mAP_c": None},
        "reweight": {"strength": strength, "rows": {"gain": gain, "gain_as_fitted": gain}},
    }


def test_the_tables(example: ModuleType) -> None:
    """Sample standard deviation of −1, 0, 1 is 1."""
    found = [{"a": scores(s), "b": scores(s, 0.0)} for s in (-1.0, 0.0, 1.0)]
    text = example.tables({"a": found, "b": found})
    own = "| a → a | 81.00 / 61.00 | 80.00 ± 1.00 / 60.00 ± 1.00 | 65.00 ± 1.00 | 48.00 | 92.00 | – | 2.00 "
    assert own in text
    assert [line.split(" |")[0] for line in text.splitlines() if "→ " in line and line.startswith("| a")] == [
        "| a → a", "| a → b", "| a → a", "| a → b",
    ]  # fmt: skip
    gain = "; ".join(["0.25 [-0.12, 0.50]"] * 3)
    assert f"| b → b | 0; 0; 0 | 0.00; 0.00; 0.00 | {gain} | {gain} |" in text


def test_what_is_lost_before_and_after_adaptation(example: ModuleType) -> None:
    runs = {"a": [{"a": scores(5), "b": scores(-9)}], "b": [{"a": scores(1), "b": scores(7)}]}
    text = example.adapted_table(runs, {"a": [scores(-2)], "b": [scores(0)]})
    # own: 65 + 5; there: 65 − 9, adapted 65 − 2
    assert text[-2] == "| a → b | 56.00 | 14.00 | -7.00 | 63.00 | 7.00 | 0.00 |"
    assert text[-1] == "| b → a | 66.00 | 6.00 | 3.00 | 65.00 | 7.00 | 2.00 |"
    assert example.adapted_table(runs, {}) == []


def test_rows_of_re_ranking(example: ModuleType) -> None:
    gain = {"values": {"mAP": 4.5}, "intervals": {"mAP": [3.0, 6.25]}}
    rows = {name: {"values": {"mAP": 40.0}, "gain": gain} for name in ("target", "attributes", "reranked")}
    text = example.rerank_table({"a": {"strength": 0.5, "rows": rows}})
    assert text[-1] == "| a | 0.5 | 40.0 | 40.0, 4.50 [3.00, 6.25] | 40.0, 4.50 [3.00, 6.25] | – | – |"
    alone = example.rerank_table({"a": {"strength": "inf", "rows": rows}})[-1]
    assert alone.startswith("| a | ∞ | 40.0 |")
    assert example.rerank_table({}) == []


def finished(folder: Path, names: list[str]) -> None:
    """What the script looks at in a run folder: scored 0, and 1 where it was adapted."""
    folder.mkdir(parents=True, exist_ok=True)
    target, parts = {"model": "resnet50"}, {"metric": "cosine"}
    record = {"format": 1, "target": target, "interpreter": parts, "input": {"size": [256, 128]}}
    record["scores"] = {"datasets": {name: scores(1) for name in names}}
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "scores.json").write_text(json.dumps({"datasets": {name: scores(0) for name in names}}))


def test_its_commands_for_real_data_sets_are_those_of_the_package(
    example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["market1501_attr", "dukemtmcreid_attr"]
    rerank = importlib.import_module("rerank_scores").options()
    asked: list[tuple[str, Any]] = []

    def done(command: list[str], check: bool) -> None:
        if command[1].endswith("rerank_scores.py"):
            args = rerank.parse_args(command[2:])
            asked.append(("rerank", args))
            args.json.write_text(json.dumps({"rerank": {"strength": 1, "rows": {}}}))
            return
        args = command_parser().parse_args(command[3:])
        asked.append((command[3], args))
        folder = Path(args.out if command[3] == "adapt" else command[-3])
        finished(folder, names)

    monkeypatch.setattr(example.subprocess, "run", done)
    monkeypatch.setattr(example, "contact_sheet", lambda *_: None)
    monkeypatch.setattr(example, "rerank_table", lambda found: [f"{len(found)} re-ranked"])
    given = [x for name in names for x in ("--target", f"{name}={name}.pth")]
    options = ["--out", str(tmp_path), "--root", "data", "--seeds", "1", "--adapt", "2", "--rerank"]
    assert example.main(["--datasets", *names, *given, *options]) == 0
    assert [name for name, _ in asked] == ["train", "adapt", "rerank"] * 2
    _, adapt, again = (args for _, args in asked[:3])
    assert (adapt.targets, adapt.epochs, adapt.weights) == (names[1:], 2, "market1501_attr.pth")
    assert (again.source, again.target, again.weights) == (names[1], names[1], "market1501_attr.pth")
    assert (again.model, again.size, again.metric) == ("resnet50", [256, 128], "cosine")
    assert "| market1501_attr → dukemtmcreid_attr | 65.00 |" in (tmp_path / "cross_domain.md").read_text()


def people(folder: Path, mat: Path, variable: str, schema: AttributeSchema, name: str) -> None:
    """Eight people to train on and eight to test on, red or not, with a backpack or not; two cameras."""
    rows: dict[str, dict[str, list[str]]] = {"train": {}, "test": {}}
    for pid in range(1, 17):
        worn = [a for a, bit in (("upred", 1), ("backpack", 2)) if pid & bit]
        split = "train" if pid <= 8 else "test"
        rows[split][f"{pid:04d}"] = worn
        for camera in (1, 2):
            for n in (1, 2):
                draw = np.random.default_rng([pid, camera, n])
                pixels = draw.normal(100 + 20 * camera, 10, (64, 32, 3))
                pixels[15:40, 6:26] = (200, 30, 30) if "upred" in worn else (40, 60, 10 * pid)
                if "backpack" in worn:
                    pixels[20:36, 22:30] = 20
                part = "query" if n == 1 else "bounding_box_test"
                part = "bounding_box_train" if split == "train" else part
                (folder / part).mkdir(parents=True, exist_ok=True)
                image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
                image.save(folder / part / name.format(pid=pid, camera=camera, n=n))
    write_mat(mat, variable, {split: codes(schema, yes) for split, yes in rows.items()})


def test_one_real_layout_to_another(
    example: ModuleType, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that the script starts, run in this process: 26 attributes here, 23 there; the way back is done."""
    root, out, names = tmp_path / "data", tmp_path / "out", ["market1501_attr", "dukemtmcreid_attr"]
    market, duke = root / "market1501", root / "dukemtmc-reid"
    people(
        root / MARKET_FOLDERS, market / "market_attribute.mat", "market_attribute", MARKET,
        "{pid:04d}_c{camera}s1_00000{n}_00.jpg",
    )  # fmt: skip
    people(
        root / DUKE_FOLDERS, duke / "duke_attribute.mat", "duke_attribute", DUKE,
        "{pid:04d}_c{camera}_f000000{n}.jpg",
    )  # fmt: skip
    for done in ("interpreter-1", "adapted-1-1"):
        finished(out / names[1] / done, names)
    rows = {"target": {"values": {"mAP": 5.0}}}
    (out / names[1] / "rerank.json").write_text(json.dumps({"rerank": {"strength": 4.0, "rows": rows}}))
    rerank, started = importlib.import_module("rerank_scores"), []

    def here(command: list[str], check: bool) -> None:
        started.append(command[3] if command[1] == "-m" else Path(command[1]).name)
        if command[1] == "-m":
            assert check and main(command[3:]) == 0
        else:
            monkeypatch.setattr(sys, "argv", command[1:])
            assert check and rerank.main() == 0

    monkeypatch.setattr(example, "subprocess", SimpleNamespace(run=here, CalledProcessError=RuntimeError))
    given = [x for name in names for x in ("--target", f"{name}={weights}")]
    given += ["--root", str(root), "--out", str(out), "--seeds", "1", "--adapt", "1", "--rerank"]
    given += ["--config-file", str(Path(str(example.__file__)).with_name("additive.yaml"))]
    keys = "data.height 64 data.width 32 data.workers 0 train.batch_size 16 train.max_epoch 1 amd.cache on"
    assert example.main(["--datasets", *names, *given, *keys.split()]) == 0
    assert started == ["train", "evaluate", "adapt", "rerank_scores.py"]
    record = json.loads((out / "cross_domain.json").read_text())
    (scored,) = record["runs"][names[0]]
    assert [len(scored[name]["labelled"]) for name in names] == [26, 18]
    assert scored[names[1]]["interpreter"]["X-mAP_e"] is not None
    assert record["adapted"][names[0]][0]["interpreter"]["X-mAP_e"] is not None
    assert {"target", "reranked"} <= set(record["reranked"][names[0]]["rows"])
    assert (out / names[0] / "interpreter-1" / "run.json").exists() and not list(out.rglob("frozen.h5"))
    lines = (out / "cross_domain.md").read_text().splitlines()
    ways = [line for line in lines if line.startswith("| market1501_attr → dukemtmcreid_attr |")]
    assert len(ways) == 3  # names, re-weighting, adaptation
    assert any("is asked for 26 attributes and dukemtmcreid_attr for 18" in line for line in lines)
    assert (out / "people.png").exists()


def test_what_is_finished_is_used(
    example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        for seed in (1, 2):
            folder = tmp_path / name / f"interpreter-{seed}"
            folder.mkdir(parents=True)
            (folder / "run.json").write_text("{}")
            (folder / "scores.json").write_text(
                json.dumps({"datasets": {"a": scores(seed), "b": scores(0.0)}})
            )

    def never(*_: object, **__: object) -> None:
        raise AssertionError("nothing is left to do")

    monkeypatch.setattr(example.subprocess, "run", never)
    monkeypatch.setattr(example, "contact_sheet", lambda *_: None)
    command = ["--datasets", "a", "b", "--out", str(tmp_path), "--seeds", "2"]
    assert example.main([*command, "--target", "a=a.pth", "--target", "b=b.pth"]) == 0
    record = json.loads((tmp_path / "cross_domain.json").read_text())
    assert record["runs"]["a"][1]["a"]["interpreter"]["mAP"] == 62
    assert "81.50 ± 0.71" in (tmp_path / "cross_domain.md").read_text()


def test_people_of_both(example: ModuleType, tmp_path: Path) -> None:
    root = market_and_duke(tmp_path)
    example.contact_sheet(str(root), ["market1501_attr", "dukemtmcreid_attr"], tmp_path / "p.png", people=3)
    with Image.open(tmp_path / "p.png") as image:
        sheet = np.asarray(image)
    assert sheet.shape == (2 * 192, 3 * 96, 3)
    assert sheet[192:, 2 * 96 :].min() == 255  # the second data set has two persons only
    assert sheet[:192].std() > 5


def test_a_target_of_neither_data_set(example: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        example.main(["--target", "market=weights.pth"])
    assert "expected one of synthetic_attr" in capsys.readouterr().err


def test_a_target_cannot_be_trained_on_data_that_are_not_there(
    example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train_target.py", "--root", str(tmp_path / "none"), "--dataset", "market1501_attr"]
    monkeypatch.setattr(sys, "argv", [*command, "--save-dir", str(tmp_path / "out")])
    assert importlib.import_module("train_target").main() == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("train_target: data root ") and "nothing is downloaded" in said
    assert not (tmp_path / "out" / "target.pth").exists()
