"""Market-1501 and DukeMTMC-reID with attributes, in torchreid's own data manager."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from annotated_folders import codes, duke_folders, market_folders, write_mat

from torchreid_amd.attributes import AttributeSchema, SourceLabels, label_source
from torchreid_amd.attributes.sets import dukemtmcreid, market1501, market1501_dukemtmcreid
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.registry import datasets
from torchreid_amd.datasets.dukemtmcreid import DukeMTMCreIDAttr
from torchreid_amd.datasets.market1501 import Market1501Attr

MARKET_TRAIN = {"0002": ["hat", "upred"], "0007": [], "0010": ["upred", "upblue", "up"]}
MARKET_TEST = {"0001": ["backpack"], "0003": ["hat", "downblack"]}
DUKE_TRAIN = {"0001": ["hat", "top"], "0008": ["boots"], "7140": ["upbrown", "downred"]}
DUKE_TEST = {"0002": ["shoes"], "0005": []}


def names(people: Any, cameras: tuple[int, ...] = (1, 2, 3), form: str = "{}_c{}s1_000451_03") -> list[str]:
    return [form.format(pid, camera) for pid in people for camera in cameras]


def put_market(root: Path, mat: str = "market1501/market_attribute.mat") -> None:
    gallery = [*names(MARKET_TEST, (2, 3)), *names(["0000", "-1"], (4,))]
    market_folders(root, names(MARKET_TRAIN), names(MARKET_TEST, (1,)), gallery)
    rows = {"train": codes(market1501(), MARKET_TRAIN), "test": codes(market1501(), MARKET_TEST)}
    write_mat(root / mat, "market_attribute", rows)


def put_duke(root: Path, mat: str = "dukemtmc-reid/DukeMTMC-reID/duke_attribute.mat") -> None:
    form = "{}_c{}_f0064386"
    gallery = [*names(DUKE_TEST, (5, 6), form), *names(["0099"], (7,), form)]
    duke_folders(root, names(DUKE_TRAIN, (1, 8), form), names(DUKE_TEST, (2,), form), gallery)
    rows = {"train": codes(dukemtmcreid(), DUKE_TRAIN), "test": codes(dukemtmcreid(), DUKE_TEST)}
    write_mat(root / mat, "duke_attribute", rows)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "0042_c5 data [1]"  # looks like an image name, and like a wildcard
    put_market(folder)
    put_duke(folder)
    return folder


@contextlib.contextmanager
def in_torchreid() -> Iterator[Any]:
    """torchreid with the two data sets, as importing the package leaves it."""
    known = host.torchreid().data.register_image_dataset.__globals__["__image_datasets"]
    before = dict(known)
    known.update({name: datasets[name] for name in ("market1501_attr", "dukemtmcreid_attr")})
    try:
        yield host.torchreid()
    finally:
        known.clear()
        known.update(before)


def yes(schema: AttributeSchema, row: Any) -> set[str]:
    return {a for a, value in zip(schema.attributes, row, strict=True) if value == 1}


# -- the folders -------------------------------------------------------------------------------


def test_market_lists_its_images_sorted_and_relabelled(root: Path) -> None:
    data = Market1501Attr(root=str(root), verbose=False)
    assert [(Path(p).name, pid, cam, dset) for p, pid, cam, dset in data.train] == [
        (f"{name}_c{camera}s1_000451_03.jpg", pid, camera - 1, 0)
        for pid, name in enumerate(["0002", "0007", "0010"])
        for camera in (1, 2, 3)
    ]
    assert {pid for _, pid, _, _ in data.query} == {1, 3}
    assert {pid for _, pid, _, _ in data.gallery} == {0, 1, 3}  # distractors stay, junk goes
    assert data.num_train_pids == 3 and data.num_train_cams == 3


def test_the_lists_equal_torchreids_own(tmp_path: Path) -> None:
    put_market(tmp_path)
    put_duke(tmp_path)
    for name, mine in (("market1501", Market1501Attr), ("dukemtmcreid", DukeMTMCreIDAttr)):
        theirs = host.image_dataset_class(name)(root=str(tmp_path), verbose=False)
        ours = mine(root=str(tmp_path), verbose=False)
        assert isinstance(ours, host.image_dataset_class(name))
        assert sorted(theirs.query) == ours.query and sorted(theirs.gallery) == ours.gallery
        assert [(p, c) for p, _, c, _ in sorted(theirs.train)] == [(p, c) for p, _, c, _ in ours.train]


def test_duke_identities_are_numbered_in_ascending_order(root: Path) -> None:
    data = DukeMTMCreIDAttr(root=str(root), verbose=False)
    assert {Path(p).name[:4]: pid for p, pid, _, _ in data.train} == {"0001": 0, "0008": 1, "7140": 2}
    assert {pid for _, pid, _, _ in data.gallery} == {2, 5, 99}


@pytest.mark.parametrize(
    "place",
    [
        "market1501/market_attribute.mat",
        "market1501/attribute/market_attribute.mat",
        "market1501/Market-1501-v15.09.15/market_attribute.mat",
        "market1501/Market-1501-v15.09.15/attribute/market_attribute.mat",
    ],
)
def test_the_annotation_may_lie_in_four_places(tmp_path: Path, place: str) -> None:
    put_market(tmp_path, place)
    assert Market1501Attr.attribute_table(tmp_path, "test").keys == (1, 3)


def test_tables_by_split(root: Path) -> None:
    assert Market1501Attr.attributes == "market1501" and DukeMTMCreIDAttr.attributes == "dukemtmcreid"
    table = DukeMTMCreIDAttr.attribute_table(root, "train")
    assert table.schema == dukemtmcreid() and table.keys == (1, 8, 7140)
    assert yes(table.schema, table.labels([7140])[0]) == {"upbrown", "downred"}
    assert Market1501Attr(root=str(root), verbose=False).tables["test"].keys == (1, 3)


def test_a_data_set_travels_to_worker_processes(root: Path) -> None:
    data = pickle.loads(pickle.dumps(Market1501Attr(root=str(root), verbose=False)))
    assert data[0]["impath"].endswith("0002_c1s1_000451_03.jpg")


# -- bad input ---------------------------------------------------------------------------------


@pytest.fixture
def no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a download was tried")

    base = host.image_dataset_class("market1501").__mro__[2]
    monkeypatch.setattr(base, "download_dataset", never)


def refused(root: Path, kind: Any = Market1501Attr) -> str:
    with pytest.raises(InputError) as error:
        kind(root=str(root), verbose=False)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.usefixtures("no_download")
def test_missing_folders_are_named_and_nothing_is_fetched(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    message = refused(gone)
    assert f"data root {str(gone)!r} is not a folder" in message and "nothing is downloaded" in message
    assert not gone.exists()
    assert f"no folder {str(tmp_path / 'dukemtmc-reid')!r}" in refused(tmp_path, DukeMTMCreIDAttr)
    put_market(tmp_path)
    query = tmp_path / "market1501/Market-1501-v15.09.15/query"
    query.rename(tmp_path / "elsewhere")
    assert f"no folder {str(query)!r}" in refused(tmp_path)


@pytest.mark.usefixtures("no_download")
def test_missing_annotation_names_where_it_was_looked_for(root: Path) -> None:
    (root / "market1501/market_attribute.mat").unlink()
    message = refused(root)
    for place in ("market1501", "market1501/attribute", "market1501/Market-1501-v15.09.15"):
        assert repr(str(root / place)) in message
    assert "no market_attribute.mat" in message and "Market-1501_Attribute" in message
    with pytest.raises(InputError, match=r"no market_attribute\.mat"):
        label_source("market1501_attr", root)


def test_truncated_annotation(root: Path) -> None:
    path = root / "market1501/market_attribute.mat"
    path.write_bytes(path.read_bytes()[:700])
    assert "market_attribute.mat" in refused(root)


def test_the_other_data_sets_annotation(root: Path) -> None:
    duke = root / "dukemtmc-reid/DukeMTMC-reID/duke_attribute.mat"
    (root / "market1501/market_attribute.mat").write_bytes(duke.read_bytes())
    assert "no field clothes, down, downpink" in refused(root)


@pytest.mark.parametrize("name", ["holiday", "0002", "0002_c7s1_1", "1502_c1s1_1", "-2_c1s1_1"])
def test_a_stray_picture_is_named(root: Path, name: str) -> None:
    folder = root / "market1501/Market-1501-v15.09.15/query"
    (folder / f"{name}.jpg").write_bytes(b"")
    assert f"{name}.jpg' is not named like" in refused(root)


def test_empty_folder(root: Path) -> None:
    folder = root / "market1501/Market-1501-v15.09.15/query"
    for path in folder.iterdir():
        path.unlink()
    assert f"no images (*.jpg) in {str(folder)!r}" in refused(root)


# -- labels through torchreid's data manager ------------------------------------------------------


def batches(root: Path, sources: list[str], **options: Any) -> Any:
    with in_torchreid() as torchreid:
        manager = torchreid.data.ImageDataManager(
            root=str(root),
            sources=sources,
            height=8,
            width=4,
            batch_size_train=2,
            workers=0,
            use_gpu=False,
            **options,
        )
    return manager


def test_summed_sources_keep_their_labels(root: Path) -> None:
    sources = ["market1501_attr", "dukemtmcreid_attr"]
    manager = batches(root, sources)
    assert manager.num_train_pids == 6  # Duke's identities follow Market's
    shared = market1501_dukemtmcreid()
    labels = SourceLabels([label_source(name, root) for name in sources], shared)
    seen = {}
    for _ in range(20):  # batches are drawn at random and the last is dropped
        for batch in manager.train_loader:
            rows = labels.labels(batch["impath"], batch["dsetid"])
            for pid, dset, path, row in zip(
                batch["pid"], batch["dsetid"], batch["impath"], rows, strict=True
            ):
                person = MARKET_TRAIN if dset == 0 else DUKE_TRAIN
                given = person[Path(path).name.split("_")[0]]
                assert yes(shared, row) == set(given) & set(shared.attributes)
                assert (row != -1).all()
                seen[int(pid)] = yes(shared, row)
    assert seen == {0: {"hat", "upred"}, 1: set(), 2: {"upred", "upblue"}, 3: {"hat"}, 4: set(), 5: set()}


def test_a_source_in_the_others_schema_is_unknown_where_it_has_no_such_attribute(root: Path) -> None:
    sources = [label_source(name, root) for name in ("market1501_attr", "dukemtmcreid_attr")]
    labels = SourceLabels(sources)  # Market's 26
    row = labels.labels(["/d/0001_c1_f1.jpg"], [1])[0]
    only_market = [a for a in market1501().attributes if a not in dukemtmcreid().attributes]
    assert len(only_market) == 8
    assert all(row[market1501().index(a)] == -1 for a in only_market)
    assert yes(market1501(), row) == {"hat"} and (row == -1).sum() == 8


def test_query_and_gallery_labels(root: Path) -> None:
    manager = batches(root, ["market1501_attr"])
    source = label_source("market1501_attr", root, split="test")
    query, gallery = manager.fetch_test_loaders("market1501_attr")
    for path, pid, *_ in [*query, *gallery]:
        row = source.labels([path])[0]
        if pid == 0:  # a distractor: unknown, which is not "no"
            assert (row == -1).all()
        else:
            assert yes(source.schema, row) == set(MARKET_TEST[f"{pid:04d}"]) and (row != -1).all()


def test_training_on_all_splits(root: Path) -> None:
    manager = batches(root, ["market1501_attr"], combineall=True)
    assert manager.num_train_pids == 5
    source = label_source("market1501_attr", root, split="all")
    for path, *_ in manager.train_loader.dataset.train:
        row = source.labels([path])[0]
        assert yes(source.schema, row) == set((MARKET_TRAIN | MARKET_TEST)[Path(path).name.split("_")[0]])
    assert source.check([item[0] for item in manager.train_loader.dataset.train]) == ""


def test_the_users_own_table_on_a_plain_data_set(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "torchreid_amd")
    root = tmp_path / "data"  # torchreid's own class takes brackets in a path for a wildcard
    put_market(root)
    table = root / "mine.csv"
    table.write_text("pid,tall,short\n2,1,0\n7,0,\n3,0,1\n")
    data = host.image_dataset_class("market1501")(root=str(root), verbose=False)
    source = label_source("market1501", root, table)
    paths = [item[0] for item in [*data.train, *data.query, *data.gallery]]
    assert source.check(paths) == (
        f"{table}: 2 of 5 identities of 'market1501' have no row; they are kept with unknown labels"
    )
    folder = root / "market1501/Market-1501-v15.09.15/bounding_box_train"
    assert source.labels([str(folder / f"{n}_c1s1_1.jpg") for n in ("0002", "0007", "0010")]).tolist() == [
        [1, 0],
        [0, -1],
        [-1, -1],
    ]
    caplog.clear()
    label_source("market1501", root, table, known_pids=[0, 1, 2, 3, 7, 10])
    assert len(caplog.messages) == 1
    table.write_text("pid,tall\n2,1\n8,0\n")
    with pytest.raises(InputError, match="unknown pid 8: not in data set 'market1501'"):
        label_source("market1501", root, table, known_pids=[1, 2, 3, 7, 10])


def test_every_data_set_with_labels_is_registered() -> None:
    assert datasets["market1501_attr"] is Market1501Attr
    assert datasets["dukemtmcreid_attr"] is DukeMTMCreIDAttr
