"""The synthetic pedestrians: determinism, labels, true regions, and the folder."""

from __future__ import annotations

import colorsys
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from tiny_pedestrians import TINY, images, render_tiny

from torchreid_amd.core.errors import InputError
from torchreid_amd.datasets.synthetic import (
    Record,
    SyntheticAttr,
    SyntheticOptions,
    photograph,
    regions,
    render_dataset,
    rendering,
)
from torchreid_amd.datasets.synthetic.people.person import people, schema
from torchreid_amd.datasets.synthetic.photograph import take
from torchreid_amd.datasets.synthetic.records import files
from torchreid_amd.datasets.synthetic.street.camera import NEUTRAL

NAMES = schema().attributes
CARRIED = ("backpack", "bag", "handbag", "hat")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_tiny(tmp_path_factory.mktemp("data") / "not" / "there" / "yet")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# --- determinism


def test_any_number_of_processes_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    render_dataset(tmp_path, **TINY, workers=3)
    assert contents(tmp_path / "synthetic_attr") == contents(root / "synthetic_attr")


def test_order_does_not_matter_and_the_seed_does() -> None:
    options = SyntheticOptions()
    some = people(options, "train")[:2]
    records = [Record(p.pid, 1 + k, 1, 77) for k, p in enumerate(some)]
    first = [take(p, r, options).jpeg for p, r in zip(some, records, strict=True)]
    again = [take(p, r, options).jpeg for p, r in reversed(list(zip(some, records, strict=True)))][::-1]
    assert first == again
    assert take(some[0], records[0], replace(options, seed=1)).jpeg != first[0]


def test_identities_do_not_depend_on_each_others_number_of_images() -> None:
    few, many = (people(SyntheticOptions(images_per_id=n), "train")[3] for n in (4, 12))
    assert few.labels == many.labels
    assert few.traits.stature == many.traits.stature


# --- people


@pytest.mark.parametrize(("split", "n"), [("train", 200), ("test", 150)])
def test_every_attribute_is_present_and_absent(split: str, n: int) -> None:
    labels = np.stack([p.vector() for p in people(SyntheticOptions(), split)])
    assert labels.shape == (n, 26)
    assert labels.mean(0).min() >= 0.02
    assert labels.mean(0).max() <= 0.96


def test_shares_are_near_those_of_market1501() -> None:
    """Colours are more even than Market-1501's, but in its order; the rest is near."""
    published = {"backpack": 26.5, "bag": 24.6, "clothes": 85.4, "down": 60.9, "gender": 42.6, "hair": 32.6}
    labels = np.stack([p.vector() for p in people(SyntheticOptions(), "train")])
    rates = dict(zip(NAMES, 100 * labels.mean(0), strict=True))
    assert {a: rates[a] for a in published} == pytest.approx(published, abs=6)
    assert rates["up"] > 70
    for members in schema().groups.values():
        most = max(members, key=lambda a: rates[a])
        assert most in ("upwhite", "downblack")


def test_colours_exclude_each_other_and_a_few_people_have_none() -> None:
    labels = np.stack([p.vector() for p in people(SyntheticOptions(), "train")])
    for members in schema().group_indices():
        worn = labels[:, members].sum(1)
        assert worn.max() == 1
        assert 0 < (worn == 0).mean() < 0.05


def test_people_with_equal_attributes_still_differ() -> None:
    options = SyntheticOptions()
    one, other = people(options, "train")[:2]
    twin = replace(other, labels=one.labels)
    record = Record(one.pid, 1, 1, 5)
    a, b = (take(p, record, options, NEUTRAL).pixels.astype(int) for p in (one, twin))
    assert np.abs(a - b).max(-1).mean() > 3


# --- files


def test_names_can_be_read_as_torchreid_reads_them(root: Path) -> None:
    pattern = re.compile(r"([-\d]+)_c(\d)")  # of torchreid's Market1501
    for path in images(root):
        pid, camera = map(int, pattern.search(str(path.name)).groups())  # type: ignore[union-attr]
        assert 1 <= pid <= 7
        assert 1 <= camera <= 6
        with Image.open(path) as image:
            assert image.size == (64, 128)
            assert image.format == "JPEG"


@pytest.mark.parametrize("number", [4, 5, 10, 20])
def test_every_query_has_a_match_from_another_camera(number: int) -> None:
    options = SyntheticOptions(train_ids=2, test_ids=40, images_per_id=number)
    counts = []
    for pid in options.pids("test"):
        mine = files(options, pid)
        counts.append(len(mine))
        queries = [r.camera for f, r in mine if f == "query"]
        gallery = {r.camera for f, r in mine if f == "bounding_box_test"}
        assert len(queries) == len(set(queries)) == 2
        assert all(gallery - {camera} for camera in queries)
        assert len({r.file_name for _, r in mine}) == len(mine)
    assert np.mean(counts) == pytest.approx(number, abs=1)


def test_torchreid_data_set(root: Path) -> None:
    made = {
        mode: SyntheticAttr(root=str(root), mode=mode, verbose=False)
        for mode in ("train", "query", "gallery")
    }
    train = made["train"]
    assert len(train.train) + len(train.query) + len(train.gallery) == len(images(root))
    assert {pid for _, pid, _, _ in train.train} == set(range(4))
    assert {pid for _, pid, _, _ in train.query} == {pid for _, pid, _, _ in train.gallery} == {5, 6, 7}
    assert {c for _, _, c, _ in train.train} <= set(range(6))
    assert len(made["query"]) == len(train.query)
    assert train[0]["impath"] == train.train[0][0]
    both = SyntheticAttr(
        root=str(root), combineall=True, verbose=False, split_id=0, cuhk03_labeled=False, k_tfm=1
    )
    assert len(both.train) == len(images(root))


def test_attribute_table(root: Path) -> None:
    options = SyntheticOptions(**TINY)
    for split in ("train", "test"):
        table = SyntheticAttr.attribute_table(root, split)
        expected = np.stack([p.vector() for p in people(options, split)])
        assert np.array_equal(table.labels(list(options.pids(split))), expected)
    with pytest.raises(InputError, match="split 'val'"):
        SyntheticAttr.attribute_table(root, "val")


# --- regions


def test_regions_of_what_is_carried() -> None:
    options = SyntheticOptions()
    seen = dict.fromkeys(CARRIED, 0)
    for person in people(options, "train")[:40]:
        record = files(options, person.pid)[0][1]
        found = take(person, record, options, replace(NEUTRAL, headings=(1.2, -2.0))).regions
        assert found.shape == (26, 128, 64)
        for name in CARRIED:
            shown = found[NAMES.index(name)].sum()
            seen[name] += bool(shown)
            assert person.labels[name] or not shown
        for name, region in zip(NAMES, found, strict=True):
            if name.startswith(("up", "down")) and name not in ("up", "down"):
                assert person.labels[name] == bool(region.any())
        whole = found[NAMES.index("gender")]
        assert 0.1 < whole.mean() < 0.6
        assert not (found & ~whole).any()
        assert found[NAMES.index("hair")].any() or person.labels["hat"]
    for name, count in seen.items():
        assert count >= 0.7 * sum(p.labels[name] for p in people(options, "train")[:40]), name


def test_regions_are_read_back_as_they_were_rendered(root: Path) -> None:
    options = SyntheticOptions(**TINY)
    person = people(options, "test")[1]
    folder, record = files(options, person.pid)[2]
    path = root / "synthetic_attr" / "Market-1501-v15.09.15" / folder / record.file_name
    taken = take(person, record, options)
    assert path.read_bytes() == taken.jpeg
    found = regions(path)
    assert found.dtype == bool
    assert np.array_equal(found, taken.regions)


def test_regions_of_a_strange_image(root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"regions\.h5"):
        regions(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="not an image of"):
        regions(images(root)[0].with_name("9999_c1s1_000001_01.jpg"))


HUES = {"red": (340, 20), "yellow": (38, 65), "green": (85, 170), "blue": (195, 250), "purple": (255, 325),
        "pink": (310, 360), "brown": (10, 45)}  # fmt: skip


@pytest.mark.parametrize("part", ["up", "down"])
def test_garments_have_the_colour_of_their_name(part: str) -> None:
    options = SyntheticOptions()
    plain = {"print": "plain", "lower_print": 0.75, "belt": False}
    checked = set()
    for person in people(options, "train"):
        word = person.colour(part)
        if not word or word in checked:
            continue
        checked.add(word)
        person = replace(person, traits=replace(person.traits, **plain))
        taken = take(person, Record(person.pid, 1, 1, 9), options, NEUTRAL)
        inside = taken.regions[NAMES.index(part + word)]
        inner = cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        colour = np.median(taken.pixels[inner if inner.any() else inside], 0) / 255
        hue, saturation, value = colorsys.rgb_to_hsv(*colour)
        if word in HUES:
            low, high = HUES[word]
            degrees = hue * 360
            assert low <= degrees <= high if low < high else degrees >= low or degrees <= high, (word, colour)
            assert saturation > 0.2, (word, colour)
        else:
            assert saturation < 0.3, (word, colour)
            low_, high_ = {"black": (0, 0.3), "gray": (0.3, 0.72), "white": (0.68, 1)}[word]
            assert low_ <= value <= high_, (word, colour)
    assert checked == {a.removeprefix(part) for a in NAMES if a.startswith(part) and a != part}


# --- the folder


def test_a_complete_folder_is_used_again(root: Path) -> None:
    stamps = {p: p.stat().st_mtime_ns for p in images(root)}
    assert render_dataset(root, **TINY) == root / "synthetic_attr"
    assert {p: p.stat().st_mtime_ns for p in images(root)} == stamps


def test_other_options_are_refused_or_forced(root: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(root, mine)
    with pytest.raises(InputError, match=r"seed 0 \(asked for: 3\).*--force"):
        render_dataset(mine, **TINY, seed=3)
    render_dataset(mine, train_ids=1, test_ids=1, images_per_id=4, seed=3, force=True, workers=1)
    assert json.loads((mine / "synthetic_attr" / "synthetic.json").read_text())["seed"] == 3
    assert sorted(p.name for p in mine.iterdir()) == [".synthetic_attr.lock", "synthetic_attr"]


@pytest.mark.parametrize("damage", ["missing", "not json", "list", "other version", "unknown key"])
def test_a_foreign_or_damaged_folder_is_refused(damage: str, root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "synthetic_attr"
    folder.mkdir()
    about = json.loads((root / "synthetic_attr" / "synthetic.json").read_text())
    text = {"not json": "{", "list": "[1]", "other version": json.dumps(about | {"version": 0}),
            "unknown key": json.dumps(about | {"hats": 7})}.get(damage)  # fmt: skip
    if text:
        (folder / "synthetic.json").write_text(text)
    with pytest.raises(InputError, match="synth --force") as caught:
        SyntheticAttr(root=str(tmp_path), verbose=False)
    assert "\n" not in str(caught.value)


def test_an_interrupted_render_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def interrupted(*args: object) -> object:
        calls.append(args)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return take(*args)  # type: ignore[arg-type]

    stale = tmp_path / ".synthetic_attr-killed"
    stale.mkdir()
    monkeypatch.setattr(rendering, "take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        render_dataset(tmp_path, **TINY, workers=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".synthetic_attr.lock"]


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rendering, "write_regions", full)
    with pytest.raises(InputError, match="No space left on device; free some space"):
        render_dataset(tmp_path, train_ids=1, test_ids=1, images_per_id=4, workers=1)
    assert not (tmp_path / "synthetic_attr").exists()


@pytest.mark.parametrize(
    "bad",
    [
        {"train_ids": 0},
        {"test_ids": 1.5},
        {"images_per_id": 3},
        {"seed": -1},
        {"width": True},
        {"workers": 0},
    ],
)
def test_bad_options(bad: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        render_dataset(tmp_path / "x", **bad)
    assert not (tmp_path / "x").exists()


def test_more_identities_than_market1501_has() -> None:
    options = SyntheticOptions(train_ids=12000, test_ids=9)
    assert re.match(r"12009_c\d", files(options, 12009)[0][1].file_name)


@pytest.mark.parametrize("what", ["foreground", "stranger in front", "stranger behind"])
def test_what_is_hidden_by_something_in_front_belongs_to_no_region(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A grey board over the left half; seen over the person where it is in front, under it where behind."""
    options = SyntheticOptions()
    person = people(options, "train")[0]
    record = Record(person.pid, 1, 1, 77)

    def left(shape: tuple[int, int]) -> np.ndarray:
        mask = np.zeros(shape, bool)
        mask[:, : shape[1] // 2] = True
        return mask

    def foreground(rng: object, picture: np.ndarray, *_: object) -> np.ndarray:
        if what != "foreground":
            return np.zeros(picture.shape[:2], bool)
        picture[left(picture.shape[:2])] = 0.5
        return left(picture.shape[:2])

    def stranger(rng: object, camera: object, view: object, canvas: tuple[int, int], *_: object) -> object:
        if what == "foreground":
            return None
        return np.full((*canvas, 3), 0.5, np.float32), left(canvas), what == "stranger in front"

    monkeypatch.setattr(photograph, "draw_foreground", lambda rng, p, *_: np.zeros(p.shape[:2], bool))
    monkeypatch.setattr(photograph, "draw_stranger", lambda *_: None)
    free = take(person, record, options)
    monkeypatch.setattr(photograph, "draw_foreground", foreground)
    monkeypatch.setattr(photograph, "draw_stranger", stranger)
    seen = take(person, record, options)
    middle, whole = options.width // 2, NAMES.index("gender")
    assert free.regions[whole][:, :middle].sum() > 500
    assert np.array_equal(seen.regions[..., middle + 1 :], free.regions[..., middle + 1 :])
    if what == "stranger behind":
        assert np.array_equal(seen.regions, free.regions)
    else:
        assert not seen.regions[..., : middle - 1].any()
    where = free.regions[whole].copy()
    where[:, middle - 4 :] = False  # the person, left
    moved = np.abs(seen.pixels.astype(int) - free.pixels.astype(int)).max(-1)
    assert (np.median(moved[where]) > 10) == (what != "stranger behind")


def test_a_damaged_folder_is_rendered_again_only_when_forced(root: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(root, tmp_path / "mine"))
    few = {"train_ids": 1, "test_ids": 1, "images_per_id": 4, "workers": 1}
    for file in (mine / "synthetic_attr").glob("*.json"):
        file.write_text("{")
    with pytest.raises(InputError, match="is not a complete synthetic_attr"):
        render_dataset(mine, **few)
    render_dataset(mine, **few, force=True)
    assert rendering.read_options(mine / "synthetic_attr").train_ids == 1
    assert len({path.name[:4] for path in images(mine)}) == 2


def test_what_a_killed_run_left_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run works in a folder whose name the next one knows."""
    seen: list[list[str]] = []
    drawn = rendering.people

    def spied(*args: object) -> object:
        seen.append(sorted(p.name for p in tmp_path.iterdir() if p.is_dir()))
        return drawn(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(rendering, "people", spied)
    few = {"train_ids": 1, "test_ids": 1, "images_per_id": 4, "workers": 1}
    render_dataset(tmp_path, **few)
    (working,) = seen[0]
    assert working.startswith(".synthetic_attr-")
    shutil.copytree(tmp_path / "synthetic_attr", tmp_path / working)  # as if it had been killed
    render_dataset(tmp_path, **few, seed=1, force=True)
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == ["synthetic_attr"]
