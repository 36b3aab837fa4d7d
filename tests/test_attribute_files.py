"""Reading .mat, CSV, JSON and HDF5 files, good ones and bad ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from annotated_folders import codes, write_mat

from torchreid_amd.attributes import (
    AttributeSchema,
    LabelSource,
    read_mat,
    read_table,
)
from torchreid_amd.attributes.sets import dukemtmcreid, market1501
from torchreid_amd.core.errors import InputError

DATA = Path(os.environ.get("TORCHREID_AMD_DATA") or Path(__file__).parents[2] / "shared" / "data")


def refused(path: Path, *args: Any, reader: Any = read_table) -> str:
    with pytest.raises(InputError) as error:
        reader(path, *args)
    message = str(error.value)
    assert path.name in message and "\n" not in message
    return message


# -- .mat --------------------------------------------------------------------------------------


def market_mat(path: Path) -> Path:
    schema = market1501()
    train = codes(schema, {"0002": ["hat", "upred"], "0007": [], "0010": ["upred", "upblue", "up"]})
    test = codes(schema, {"0001": ["backpack"], "0003": ["hat"]})
    for number, row in enumerate((train | test).values()):
        row["age"] = number % 4 + 1
    train["0007"]["up"] = 0  # nobody can tell
    return write_mat(path, "market_attribute", {"train": train, "test": test})


def test_mat_is_read_by_field_name(tmp_path: Path) -> None:
    path = market_mat(tmp_path / "market_attribute.mat")
    raw = scipy.io.loadmat(path)["market_attribute"][0, 0]
    assert raw["train"].dtype.names != raw["test"].dtype.names  # the order does differ

    schema = market1501()
    train, test = read_mat(path, schema, "train"), read_mat(path, schema, "test")
    assert (train.keys, test.keys) == ((2, 7, 10), (1, 3))
    assert train.by == "pid" and "age" not in train.schema.attributes
    yes = [{a for a in schema.attributes if row[schema.index(a)] == 1} for row in train.labels([2, 7, 10])]
    assert yes == [{"hat", "upred"}, set(), {"upred", "upblue", "up"}]  # one, no and two colours
    assert train.labels([7])[0, schema.index("up")] == -1  # 0 in the file: unknown, not "no"
    assert (train.matrix == -1).sum() == 1
    assert test.labels([1])[0, schema.index("backpack")] == 1 and (test.labels([1]) == 1).sum() == 1
    assert (train.labels([0, -1, 1]) == -1).all()  # distractors, junk, somebody of the test split


def test_mat_of_a_single_identity(tmp_path: Path) -> None:
    rows = {"train": codes(dukemtmcreid(), {"0001": ["top"]}), "test": codes(dukemtmcreid(), {"7139": []})}
    path = write_mat(tmp_path / "duke_attribute.mat", "duke_attribute", rows)
    assert read_mat(path, dukemtmcreid(), "train").labels([1]).sum() == 1
    assert read_mat(path, dukemtmcreid(), "test").keys == (7139,)


def recoded(path: Path, code: dict[int, float], only: str = "", split: str = "") -> Path:
    """:func:`market_mat` with other values, in one field or one split alone where it is named."""
    schema = market1501()
    people = {
        "train": {"0002": ["hat", "upred"], "0007": []},
        "test": {"0001": ["backpack"], "0003": ["hat"]},
    }
    splits: dict[str, dict[str, Any]] = {}
    for part, rows in people.items():
        fields: dict[str, Any] = {"image_index": np.array(list(rows), dtype=object)}
        for name in schema.attributes:
            values = [row[name] for row in codes(schema, rows).values()]
            changed = (not only or name == only) and (not split or part == split)
            fields[name] = np.array([code[v] if changed else v for v in values])
        splits[part] = fields
    scipy.io.savemat(path, {"market_attribute": splits})
    return path


@pytest.mark.parametrize("code", [{1: 0, 2: 1}, {1: -1, 2: 1}, {1: False, 2: True}, {1: 1.0, 2: 2.0}])
def test_a_recoded_mat_that_agrees_in_itself_is_read(tmp_path: Path, code: dict[int, float]) -> None:
    table = read_mat(recoded(tmp_path / "m.mat", code), market1501(), "train")
    hat, backpack = (table.schema.index(name) for name in ("hat", "backpack"))
    assert table.labels([2, 7])[:, hat].tolist() == [1, 0]
    assert table.labels([2, 7])[:, backpack].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("code", "only", "split", "said"),
    [
        ({1: 0, 2: 1}, "hat", "", "field hat holds 0, 1, the rest of the file 1 and 2"),
        ({1: 0, 2: 2}, "hat", "", "field hat holds 0, 2, the rest of the file 1 and 2"),
        ({1: 0, 2: 1}, "", "test", "test holds 0, 1, the rest of the file 1 and 2"),
        ({1: -1, 2: 1}, "hat", "", "holds -1, 1, 2 (field hat)"),
        ({1: 1, 2: 3}, "", "", "holds 1, 3 (field "),
        ({1: 0, 2: 2}, "", "", "holds 0, 2;"),
        ({1: 1, 2: 1}, "", "", "holds 1;"),
        ({1: 0, 2: 255}, "", "", "holds 0, 255 (field "),
        ({1: float("nan"), 2: float("nan")}, "", "", "holds no number"),
    ],
)
def test_a_code_that_cannot_be_meant(
    tmp_path: Path, code: dict[int, float], only: str, split: str, said: str
) -> None:
    path = recoded(tmp_path / "m.mat", code, only, split)
    for part in ("train", "test"):
        assert said in refused(path, market1501(), part, reader=read_mat)


def test_an_hdf5_table_of_plus_and_minus_one(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "t.h5", attributes=["hat", "red"], pid=[2, 7], labels=[[1, -1], [-1, 1]])
    assert "not a single 0" in refused(path)
    write_h5(path, attributes=["hat", "red"], pid=[2, 7], labels=[[1, -1], [0, 1]])
    assert read_table(path).matrix.tolist() == [[1, -1], [0, 1]]
    write_h5(path, attributes=["hat", "red"], pid=[2, 7], labels=[[1, 1], [1, 1]])
    assert (read_table(path).matrix == 1).all()


@pytest.mark.parametrize("keep", [0, 10, 200, 0.5, 0.98])
def test_truncated_mat(tmp_path: Path, keep: float) -> None:
    path = market_mat(tmp_path / "market_attribute.mat")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep if keep > 1 else keep * len(whole))])
    refused(path, market1501(), "train", reader=read_mat)


def test_bad_mat(tmp_path: Path) -> None:
    path = tmp_path / "market_attribute.mat"
    assert "not a file" in refused(path, market1501(), "train", reader=read_mat)
    path.write_text("<html>404</html>" * 40)
    assert "is a web page" in refused(path, market1501(), "train", reader=read_mat)
    path.write_bytes(bytes(range(256)) * 4)
    assert "cannot be read as a MATLAB file" in refused(path, market1501(), "train", reader=read_mat)
    scipy.io.savemat(path, {"a": np.arange(3), "b": 1})
    assert "holds a, b; expected one struct" in refused(path, market1501(), "train", reader=read_mat)
    scipy.io.savemat(path, {"x": {"train": 1, "test": 2}})
    assert "train is not a struct" in refused(path, market1501(), "train", reader=read_mat)
    good = codes(market1501(), {"0002": [], "0007": []})
    write_mat(path, "x", {"train": good, "test": good})
    assert "no field boots" in refused(path, dukemtmcreid(), "train", reader=read_mat)
    write_mat(path, "x", {"train": {"zwei": good["0002"]}, "test": good})
    assert "'zwei'; expected identities" in refused(path, market1501(), "train", reader=read_mat)
    fields = {a: np.ones(2, np.uint8) for a in market1501().attributes}
    fields |= {"hat": np.ones(3, np.uint8), "image_index": np.array(["0002", "0007"], object)}
    scipy.io.savemat(path, {"x": {"train": fields, "test": fields}})
    assert "field hat has shape (3,)" in refused(path, market1501(), "test", reader=read_mat)
    with pytest.raises(InputError, match="unknown split 'val'"):
        read_mat(path, market1501(), "val")


MARKET_YES = """backpack 26.498, bag 24.634, clothes 85.353, down 60.852, downblack 39.015, downblue 16.378,
downbrown 9.188, downgray 16.378, downgreen 1.864, downpink 3.862, downpurple 0.266, downwhite 7.723,
downyellow 1.332, gender 42.610, hair 32.623, handbag 11.451, hat 2.663, up 94.807, upblack 15.047,
upblue 6.125, upgray 11.451, upgreen 7.457, uppurple 3.995, upred 10.386, upwhite 30.360, upyellow 4.794"""
DUKE_YES = """backpack 64.815, bag 16.809, boots 27.208, downblack 42.735, downblue 31.909, downbrown 4.558,
downgray 10.969, downgreen 0.142, downred 1.567, downwhite 8.120, gender 43.875, handbag 4.274, hat 14.815,
shoes 14.815, top 15.242, upblack 61.396, upblue 9.402, upbrown 1.567, upgray 10.826, upgreen 1.425,
uppurple 1.282, upred 6.268, upwhite 7.692"""


@pytest.mark.parametrize(
    ("file", "schema", "identities", "published"),
    [
        ("market_attribute.mat", market1501(), (751, 750), MARKET_YES),
        ("duke_attribute.mat", dukemtmcreid(), (702, 1110), DUKE_YES),
    ],
)
def test_published_percentages(
    file: str, schema: AttributeSchema, identities: tuple[int, int], published: str
) -> None:
    if not (DATA / file).is_file():
        pytest.skip(f"needs the published {file} in TORCHREID_AMD_DATA")
    train, test = (read_mat(DATA / file, schema, split) for split in ("train", "test"))
    assert (len(train), len(test)) == identities
    assert not set(train.keys) & set(test.keys)
    names, values = zip(*(entry.split() for entry in published.split(",")), strict=True)
    assert names == schema.attributes
    # The published share divides by all identities; the two Duke ones whose `top` nobody can tell
    # are unknown here, so among the known ones it is 107 / 700 and not 107 / 702.
    assert [f"{100 * r:.3f}" for r in train.rates(over="all")] == list(values)
    unknown = {a: int((train.matrix[:, schema.index(a)] == -1).sum()) for a in schema.attributes}
    assert sum(unknown.values()) == (2 if "top" in schema.attributes else 0)
    if "top" in schema.attributes:
        assert unknown["top"] == 2
        np.testing.assert_allclose(train.rates()[schema.index("top")], 107 / 700)


@pytest.mark.parametrize(("part", "field", "split"), [("train", "label", "train"), ("test", "ID", "test")])
def test_every_identity_of_market1501_has_a_row(part: str, field: str, split: str) -> None:
    file = DATA / f"market_eval_{part}{'_' * (part == 'train')}{field}.mat"
    if not file.is_file() or not (DATA / "market_attribute.mat").is_file():
        pytest.skip("needs the published Market-1501 identities and annotation in TORCHREID_AMD_DATA")
    variables = scipy.io.loadmat(file, squeeze_me=True)
    pids = {int(pid) for name, value in variables.items() if name[0] != "_" for pid in value}
    source = LabelSource(read_mat(DATA / "market_attribute.mat", market1501(), split), "market1501_attr")
    assert set(source.table.keys) == pids - {0, -1}
    assert source.check_pids(pids) == ""  # distractors and junk are not counted as missing


# -- CSV ---------------------------------------------------------------------------------------


def test_csv_by_pid(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("\ufeffpid, hat ,red\r\n0002,1,0\r\n\r\n7,,1\r\n11,1.0,0.0\r\n", encoding="utf-8")
    table = read_table(path)
    assert (table.by, table.keys, table.schema.name) == ("pid", (2, 7, 11), "mine")
    assert table.schema.attributes == ("hat", "red")
    assert table.matrix.tolist() == [[1, 0], [-1, 1], [1, 0]]


def test_csv_by_image(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text('image,hat\na/1.jpg,1\n"b/1, 2.jpg",0\n')
    table = read_table(path)
    assert (table.by, table.keys) == ("image", ("a/1.jpg", "b/1, 2.jpg"))
    assert table.labels(["/r/b/1, 2.jpg", "/r/c/1.jpg"]).tolist() == [[0], [-1]]


def test_columns_follow_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("pid,upred,backpack\n2,1,0\n")
    for schema in (market1501(), "market1501"):
        table = read_table(path, schema)
        assert table.schema == market1501()
        row = table.labels([2])[0]
        assert row[table.schema.index("upred")] == 1 and row[table.schema.index("backpack")] == 0
        assert (row == -1).sum() == 24


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pid,hat,red\n2,1,0\n7,3,0\n", "line 3: hat = '3'; expected 1 (yes), 0 (no) or blank (unknown)"),
        ("pid,hat\n2,yes\n", "line 2: hat = 'yes'"),
        ("pid,hat\n2,-1\n", "line 2: hat = '-1'"),
        ("pid,hat\n2,1\n3,1\n02,0\n", "line 4: pid 2 has a row already, on line 2; keep one"),
        ("pid,hat\n", "no rows"),
        ("pid,hat\n\n  \n", "no rows"),
        ("", "line 1: header ''; expected pid,<attribute>,…"),
        ("pid\n2\n", "line 1: header 'pid'"),
        ("id,hat\n2,1\n", "line 1: header 'id,hat'; expected pid,<attribute>,… or image,<attribute>,…"),
        ("pid;hat\n2;1\n", "header 'pid;hat'"),
        ("pid,hat,\n2,1,0\n", "each with a name"),
        ("pid,hat,hat\n2,1,0\n", "attribute 'hat' stands twice"),
        ("pid,hat,red\n2,1\n", "line 2: 2 values; expected 3, as in the header"),
        ("pid,hat\n2,1,0\n", "line 2: 3 values; expected 2"),
        ("pid,hat\ntwo,1\n", "line 2: pid 'two'; expected an integer"),
        ("pid,hat\n2.0,1\n", "pid '2.0'; expected an integer"),
        ("pid,hat\n,1\n", "pid ''; expected an integer"),
        ("image,hat\n,1\n", "image ''; expected a file name"),
        ('pid,hat\n2,"1\n', "line 2"),
    ],
)
def test_bad_csv_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    assert says in refused(path)


def test_unreadable_tables(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "gone.csv")
    assert "no such file" in refused(tmp_path / "gone.h5")
    assert "expected .csv, .json or .h5" in refused(tmp_path / "mine.xlsx")
    (tmp_path / "folder.csv").mkdir()
    assert "cannot be read" in refused(tmp_path / "folder.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00\x01" * 9)
    assert "not text" in refused(tmp_path / "bytes.csv")


def test_unknown_column(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("pid,upred,bagpack\n2,1,0\n")
    assert "unknown column: unknown attribute of 'market1501' 'bagpack'; did you mean 'backpack'" in refused(
        path, "market1501"
    )


# -- JSON and HDF5 -----------------------------------------------------------------------------


def test_json_rows_as_lists_and_as_objects(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(
        '{"by": "pid", "name": "campus", "attributes": ["hat", "red", "blue"],'
        '"groups": {"c": ["red", "blue"]},'
        '"labels": {"2": [1, 0, null], "7": {"blue": true, "hat": 0}}}'
    )
    table = read_table(path)
    assert (table.keys, table.schema.name, table.schema.group_indices()) == ((2, 7), "campus", [[1, 2]])
    assert table.matrix.tolist() == [[1, 0, -1], [0, -1, 1]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read"),
        ("[]", "no object of labels"),
        ('{"labels": {"2": [1]}}', "no list of attribute names"),
        ('{"attributes": ["hat"], "labels": {}}', "no rows"),
        ('{"attributes": ["hat"], "labels": {"2": [3]}}', "pid '2': hat = 3"),
        ('{"attributes": ["hat"], "labels": {"2": ["1"]}}', "hat = '1'"),
        ('{"attributes": ["hat"], "labels": {"2": [1, 0]}}', "expected 1 values"),
        ('{"attributes": ["hat"], "labels": {"2": {"cap": 1}}}', "'cap' is not among the attributes"),
        ('{"attributes": ["hat"], "labels": {"2": [1], "2": [0]}}', "'2' stands twice"),
        ('{"attributes": ["hat"], "labels": {"2": [1], "02": [0]}}', "pid 2 has two rows"),
        ('{"attributes": ["hat"], "labels": {"two": [1]}}', "expected an integer"),
        ('{"attributes": ["hat"], "by": "person", "labels": {"2": [1]}}', "expected 'pid' or 'image'"),
        ('{"attributes": ["hat"], "colour": {}, "labels": {"2": [1]}}', "expected entries among name"),
    ],
)
def test_bad_json_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    assert says in refused(path)


def write_h5(path: Path, **parts: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, value in parts.items():
            if name == "attributes":
                file.attrs[name] = value
            else:
                file[name] = value
    return path


def test_hdf5_by_pid_and_by_image(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "a.h5", pid=[2, 7], labels=[[1, -1], [0, 1]], attributes=["hat", "red"])
    table = read_table(path)
    assert (table.keys, table.schema.attributes) == ((2, 7), ("hat", "red"))
    assert table.matrix.tolist() == [[1, -1], [0, 1]]
    path = write_h5(tmp_path / "b.hdf5", image=["a/1.jpg", "ä.jpg"], labels=[[1], [0]], attributes=["hat"])
    assert read_table(path).labels(["/r/ä.jpg"]).tolist() == [[0]]


def test_bad_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    good = {"pid": [2, 7], "labels": [[1], [0]], "attributes": ["hat"]}
    assert "has pid; expected" in refused(write_h5(path, pid=[2]))
    assert "hat = 3" in refused(write_h5(path, **good | {"labels": [[1], [3]]}))
    assert "pid 2 has two rows" in refused(write_h5(path, **good | {"pid": [2, 2]}))
    assert "not an integer" in refused(write_h5(path, **good | {"pid": [2.0, 7.0]}))
    assert "labels of shape (2, 1)" in refused(write_h5(path, **good | {"attributes": ["hat", "red"]}))
    write_h5(path, **good)
    path.write_bytes(path.read_bytes()[:500])
    assert "cannot be read as HDF5" in refused(path)
    path.write_bytes(b"")
    assert "cannot be read as HDF5" in refused(path)
