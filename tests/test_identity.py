"""Whose labels: identities by the rule and by the data set itself, from training to explaining."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from campus import CAMERAS, FILES, FOLDERS, TEST, TRAIN, Campus, CampusFiles, hat, red, registered, write

from torchreid_amd.attributes.datamanager_labels import ManagerLabels
from torchreid_amd.attributes.identity import IdentityRule
from torchreid_amd.attributes.photograph_labels import PhotographLabels
from torchreid_amd.cli import main
from torchreid_amd.config import get_default_config, to_dict
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError

SMALL = (
    *("model.name", "osnet_x0_25", "model.pretrained", "False", "data.height", "64", "data.width", "32"),
    *("data.workers", "0", "train.batch_size", "4", "train.max_epoch", "1", "test.ranks", "[1]"),
    *("amd.head", "amd"),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("own")
    write(folder, Campus)
    write(folder, CampusFiles)
    with registered():
        yield folder


def configured(root: Path, name: str, file: Path, identity: str = "") -> Any:
    cfg = get_default_config()
    cfg.data.root, cfg.data.sources, cfg.data.targets = str(root), [name], [name]
    cfg.amd.attributes.file, cfg.amd.attributes.identity = str(file), identity
    return cfg


@pytest.mark.parametrize(
    ("kind", "identity", "said"),
    [
        (Campus, "", "001/0002_c2.jpg' and .*001/0001_c1.jpg' are two persons .*one in data set 'campus' "),
        (Campus, r"(\d)\d/[^/]+$", "are one person by their paths .0., and two in data set 'campus'"),
        (CampusFiles, "", "no photograph of 'campus_files' .training. has an identity .*person_001_001.jpg"),
        (CampusFiles, r"_(\d+)\.jpg", "are two persons by their paths .2 and 1."),
        (CampusFiles, r"person_(\d)\d", "are one person by their paths"),
        (CampusFiles, r"person_(0[01]\d)_", "no photograph of 'campus_files' .test. has an identity"),
        (CampusFiles, r"person_(001)_001|person_(?!001)(\d+)", "are two persons .*nobody and 1"),
        (CampusFiles, r"(person)_", "is 'person' by the rule .*expected an integer"),
        (CampusFiles, r"person_\d+", "without a group"),
        (CampusFiles, r"(person_", "no regular expression"),
    ],
)
def test_a_rule_that_contradicts_the_data_set(
    root: Path, kind: type[Campus], identity: str, said: str
) -> None:
    name = kind.dataset_dir
    with pytest.raises(InputError, match=said) as error:
        ManagerLabels(configured(root, name, root / f"{name}.csv", identity))
    assert "\n" not in str(error.value) and "amd.attributes.identity" in str(error.value)


@pytest.mark.parametrize(("kind", "identity"), [(Campus, FOLDERS), (CampusFiles, FILES)])
def test_every_photograph_gets_its_own_labels(root: Path, kind: type[Campus], identity: str) -> None:
    name = kind.dataset_dir
    cfg = configured(root, name, root / f"{name}.csv", identity)
    labels, data = ManagerLabels(cfg), host.image_dataset(name, str(root))
    people = {
        str(root / name / split / kind.name(pid, camera)): [red(pid), hat(pid)]
        for split, pids in (("train", TRAIN), ("test", TEST))
        for pid in pids
        for camera in CAMERAS
    }
    train = [item[0] for item in data.train]
    assert labels.train({"impath": train, "dsetid": [0] * 36}).tolist() == [people[p] for p in train]
    test = [item[0] for item in [*data.query, *data.gallery]]
    assert labels.test(name, test).tolist() == [people[p] for p in test]
    later = PhotographLabels(to_dict(cfg), labels.schema)
    assert later.labels(list(people)).tolist() == list(people.values())
    assert labels.rates(data.train).tolist() == [6 / 12, 4 / 12]  # of 1 … 12


def test_a_row_of_a_test_identity_alone_is_checked_too(root: Path, tmp_path: Path) -> None:
    """Training photographs agree with the rule; in the test split one folder is somebody else's."""
    for split in ("train", "test"):
        shutil.copytree(root / "campus_files" / split, tmp_path / "campus_files" / split)
    folder = tmp_path / "campus_files" / "test"
    (folder / "person_021_001.jpg").rename(folder / "022_person_021_001.jpg")

    class Swapped(CampusFiles):
        @staticmethod
        def read(path: Path) -> tuple[int, int]:
            pid, camera = CampusFiles.read(path.with_name(path.name.removeprefix("022_")))
            return (22 if path.name.startswith("022") else pid), camera

    host.image_datasets()["swapped"] = Swapped
    try:
        with pytest.raises(InputError, match="022_person_021_001.jpg"):
            ManagerLabels(configured(tmp_path, "swapped", root / "campus_files.csv", FILES))
    finally:
        host.image_datasets().pop("swapped")


def test_people_in_both_splits_and_people_without_a_number_are_said() -> None:
    rule = IdentityRule("mine", FILES)
    splits = {
        "training": [("a/person_1_1.jpg", 0), ("a/person_2_1.jpg", 1)],
        "test": [("b/person_2_1.jpg", 2), ("b/crowd_1.jpg", 9)],
    }
    without, both = rule.check(splits)
    assert without.startswith("1 of 2 photographs of 'mine' (test) have no identity")
    assert "b/crowd_1.jpg" in without and "their labels are unknown" in without
    assert "1 identities of 'mine' are in more than one split, e.g. 2: 'a/person_2_1.jpg'" in both
    assert IdentityRule("market1501").check({"test": [("0000_c1s1_1.jpg", 0), ("0002_c1s1_1.jpg", 2)]}) == []


def test_a_row_by_image_speaks_for_one_person(root: Path, tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text("image,hat\n0001_c1.jpg,1\n")
    with pytest.raises(InputError, match="one person by the rows.*write the folder into the row's 'image'"):
        ManagerLabels(configured(root, "campus", table))
    table.write_text("image,hat\n003/0001_c1.jpg,1\n004/0001_c1.jpg,0\n")
    labels = ManagerLabels(configured(root, "campus", table))
    paths = [str(root / "campus" / "train" / f"{pid}/0001_c1.jpg") for pid in ("003", "004", "005")]
    assert labels.test("campus", paths)[:, 0].tolist() == [1, 0, -1]
    with pytest.raises(InputError, match="labels images, not identities"):
        ManagerLabels(configured(root, "campus", table, FOLDERS))


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained from inside the data's folder, with relative paths."""
    folder = tmp_path_factory.mktemp("run") / "run"
    before = Path.cwd()
    os.chdir(root)
    try:
        options = ["--root", ".", "-s", "campus", "-t", "campus", "amd.attributes.file", "campus.csv"]
        more = ["amd.attributes.identity", FOLDERS, "data.save_dir", str(folder)]
        assert main(["train", *options, *SMALL, *more]) == 0
    finally:
        os.chdir(before)
    return folder


def explained(run: Path, *photographs: Path | str) -> Any:
    out = run.parent / "pair.json"
    assert main(["explain", str(run), *map(str, photographs), "--json", str(out)]) == 0
    return json.loads(out.read_text())["labels"]


def test_training_is_refused_in_one_line(root: Path, tmp_path: Path, capsys: Any) -> None:
    options = ["--root", str(root), "-s", "campus", "-t", "campus"]
    more = ["amd.attributes.file", str(root / "campus.csv"), "data.save_dir", str(tmp_path / "run")]
    assert main(["train", *options, *SMALL, *more]) == 2
    said = capsys.readouterr()
    assert "amd.attributes.identity" in said.err and said.err.count("\n") == 1
    assert "epoch: [" not in said.out and not (tmp_path / "run" / "run.json").exists()


def test_explained_from_another_folder_through_a_link_and_through_dots(
    run: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    a, b = "campus/train/003/0001_c1.jpg", "campus/test/028/0003_c3.jpg"
    right = [[1, 1], [0, 0]]  # 3 is odd and a third; 28 neither
    assert explained(run, root / a, root / b) == right
    (tmp_path / "link").symlink_to(root)
    assert explained(run, f"link/{a}", f"link/campus/../{b}") == right
    monkeypatch.chdir(root / "campus")
    assert explained(run, "train/003/0001_c1.jpg", "test/../test/028/0003_c3.jpg") == right


def test_a_photograph_of_no_data_set_is_unknown_even_inside_its_folder(run: Path, root: Path) -> None:
    here = root / "campus" / "train" / "003" / "0001_c1.jpg"
    outside, inside = root / "003" / "0001_c1.jpg", root / "campus" / "other" / "003" / "0001_c1.jpg"
    for path in (outside, inside):
        path.parent.mkdir(parents=True)
        shutil.copy(here, path)
    assert explained(run, here, outside) == [[1, 1], [-1, -1]]
    assert explained(run, outside, inside) is None


def test_evaluated_with_the_right_labels(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    parts = ["probe", "place", "effect", "removal", "sanity", "reweight"]
    assert main(["evaluate", str(run), *(x for part in parts for x in ("--skip", part))]) == 0
    scores = json.loads((run / "scores.json").read_text())["datasets"]["campus"]
    # 8 test people; query camera 1, gallery cameras 2 and 3, all pairs: red differs between 4 odd and
    # 4 even ones, 2·4·4 of the 8·8 ordered pairs of people, each with 2 gallery photographs
    assert scores["per_attribute"]["red"]["exclusive_pairs"] == 2 * 4 * 4 * 2
    # hats: 21, 24, 27 of the eight
    assert scores["per_attribute"]["hat"]["exclusive_pairs"] == 2 * 3 * 5 * 2


def test_labels_that_are_gone_are_said(
    run: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, caplog: Any
) -> None:
    a, b = (root / "campus" / "train" / f"{n}/0001_c1.jpg" for n in ("003", "004"))
    table = root / "campus.csv"
    table.rename(tmp_path / "away.csv")
    assert explained(run, a, b) is None
    (tmp_path / "away.csv").rename(table)
    assert "labels of 'campus' were known at training and are not found now" in caplog.text
    assert "campus.csv" in caplog.text
    caplog.clear()
    monkeypatch.delitem(host.image_datasets(), "campus")
    assert explained(run, a, b) is None
    assert "nothing registers it here" in caplog.text


def test_an_attribute_that_nobody_or_everybody_has_is_named(root: Path, tmp_path: Path, caplog: Any) -> None:
    table = tmp_path / "own.csv"
    rows = "".join(f"{pid},{red(pid)},1,0,{'' if pid in TRAIN else 1}\n" for pid in [*TRAIN, *TEST])
    table.write_text("pid,red,shoes,wings,late\n" + rows)
    ManagerLabels(configured(root, "campus", table, FOLDERS))
    (said,) = [r for r in caplog.records if r.levelname == "WARNING"]
    assert "in the training labels nobody has wings; everybody has shoes; nobody's label is" in said.message
    assert "known of late; nothing can be learnt of that" in said.message
    caplog.clear()
    ManagerLabels(configured(root, "campus", root / "campus.csv", FOLDERS))
    assert "nobody" not in caplog.text


def test_a_ranking_marks_the_same_person_by_the_data_set(run: Path, root: Path, tmp_path: Path) -> None:
    """By the names alone ``022/0001_c1.jpg`` would be the person of ``021/0001_c1.jpg``, and 0002 another."""
    test = root / "campus" / "test"
    copy = shutil.copy(test / "021" / "0002_c2.jpg", tmp_path / "0001_c2.jpg")
    gallery = [test / "021" / "0002_c2.jpg", test / "022" / "0001_c1.jpg", copy]
    query, out = test / "021" / "0001_c1.jpg", tmp_path / "r.json"
    assert main(["rank", str(run), str(query), *map(str, gallery), "--json", str(out)]) == 0
    assert json.loads(out.read_text())["same"] == [True, False, None]
