"""The commands as a user runs them: what works, and bad input in one clear line with exit code 2."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_market import write_tiny_market

from torchreid_amd.cli import main
from torchreid_amd.core import host
from torchreid_amd.core.language import set_language

SMALL = (
    *("model.name", "osnet_x0_25", "model.pretrained", "False", "data.height", "64", "data.width", "32"),
    *("data.workers", "0", "train.batch_size", "4", "train.max_epoch", "1", "test.ranks", "[1]"),
    *("amd.head", "amd"),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_market(tmp_path_factory.mktemp("data"))


def train(root: Path, folder: Path, *more: Any) -> int:
    sets = ["-s", "market1501_attr", "-t", "market1501_attr"]
    rest = [*SMALL, "data.save_dir", str(folder), *map(str, more)]
    return main(["train", "--root", str(root), *sets, *rest])


@pytest.fixture(scope="module")
def trained(root: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    assert train(root, folder, "model.load_weights", weights) == 0
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A trained run folder that the test may damage."""
    return Path(shutil.copytree(trained, tmp_path / "copy"))


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must fail with exit code 2 and one line; gives the line."""

    def check(*command: Any) -> str:
        capsys.readouterr()
        assert main([str(part) for part in command]) == 2
        err = capsys.readouterr().err.strip()
        assert err.startswith("torchreid-amd: ") and "\n" not in err and "Traceback" not in err, err
        return err

    return check


def query(root: Path) -> list[Path]:
    return sorted(root.rglob("query/*.jpg"))


# -- what works --------------------------------------------------------------------------------


def test_train_remembers_the_weights_and_says_what_it_skipped(
    root: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(root, tmp_path / "run", "model.load_weights", weights) == 0
    printed = capsys.readouterr().out
    assert "classifier of 751 identities skipped" in printed and "random order" in printed
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["target"]["weights"] == str(weights)
    assert not (tmp_path / "run" / "target.safetensors").exists()
    logs = list((tmp_path / "run").glob("train.log-*"))
    assert len(logs) == 1 and "random order" in logs[0].read_text()


def test_evaluate_gives_the_scores_of_training_again(trained: Path, root: Path) -> None:
    assert main(["evaluate", str(trained), "--root", str(root), "test.batch_size", "3"]) == 0
    again = json.loads((trained / "scores.json").read_text())["datasets"]
    first = json.loads((trained / "run.json").read_text())["scores"]["datasets"]
    before, after = (scores["market1501_attr"]["interpreter"] for scores in (first, again))
    assert {name: after[name] for name in before} == pytest.approx(before, rel=1e-3)
    assert "ADRE (cosine)" in after and (trained / "figures" / "market1501_attr_curves.png").is_file()


def test_explain_writes_figure_page_and_numbers(
    trained: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = query(root)[:2]
    outputs = ["--figure", tmp_path / "p.png", "--html", tmp_path / "p.html", "--json", tmp_path / "p.json"]
    assert main([str(x) for x in ["explain", trained, a, b, *outputs]]) == 0
    assert "Euclidean distance" in capsys.readouterr().out
    data = json.loads((tmp_path / "p.json").read_text())
    assert sum(data["contributions"]) + data["residual"] == pytest.approx(data["distance"], rel=1e-4)
    hat = data["attributes"].index("hat")
    assert {data["labels"][0][hat], data["labels"][1][hat]} == {0, 1}  # 101 wears one, 102 does not
    assert Image.open(tmp_path / "p.png").width > 500
    assert (tmp_path / "p.html").read_text().lstrip().lower().startswith("<!doctype html>")


def test_a_model_alone_is_explained_and_ranks(
    weights: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], refused: Callable[..., str]
) -> None:
    a, b, *_ = query(root)
    alone = ("--model", "osnet_x0_25", "--weights", weights, "--size", 64, 32)
    assert main([str(c) for c in ("explain", a, b, *alone, "--json", tmp_path / "e.json")]) == 0
    account = json.loads((tmp_path / "e.json").read_text())["account"]
    assert sum(account["by_part"].values()) == pytest.approx(account["distance"], rel=1e-5)
    assert "swapping parts" in capsys.readouterr().out
    assert main([str(c) for c in ("rank", a, b.parent, *alone, "--topk", 2)]) == 0
    assert "expected A B" in refused("explain", a, *alone)
    assert "leaves nothing" in refused("explain", a, b, *alone, "--no-account")
    assert "two photographs" in refused("explain", a, b, b, *alone)


def test_a_photograph_from_elsewhere_has_no_labels(trained: Path, root: Path, tmp_path: Path) -> None:
    a, b = (shutil.copy(p, tmp_path / p.name) for p in query(root)[:2])
    assert main([str(x) for x in ["explain", trained, a, b, "--json", tmp_path / "p.json"]]) == 0
    assert json.loads((tmp_path / "p.json").read_text())["labels"] is None


def test_maps_of_the_runs_own_photographs(
    trained: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people, sheet = root / "market1501" / "Market-1501-v15.09.15", tmp_path / "maps.svg"
    assert (
        main(["maps", str(trained), str(people / "query"), "--figure", str(sheet), "--language", "de"]) == 0
    )
    assert f"Written: {sheet}" in capsys.readouterr().out
    words = sheet.read_text(encoding="utf-8")
    assert "Wo der Interpreter jedes Merkmal sucht" in words and ">Hut<" in words
    noise = tmp_path / "strangers"
    noise.mkdir()
    Image.new("RGB", (32, 64)).save(noise / "somebody.png")
    assert main(["maps", str(trained), str(noise), "--figure", str(tmp_path / "no.png")]) == 2
    assert "nothing is known of the persons on 1 photograph" in capsys.readouterr().err
    assert not (tmp_path / "no.png").exists()
    set_language("en")


def test_rank_a_folder(trained: Path, root: Path, tmp_path: Path) -> None:
    gallery = next(root.rglob("bounding_box_test"))
    outputs = ["--topk", 3, "--html", tmp_path / "r.html", "--json", tmp_path / "r.json"]
    assert main([str(x) for x in ["rank", trained, query(root)[0], gallery, *outputs]]) == 0
    data = json.loads((tmp_path / "r.json").read_text())
    near = [data["distances"][i] for i in data["order"]]
    assert near == sorted(near) and len(data["gallery"]) == 4 and len(data["explanations"]) == 3


@pytest.mark.parametrize("buffering", [1, -1])  # a terminal's lines, a pipe's blocks
def test_files_are_written_though_nobody_reads_on(
    trained: Path, root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], buffering: int
) -> None:
    """As in ``torchreid-amd rank … | head``."""
    end, pipe = os.pipe()
    os.close(end)
    outputs = ["--html", tmp_path / "r.html", "--json", tmp_path / "r.json"]
    command = ["rank", trained, *query(root)[:2], "--topk", 1, *outputs]
    with pytest.MonkeyPatch.context() as patch, open(pipe, "w", buffering) as stdout:
        patch.setattr(sys, "stdout", stdout)
        assert main([str(x) for x in command]) == 0
        assert sys.stdout is stdout
    assert len(json.loads((tmp_path / "r.json").read_text())["explanations"]) == 1
    assert (tmp_path / "r.html").is_file()
    assert "torchreid-amd" not in capfd.readouterr().err


def test_synth_and_train_on_it(tmp_path: Path) -> None:
    sizes = ["--train-ids", "4", "--test-ids", "3", "--images-per-id", "4"]
    assert main(["synth", "--root", str(tmp_path), *sizes]) == 0
    sets = ["-s", "synthetic_attr", "-t", "synthetic_attr"]
    small = [*SMALL, "data.save_dir", str(tmp_path / "run")]
    assert main(["train", "--root", str(tmp_path), *sets, *small]) == 0
    assert (tmp_path / "run" / "interpreter.safetensors").is_file()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["heads"], ["amd", "attrimeter"]),
        (["targets", "osnet_x*"], ["osnet_x0_5", "osnet_x0_25", "osnet_x0_75", "osnet_x1_0"]),
        (
            ["datasets", "*_attr*"],
            ["dukemtmcreid_attr", "market1501_attr", "synthetic_attr", "synthetic_attr_night"],
        ),
        (["losses"], ["attribute_prior", "metric_distillation"]),
        (["attributes", "market1501"], ["market1501"]),
    ],
)
def test_list(arguments: list[str], expected: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", *arguments]) == 0
    assert set(expected) <= set(capsys.readouterr().out.split())


def test_list_of_nothing_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "heads", "nothing*"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("chosen", [{}, {"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}])
def test_threads_do_not_wait_awake_for_long_unless_the_user_chose(
    monkeypatch: pytest.MonkeyPatch, chosen: dict[str, str]
) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    monkeypatch.setattr(os, "environ", environment | chosen)
    assert main(["list", "zoo"]) == 0
    now = {k: v for k, v in os.environ.items() if k in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    assert now == (chosen or {"GOMP_SPINCOUNT": "30000"})


def test_the_users_own_table(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("pid,glasses,umbrella\n1,1,0\n2,,1\n101,0,0\n")
    options = ["--root", str(root), "-s", "market1501", "-t", "market1501", "amd.attributes.file", str(table)]
    assert main(["train", *options, *SMALL, "data.save_dir", str(tmp_path / "run")]) == 0
    assert "7 of 10 identities of 'market1501' have no row" in capsys.readouterr().out
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["attributes"]["attributes"] == ["glasses", "umbrella"]


# -- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["model.name", "osnet_x0_26"], "unknown model 'osnet_x0_26'; did you mean 'osnet_x0_25'"),
        (["amd.head", "amdd"], "unknown head 'amdd'; did you mean 'amd'"),
        (["amd.attributes.set", "markt1501"], "unknown attribute set 'markt1501'; did you mean 'market1501'"),
        (["amd.metric", "manhattan"], "unknown metric 'manhattan'"),
        (["amd.haed", "amd"], "unknown configuration key 'amd.haed'; did you mean amd.head"),
        (["train.lr", "fast"], "train.lr is 'fast'"),
        (["train.lr"], "'train.lr' alone"),
        (["data.type", "video"], "interpreters need images"),
        (["model.load_weights", "nowhere.pth"], "no weights at 'nowhere.pth'"),
    ],
)
def test_unknown_names_and_values(
    root: Path, tmp_path: Path, refused: Callable[..., str], options: list[str], said: str
) -> None:
    sets = ["-s", "market1501_attr", "-t", "market1501_attr"]
    small = [*SMALL, "data.save_dir", str(tmp_path / "run")]
    assert said in refused("train", "--root", root, *sets, *small, *options)
    assert not (tmp_path / "run" / "run.json").exists()


def test_data_that_is_not_there(tmp_path: Path, refused: Callable[..., str]) -> None:
    small = [*SMALL, "data.save_dir", tmp_path / "run"]
    for name in ("market1501", "market1501_attr", "dukemtmcreid_attr"):
        said = refused("train", "--root", tmp_path / "nowhere", "-s", name, "-t", name, *small)
        assert "nowhere" in said and "is not a folder" in said
    said = refused("train", "--root", tmp_path, "-s", "markt1501_attr", "-t", "market1501_attr", *small)
    assert "unknown dataset 'markt1501_attr'; did you mean 'market1501_attr'" in said


def test_damaged_annotation(root: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    copy = Path(shutil.copytree(root, tmp_path / "data"))
    mat = copy / "market1501" / "market_attribute.mat"
    content = mat.read_bytes()
    command = ["train", "--root", copy, "-s", "market1501_attr", "-t", "market1501_attr", *SMALL]
    command += ["data.save_dir", tmp_path / "run"]
    mat.write_bytes(content[: len(content) // 2])
    assert "market_attribute.mat" in refused(*command)
    mat.unlink()
    assert "no market_attribute.mat in" in refused(*command)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pid,hat\n1,1\n9999,0\n", "unknown pid 9999"),
        ("pid,hat\n1,3\n", "3"),
        ("pid,hat\n1,1\n1,0\n", "1"),
        ("pid,hat\n", "no rows"),
        ("", "mine.csv"),
        ("name,hat\nx,1\n", "pid"),
    ],
)
def test_bad_tables(root: Path, tmp_path: Path, refused: Callable[..., str], text: str, said: str) -> None:
    table = tmp_path / "mine.csv"
    table.write_text(text)
    command = ["train", "--root", root, "-s", "market1501", "-t", "market1501", *SMALL]
    line = refused(*command, "data.save_dir", tmp_path / "run", "amd.attributes.file", table)
    assert "mine.csv" in line and said in line


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_weights_that_are_no_weights_of_this_model(
    root: Path, weights: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    command = ["train", "--root", root, "-s", "market1501_attr", "-t", "market1501_attr", *SMALL]
    command += ["data.save_dir", tmp_path / "run", "model.load_weights"]
    (tmp_path / "empty.pth").touch()
    (tmp_path / "text.pth").write_text("these are no weights\n")
    (tmp_path / "cut.pth").write_bytes(weights.read_bytes()[:5000])
    (tmp_path / "bomb.pth").write_bytes(pickle.dumps({"state_dict": Bomb(tmp_path / "exploded")}, 2))
    torch.save({"state_dict": Bomb(tmp_path / "exploded")}, tmp_path / "bomb.zip.pth")
    torch.save(host.build_model("osnet_x0_5", num_classes=3).state_dict(), tmp_path / "other.pth")
    for name, said in {
        "empty.pth": "empty file",
        "text.pth": "text file",
        "cut.pth": "damaged",
        "bomb.pth": "could run code",
        "bomb.zip.pth": "could run code",
        "other.pth": "checkpoint of another model",
    }.items():
        assert said in refused(*command, tmp_path / name), name
    assert not (tmp_path / "exploded").exists()


def test_photographs(trained: Path, root: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    good = query(root)[0]
    photo = Image.open(good)
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("no photograph\n")
    (tmp_path / "cut.jpg").write_bytes(good.read_bytes()[:300])
    for name in ("empty.jpg", "text.jpg", "cut.jpg", "missing.jpg"):
        assert name in refused("explain", trained, good, tmp_path / name)
    grey16 = (np.asarray(photo.convert("L")).astype(np.uint16) * 257).astype(np.uint16)
    works = {
        "one.png": photo.resize((1, 1)),
        "grey.png": photo.convert("L"),
        "rgba.png": photo.convert("RGBA"),
        "grey16.png": Image.fromarray(grey16),
    }
    for name, image in works.items():
        image.save(tmp_path / name)
        assert main(["explain", str(trained), str(good), str(tmp_path / name)]) == 0, name


def test_run_folders(run: Path, root: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    a, b = query(root)[:2]
    assert "no run folder" in refused("explain", tmp_path / "nowhere", a, b)
    other = tmp_path / "other.pth"
    torch.manual_seed(1)  # every test starts from the same seed
    torch.save(host.build_model("osnet_x0_25", num_classes=751).state_dict(), other)
    assert "other fingerprint" in refused("explain", run, a, b, "--weights", other)
    assert "give an existing file" in refused("explain", run, a, b, "--weights", tmp_path / "gone.pth")
    (run / "run.json").write_text("{")
    assert "is damaged" in refused("explain", run, a, b)
    (run / "run.json").unlink()
    assert "has no run.json" in refused("explain", run, a, b)


def test_figures_that_cannot_be_written(trained: Path, root: Path, tmp_path: Path, refused: Any) -> None:
    a, b = query(root)[:2]
    (tmp_path / "file").touch()
    assert "p.html" in refused("explain", trained, a, b, "--html", tmp_path / "file" / "p.html")
    assert "p.docx" in refused("explain", trained, a, b, "--figure", tmp_path / "p.docx")
    assert "holds no" in refused("rank", trained, a, tmp_path) or "no image" in refused(
        "rank", trained, a, tmp_path
    )
    assert "topk is 0" in refused("rank", trained, a, b, "--topk", 0)


def test_a_disk_that_fills_up_while_saving(
    root: Path, weights: Path, small_disk: Path, refused: Callable[..., str]
) -> None:
    command = ["train", "--root", root, "-s", "market1501_attr", "-t", "market1501_attr", *SMALL]
    line = refused(*command, "data.save_dir", small_disk / "run", "model.load_weights", weights)
    assert "space" in line
    left = [p.name for p in (small_disk / "run").iterdir()]
    assert not any(name.endswith((".safetensors", ".json", ".tar")) for name in left), left


def test_kind_that_cannot_be_listed(refused: Callable[..., str]) -> None:
    assert "unknown kind 'haeds'; did you mean 'heads'" in refused("list", "haeds")
