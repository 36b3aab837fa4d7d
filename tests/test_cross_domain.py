"""Trained here, scored there: schemas that differ, and no labels at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_market import market_and_duke

from torchreid_amd.attributes.datamanager_labels import ManagerLabels
from torchreid_amd.attributes.sets import dukemtmcreid, market1501
from torchreid_amd.cli import main
from torchreid_amd.config import get_default_config
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.evaluation import DecomposedImages, evaluate_decomposition
from torchreid_amd.interpreter.distances import get_distance

MARKET, DUKE = market1501(), dukemtmcreid()
BOTH = (
    *(
        "backpack",
        "bag",
        "downblack",
        "downblue",
        "downbrown",
        "downgray",
        "downgreen",
        "downwhite",
        "gender",
    ),
    *("handbag", "hat", "upblack", "upblue", "upgray", "upgreen", "uppurple", "upred", "upwhite"),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return market_and_duke(tmp_path_factory.mktemp("data"))


def configured(root: Path, sources: list[str], targets: list[str], file: str = "") -> Any:
    cfg = get_default_config()
    cfg.data.root, cfg.data.sources, cfg.data.targets = str(root), sources, targets
    cfg.amd.attributes.file = file
    return cfg


# --- schemas that differ


def test_another_schema_answers_by_name(root: Path) -> None:
    labels = ManagerLabels(configured(root, ["market1501_attr"], ["dukemtmcreid_attr"]))
    paths = [item[0] for item in host.image_dataset("dukemtmcreid_attr", str(root)).query]
    found = labels.test("dukemtmcreid_attr", paths)
    assert found.shape == (2, 26)
    known = [name for name, there in zip(MARKET.attributes, (found >= 0).all(0), strict=True) if there]
    assert sorted(known) == sorted(BOTH)
    assert set(MARKET.attributes) & set(DUKE.attributes) == set(BOTH)
    assert (found >= 0).any(0).sum() == 18
    assert [MARKET.attributes[k] for k in np.flatnonzero(found[0] == 1)] == ["upblue"]


def test_the_real_tables_have_18_attributes_in_common(real_file: Any, tmp_path: Path) -> None:
    from torchreid_amd.datasets import DukeMTMCreIDAttr, Market1501Attr

    for name, folder in (("market", "market1501"), ("duke", "dukemtmc-reid")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}_attribute.mat").symlink_to(real_file(f"{name}_attribute.mat"))
    for one, other in ((Market1501Attr, DukeMTMCreIDAttr), (DukeMTMCreIDAttr, Market1501Attr)):
        schema = one.attribute_table(tmp_path, "test").schema
        there = other.attribute_table(tmp_path, "test").project(schema).matrix
        known = (there >= 0).any(0)
        assert [a for a, k in zip(schema.attributes, known, strict=True) if k] == [
            a for a in schema.attributes if a in BOTH
        ]


def test_scores_with_unknown_names_are_those_of_the_intersection() -> None:
    """Attributes that B does not know take no part: as if those components were not there."""
    draw = torch.Generator().manual_seed(0)

    def side(people: int, seed: int) -> DecomposedImages:
        draw.manual_seed(seed)
        n = 2 * people
        labels = (torch.rand(n, 5, generator=draw) < 0.5).long()
        labels[:, [1, 4]] = -1
        return DecomposedImages(
            torch.randn(n, 6, generator=draw),
            torch.randn(n, 5, 6, generator=draw),
            torch.arange(people).repeat(2),
            torch.arange(n) // people + seed,
            labels,
        )

    query, gallery = side(5, 1), side(5, 4)
    distance, kept = get_distance("euclidean"), [0, 2, 3]
    rates = torch.tensor([0.5, 0.3, 0.2, 0.1, 0.4])
    whole = evaluate_decomposition(query, gallery, distance, rates=rates)
    some = evaluate_decomposition(query.select(kept), gallery.select(kept), distance, rates=rates[kept])
    for row in ("interpreter", "prior", "random"):
        for name in ("X-mAP_e", "X-mAP_c", "exclusive_hit_rate", "common_hit_rate"):
            assert getattr(whole, row)[name] == pytest.approx(getattr(some, row)[name])
    assert whole.target == some.target
    assert whole.per_attribute["1"]["exclusive_pairs"] == 0
    assert whole.per_attribute["1"]["interpreter"] is None


# --- no labels


def test_a_table_by_pid_does_not_speak_for_another_data_set(root: Path, tmp_path: Path) -> None:
    rows = "pid,hat\n" + "".join(f"{pid},{pid % 2}\n" for pid in [*range(1, 7), *range(101, 105)])
    table = tmp_path / "own.csv"
    table.write_text(rows)
    cfg = configured(root, ["market1501"], ["market1501", "dukemtmcreid"], str(table))
    labels = ManagerLabels(cfg)
    duke = [item[0] for item in host.image_dataset("dukemtmcreid", str(root)).query]
    market = sorted(item[0] for item in host.image_dataset("market1501", str(root)).query)
    assert labels.test("dukemtmcreid", duke).tolist() == [[-1], [-1]]
    assert labels.test("market1501", market)[:, 0].tolist() == [1, 0, 1, 0]


def test_a_table_by_image_speaks_for_all(root: Path, tmp_path: Path) -> None:
    duke = [item[0] for item in host.image_dataset("dukemtmcreid", str(root)).query]
    market = [item[0] for item in host.image_dataset("market1501", str(root)).train]
    table = tmp_path / "own.csv"
    table.write_text("image,hat\n" + "".join(f"{Path(p).name},1\n" for p in [*market, duke[1]]))
    labels = ManagerLabels(configured(root, ["market1501"], ["dukemtmcreid"], str(table)))
    assert labels.test("dukemtmcreid", duke).tolist() == [[-1], [1]]


def test_rates_of_training_count_who_is_known(root: Path, tmp_path: Path) -> None:
    """Of three people one wears a hat, one does not and one is unknown: ½, however many photographs."""
    items = host.image_dataset("market1501", str(root)).train
    names = sorted({Path(item[0]).name.split("_")[0] for item in items})
    table = tmp_path / "own.csv"
    cells = dict(zip(names, ["1", "0"], strict=False))
    table.write_text("pid,hat,red\n" + "".join(f"{int(n)},{cells.get(n, '')},1\n" for n in names))
    labels = ManagerLabels(configured(root, ["market1501"], ["market1501"], str(table)))
    assert labels.rates(items).tolist() == [0.5, 1.0]
    worn = next(item for item in items if Path(item[0]).name.startswith(names[0]))
    assert labels.rates([*items, worn, worn]).tolist() == [0.5, 1.0]


def test_two_sources_without_labels_need_a_table_by_image(root: Path, tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text("pid,hat\n1,1\n")
    with pytest.raises(InputError, match="use an 'image' column"):
        ManagerLabels(configured(root, ["market1501", "dukemtmcreid"], ["market1501"], str(table)))


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    small = [
        "model.name",
        "osnet_x0_25",
        "model.pretrained",
        "False",
        "data.height",
        "64",
        "data.width",
        "32",
    ]
    small += ["data.workers", "0", "train.batch_size", "4", "train.max_epoch", "1", "test.ranks", "[1]"]
    sets = ["--root", str(root), "-s", "market1501_attr", "-t", "market1501_attr"]
    assert main(["train", *sets, *small, "data.save_dir", str(folder)]) == 0
    return folder


def test_evaluate_where_there_are_no_labels_or_others(
    run: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = ["-t", "market1501", "dukemtmcreid_attr"]
    sizes = ["--removal-pairs", "2", "--images", "4"]
    assert main(["evaluate", str(run), "--root", str(root), *sizes, *sets]) == 0
    printed = capsys.readouterr().out
    scores = json.loads((run / "scores.json").read_text())["datasets"]
    bare, other = scores["market1501"], scores["dukemtmcreid_attr"]
    assert bare["labelled"] == []
    assert bare["pairs"]["annotated"] == 0
    assert bare["interpreter"]["X-mAP_e"] is None
    for name in ("rank-1", "mAP", "ADRE", "rank_correlation"):
        assert isinstance(bare["interpreter"][name], float)
    assert "no attribute labels are known here" in printed
    assert sorted(other["labelled"]) == sorted(BOTH)
    assert other["interpreter"]["X-mAP_e"] is not None
    assert "18 of 26 attributes" in printed
    assert "λ = " in printed or "Not scored: " in printed
