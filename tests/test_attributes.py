"""Schemas, tables and the look-up of labels by image path."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from torchreid_amd.attributes import AttributeSchema, AttributeTable, LabelSource, SourceLabels, label_source
from torchreid_amd.attributes.sets import dukemtmcreid, market1501, market1501_dukemtmcreid
from torchreid_amd.core.errors import InputError

CLOTHES = AttributeSchema(
    "clothes", ("hat", "red", "blue"), {"colour": ("red", "blue")}, {"hat": ("hat", "bare")}
)
LABELS = [[1, 0, 1], [0, -1, 1], [-1, 0, 0], [1, 1, 1]]  # of identities 2, 7, 11, 12


def table(by: str = "pid", keys: object = (2, 7, 11, 12)) -> AttributeTable:
    return AttributeTable(CLOTHES, keys, LABELS, by, "mine.csv")  # type: ignore[arg-type]


# -- schema ------------------------------------------------------------------------------------


def test_schema_survives_its_dictionary() -> None:
    for schema in (CLOTHES, market1501(), dukemtmcreid()):
        assert AttributeSchema.from_dict(schema.to_dict()) == schema


def test_words_may_say_only_what_yes_means() -> None:
    schema = AttributeSchema.from_dict({"name": "s", "attributes": ["red"], "words": {"red": "red coat"}})
    assert (schema.say("red"), schema.say("red", yes=False)) == ("red coat", "not red coat")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"attributes": []}, "empty"),
        ({"attributes": "hat"}, "not a list of names"),
        ({"attributes": ["hat", "hat"]}, "'hat' twice"),
        ({"attributes": ["hat", 3]}, "not a list of names"),
        ({"groups": {"colour": ["hat", "rde"]}}, "unknown attribute of 's' 'rde'; did you mean 'red'"),
        ({"groups": {"colour": "red"}}, "not a list of names"),
        ({"groups": [["red", "hat"]]}, "malformed"),
        ({"words": {"cap": ["a", "b"]}}, "unknown attribute of 's' 'cap'"),
        ({"words": {"hat": ["only"]}}, "not [yes, no]"),
        ({"words": {"hat": [True, False]}}, "not a list of names"),
    ],
)
def test_malformed_schema_is_one_line(change: dict[str, object], says: str) -> None:
    with pytest.raises(InputError) as error:
        AttributeSchema.from_dict({"name": "s", "attributes": ["hat", "red"], **change})
    assert says in str(error.value) and "\n" not in str(error.value)


def test_published_sets_have_their_order_and_colour_groups() -> None:
    market, duke = market1501(), dukemtmcreid()
    assert (len(market), len(duke)) == (26, 23)
    assert (market.attributes[3], market.attributes[13], market.attributes[17]) == ("down", "gender", "up")
    assert (duke.attributes[2], duke.attributes[14], duke.attributes[22]) == ("boots", "top", "upwhite")
    assert [len(g) for g in market.group_indices()] == [8, 9]  # upper, lower body
    assert [len(g) for g in duke.group_indices()] == [8, 7]
    assert all("up" not in members and "down" not in members for members in market.groups.values())
    assert market.say("up") == "short sleeves" and duke.say("top") == "long upper body"


def test_eighteen_attributes_are_in_both_sets() -> None:
    # the published list for cross-domain work
    names = (
        "backpack bag downblack downblue downbrown downgray downgreen downwhite gender handbag hat upblack "
        "upblue upgray upgreen uppurple upred upwhite"
    ).split()
    both = market1501_dukemtmcreid()
    assert list(both.attributes) == names
    assert set(names) == set(market1501().attributes) & set(dukemtmcreid().attributes)
    assert [len(g) for g in both.group_indices()] == [7, 6]


# -- table -------------------------------------------------------------------------------------


def test_labels_come_in_the_order_asked_for_and_strangers_are_unknown() -> None:
    got = table().labels([7, 99, 2, 7, None])
    assert got.dtype == np.int8
    assert got.tolist() == [[0, -1, 1], [-1, -1, -1], [1, 0, 1], [0, -1, 1], [-1, -1, -1]]
    assert table().labels([]).shape == (0, 3)
    assert table().known(7) and not table().known(99)


def test_asked_for_labels_are_a_copy() -> None:
    mine = table()
    mine.labels([2])[:] = 0
    assert mine.labels([2]).tolist() == [[1, 0, 1]]
    with pytest.raises(ValueError, match="read-only"):
        mine.matrix[0, 0] = 0


def test_rates_count_unknown_apart() -> None:
    # hat: 2 of 3 known; red: 1 of 3 known; blue: 3 of 4
    np.testing.assert_allclose(table().rates(), [2 / 3, 1 / 3, 3 / 4])
    np.testing.assert_allclose(table().rates(over="all"), [2 / 4, 1 / 4, 3 / 4])


def test_rate_of_an_attribute_nobody_knows_is_zero() -> None:
    nobody = AttributeTable(CLOTHES, [1], [[-1, -1, 1]])
    assert nobody.rates().tolist() == [0.0, 0.0, 1.0]


def test_no_colour_and_several_colours_are_kept_as_they_are() -> None:
    rows = table().labels([11, 12])[:, [1, 2]]
    assert rows.tolist() == [[0, 0], [1, 1]]


def test_projection_goes_by_name_and_leaves_new_names_unknown() -> None:
    other = AttributeSchema("other", ("blue", "skirt", "hat"))
    got = table().project(other)
    assert got.schema == other and got.keys == (2, 7, 11, 12)
    assert got.labels([2, 7]).tolist() == [[1, -1, 1], [1, -1, 0]]


def test_market_table_in_the_shared_attributes() -> None:
    market, both = market1501(), market1501_dukemtmcreid()
    labels = np.arange(26)[None] % 2  # 1 at every odd position
    got = AttributeTable(market, [5], labels).project(both).labels([5])[0]
    assert got.tolist() == [market.attributes.index(a) % 2 for a in both.attributes]
    back = AttributeTable(both, [5], np.ones((1, 18))).project(market).labels([5])[0]
    assert (back == 1).sum() == 18 and (back == -1).sum() == 8


def test_projection_onto_nothing_in_common_is_refused() -> None:
    with pytest.raises(InputError, match="no attribute of 'clothes' is in 'other'"):
        table().project(AttributeSchema("other", ("skirt",)))


def test_join_takes_both_and_refuses_the_same_key() -> None:
    more = AttributeTable(AttributeSchema("more", ("blue", "hat")), [20], [[1, 0]])
    assert table().join(more).labels([20, 2]).tolist() == [[0, -1, 1], [1, 0, 1]]
    with pytest.raises(InputError, match="pid 2 has two rows"):
        table().join(table())
    with pytest.raises(InputError, match="cannot join"):
        table().join(AttributeTable(CLOTHES, ["a.jpg"], [[1, 1, 1]], "image"))


@pytest.mark.parametrize(
    ("keys", "labels", "by", "says"),
    [
        ([], np.zeros((0, 3)), "pid", "no rows"),
        ([1, 1], [[0, 0, 0], [1, 1, 1]], "pid", "pid 1 has two rows"),
        ([1], [[0, 3, 0]], "pid", "pid 1 has red = 3; expected 1 (yes), 0 (no) or -1 (unknown)"),
        ([1], [[0, float("nan"), 0]], "pid", "red = nan"),
        ([1], [[0, 0.5, 0]], "pid", "red = 0.5"),
        ([1], [[0, 1]], "pid", "labels of shape (1, 2)"),
        (["1"], [[0, 0, 0]], "pid", "pid '1' is not an integer"),
        ([True], [[0, 0, 0]], "pid", "pid True is not an integer"),
        ([1], [[0, 0, 0]], "image", "image 1 is not a file name"),
        ([" "], [[0, 0, 0]], "image", "is not a file name"),
        (["a.jpg", "./a.jpg"], [[0, 0, 0], [1, 1, 1]], "image", "image 'a.jpg' has two rows"),
        ([1], [[0, 0, 0]], "person", "expected 'pid' or 'image'"),
    ],
)
def test_bad_table_is_one_line(keys: list[object], labels: object, by: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        AttributeTable(CLOTHES, keys, labels, by)  # type: ignore[arg-type]
    assert says in str(error.value) and "\n" not in str(error.value)


def test_an_image_row_is_the_tail_of_the_path() -> None:
    images = table("image", ("x.jpg", "b/x.jpg", "c\\y.jpg", "z.jpg"))
    assert images.find("/data/a/x.jpg") == 0  # only the base name fits
    assert images.find("/data/b/x.jpg") == 1  # the longer key wins
    assert images.find("/data/bb/x.jpg") == 0  # whole folders, not letters
    assert images.find("data\\c\\y.jpg") == 2
    assert images.find("/data/d/y.jpg") == -1
    assert images.find("xx.jpg") == -1 and images.find("z.jpg") == 3


# -- look-up by path ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path", "pid"),
    [
        ("market1501", "/r/bounding_box_train/0002_c1s1_000451_03.jpg", 2),
        ("market1501", "/r/bounding_box_test/0000_c1s1_000151_01.jpg", None),
        ("market1501", "/r/bounding_box_test/-1_c1s1_000401_03.jpg", None),
        ("market1501_attr", "/r/0011_c3/0002_c1s1_000451_03.jpg", 2),  # a folder that looks like a name
        ("dukemtmcreid", "/r/7140_c8_f0064386.jpg", 7140),
        ("synthetic_attr", "/r/0007_c2s1_000001_00.jpg", 7),
        ("viper", "VIPeR/cam_a/000_45.bmp", 0),
        ("grid", "probe/0001_1_25004_107_32_106_221.jpeg", 1),
        ("grid", "gallery/0000_1_25004_107_32_106_221.jpeg", None),
        ("sensereid", "test_probe/00012_0.jpg", 12),
        ("cuhk01", "campus/0971004.png", 971),
        ("ilids", "Persons/0001003.jpg", 1),
        ("prid", "single_shot/cam_b/person_0200.png", 200),
        ("cuhksysu", "cropped_images/p11422_s16929_1.jpg", 11422),
        ("university1652", "test/query_drone/0839/image-01.jpeg", 839),
        ("someone_elses", "a/0009_c4.jpg", 9),
        ("market1501", "holiday.jpg", None),
    ],
)
def test_identity_is_read_off_the_file_name(name: str, path: str, pid: int | None) -> None:
    assert LabelSource(table(), name).pids([path]) == [pid]


@pytest.mark.parametrize("name", ["msmt17", "cuhk02", "cuhk03"])
def test_where_the_name_does_not_tell_images_are_asked_for(name: str) -> None:
    with pytest.raises(InputError, match="use an 'image' column"):
        LabelSource(table(), name)
    images = LabelSource(table("image", ("1_001_1_01.png", "b.png", "c.png", "d.png")), name)
    assert images.labels(["images_detected/1_001_1_01.png", "x/e.png"]).tolist() == [[1, 0, 1], [-1, -1, -1]]


def test_labels_by_path_keep_unknown_apart_from_no() -> None:
    source = LabelSource(table(), "market1501")
    paths = ["0011_c1s1_1.jpg", "0000_c1s1_1.jpg", "-1_c1s1_1.jpg", "0005_c1s1_1.jpg", "portrait.png"]
    assert source.labels(paths).tolist() == [[-1, 0, 0]] + [[-1, -1, -1]] * 4


def test_each_row_counts_once() -> None:
    paths = ["0011_c1s1_1.jpg", "0011_c2s1_1.jpg", "0000_c1s1_1.jpg", "0002_c1s1_1.jpg", "0005_c1s1_1.jpg"]
    assert LabelSource(table(), "market1501").labels_once(paths).tolist() == [[1, 0, 1], [-1, 0, 0]]
    assert LabelSource(table(), "market1501").labels_once(["0005_c1s1_1.jpg"]).shape == (0, 3)


@pytest.mark.parametrize("pid", [0, -1])
def test_distractors_and_junk_cannot_be_labelled(pid: int) -> None:
    with pytest.raises(InputError, match="junk or distractors"):
        LabelSource(table(keys=(2, 7, pid, 12)), "market1501")


def test_identity_zero_is_a_person_elsewhere() -> None:
    source = LabelSource(table(keys=(2, 7, 0, 12)), "viper")
    assert source.labels(["cam_a/000_45.bmp"]).tolist() == [[-1, 0, 0]]


def test_check_counts_identities_without_a_row() -> None:
    source = LabelSource(table(), "market1501", own=True)
    paths = [f"{pid:04d}_c{cam}s1_1.jpg" for pid in (0, 2, 3, 4, 7, 11, 12) for cam in (1, 2)]
    assert source.check(paths) == (
        "mine.csv: 2 of 6 identities of 'market1501' have no row; they are kept with unknown labels"
    )
    assert source.check_pids([2, 7, 11, 12]) == ""


def test_check_refuses_rows_for_strangers_in_the_users_table_only() -> None:
    with pytest.raises(InputError, match=r"mine.csv: unknown pid 7, 11, 12: not in data set 'market1501'"):
        LabelSource(table(), "market1501", own=True).check(["0002_c1s1_1.jpg"])
    assert LabelSource(table(), "market1501").check(["0002_c1s1_1.jpg"]) == ""
    many = AttributeTable(CLOTHES, range(1, 20), np.zeros((19, 3)))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"unknown pid 1, 2, 3, 4, 5, … \(18 in all\)"):
        LabelSource(many, "market1501", own=True).check_pids([19])


def test_check_of_image_rows() -> None:
    source = LabelSource(table("image", ("a.jpg", "b.jpg", "c.jpg", "d.jpg")), "msmt17", own=True)
    assert "1 of 5 images" in source.check([f"/r/{n}.jpg" for n in "abcde"])
    with pytest.raises(InputError, match="unknown image d.jpg"):
        source.check(["/r/a.jpg", "/r/b.jpg", "/r/c.jpg"])


def test_several_sources_answer_in_one_schema() -> None:
    other = AttributeTable(AttributeSchema("other", ("blue", "skirt")), [2], [[0, 1]])
    both = SourceLabels([LabelSource(table(), "market1501"), LabelSource(other, "dukemtmcreid")])
    paths = ["/m/0002_c1s1_1.jpg", "/d/0002_c1_f1.jpg", "/m/0007_c1s1_1.jpg", "/d/0007_c1_f1.jpg"]
    got = both.labels(paths, torch.tensor([0, 1, 0, 1]))
    assert got.tolist() == [[1, 0, 1], [-1, -1, 0], [0, -1, 1], [-1, -1, -1]]
    assert both.labels([], []).shape == (0, 3)


def test_several_sources_need_to_know_whose_image_it_is() -> None:
    source = LabelSource(table(), "market1501")
    with pytest.raises(InputError, match="dsetids"):
        SourceLabels([source, source]).labels(["0002_c1.jpg"])
    with pytest.raises(InputError, match="dsetid 2; expected 0 to 1"):
        SourceLabels([source, source]).labels(["0002_c1.jpg"], [2])
    assert SourceLabels([source]).labels(["0002_c1.jpg"]).tolist() == [[1, 0, 1]]
    with pytest.raises(InputError, match="no label source"):
        SourceLabels([])


def test_a_data_set_without_labels_asks_for_a_table() -> None:
    with pytest.raises(InputError, match=r"'viper' has no attribute labels.*amd\.attributes\.file"):
        label_source("viper", "anywhere")
    with pytest.raises(InputError, match="unknown split 'val'"):
        label_source("viper", "anywhere", split="val")
