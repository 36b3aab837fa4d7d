"""The synthetic pedestrians' second domain; and that the first one's pictures stay what they were."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from torchreid_amd.attributes.labels import label_source
from torchreid_amd.cli import main
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.datasets.synthetic import (
    SyntheticAttr,
    SyntheticAttrNight,
    SyntheticOptions,
    counterfactual,
    regions,
    render_dataset,
)
from torchreid_amd.datasets.synthetic.people.person import people, schema
from torchreid_amd.datasets.synthetic.photograph import take
from torchreid_amd.datasets.synthetic.records import Record, files
from torchreid_amd.datasets.synthetic.street.camera import CAMERAS
from torchreid_amd.datasets.synthetic.street.domain import camera_of
from torchreid_amd.datasets.synthetic.street.night_camera import NIGHT_CAMERAS
from torchreid_amd.datasets.synthetic.street.night_scene import NIGHT_PLACES
from torchreid_amd.evaluation.data.ground_truth import truth_of

TINY = {"train_ids": 3, "test_ids": 2, "images_per_id": 4}
NAMES = schema().attributes
DAY, NIGHT = SyntheticOptions(), SyntheticOptions(domain="night")

# made before there was a second domain: photographs of the day, by record
OLD = {
    (1, 1, 2, 68988): (
        "cdfe90a7016dbf69ea0ac5372b58060144ecad64d6522336a8971c19e42e4741",
        [[[129.9, 114.1, 113.1], [118.1, 99.2, 96.3]], [[145.4, 126.6, 126.2], [126.0, 96.7, 99.8]],
         [[125.3, 122.5, 121.3], [108.7, 106.1, 105.3]], [[127.6, 123.5, 119.7], [122.6, 118.4, 114.2]]],
    ),
    (206, 4, 3, 43307): (
        "03bbda376edab5d04835f88e0dca2910d5b0f566e9210a1f0eca0f25f9942540",
        [[[114.3, 110.4, 108.5], [119.4, 120.0, 126.2]], [[105.0, 115.5, 141.5], [102.4, 117.9, 150.8]],
         [[121.0, 126.9, 121.6], [112.4, 119.8, 114.7]], [[131.0, 124.4, 131.2], [117.6, 114.0, 121.1]]],
    ),
}  # fmt: skip
MADE_WITH = {"opencv-python-headless": "5.0.0.93", "Pillow": "13.0.0", "numpy": "2.4.6"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    render_dataset(folder, **TINY, workers=1)
    render_dataset(folder, **TINY, domain="night", workers=1)
    return folder


def old_photograph(key: tuple[int, int, int, int]) -> tuple[Record, np.ndarray, bytes]:
    record = Record(*key)
    split = "train" if record.pid in DAY.pids("train") else "test"
    person = people(DAY, split)[DAY.pids(split).index(record.pid)]
    assert record in [r for _, r in files(DAY, record.pid)]
    taken = take(person, record, DAY)
    return record, taken.pixels, taken.jpeg


# --- the day is what it was


@pytest.mark.parametrize("key", OLD)
def test_pictures_of_the_day_are_what_they_were(key: tuple[int, int, int, int]) -> None:
    """Means over 32 × 32 pixels, to half a grey level: other library versions may round elsewhere."""
    pixels = old_photograph(key)[1]
    assert np.abs(pixels.reshape(4, 32, 2, 32, 3).mean((1, 3)) - OLD[key][1]).max() < 0.5


@pytest.mark.parametrize("key", OLD)
def test_pictures_of_the_day_are_bit_identical(key: tuple[int, int, int, int]) -> None:
    for package, number in MADE_WITH.items():
        try:
            found = version(package)
        except ModuleNotFoundError:
            found = "none"
        if found != number:
            pytest.skip(f"the hash was made with {package} {number}; here is {found}")
    assert hashlib.sha256(old_photograph(key)[2]).hexdigest() == OLD[key][0]


def test_a_folder_rendered_before_there_were_domains_is_accepted(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "synthetic_attr"
    (root / "synthetic_attr").rename(folder)
    try:
        about = folder / "synthetic.json"
        text = about.read_text()
        old = json.loads(text)
        assert old.pop("domain") == "day"
        about.write_text(json.dumps(old))
        assert render_dataset(tmp_path, **TINY) == folder
        path = SyntheticAttr(root=str(tmp_path), verbose=False).train[0][0]
        assert counterfactual(path, "hat", 1).shape == (128, 64, 3)
        assert json.loads(about.read_text()) == old
        about.write_text(text)
    finally:
        folder.rename(root / "synthetic_attr")


# --- people, clothes, cameras


def test_other_people() -> None:
    day, night = ([p.traits.stature for p in people(o, "train")] for o in (DAY, NIGHT))
    assert not set(day) & set(night)
    ones, others = (np.stack([p.vector() for p in people(o, "train")]) for o in (DAY, NIGHT))
    assert 0.2 < (ones != others).mean() < 0.5


@pytest.mark.parametrize("split", ["train", "test"])
def test_another_season(split: str) -> None:
    day, night = (
        dict(zip(NAMES, np.stack([p.vector() for p in people(o, split)]).mean(0), strict=True))
        for o in (DAY, NIGHT)
    )
    assert min(night.values()) >= 0.02
    assert night["up"] < 0.25 < 0.7 < day["up"]  # short sleeves
    assert night["down"] < 0.25 < 0.5 < day["down"]  # short lower garments
    assert night["hat"] > 3 * day["hat"]
    assert night["upblack"] == max(v for k, v in night.items() if k.startswith("up") and k != "up")
    assert night["upwhite"] < day["upwhite"] / 2
    for members in schema().group_indices():
        worn = np.stack([p.vector() for p in people(NIGHT, split)])[:, members].sum(1)
        assert worn.max() == 1


def test_cameras_and_places_of_their_own() -> None:
    assert camera_of(3, "night") is NIGHT_CAMERAS[2]
    assert camera_of(3) is CAMERAS[2]
    assert [c.number for c in NIGHT_CAMERAS] == [1, 2, 3, 4, 5, 6]
    assert {p for c in NIGHT_CAMERAS for p in c.places} == set(NIGHT_PLACES)
    assert not {p for c in CAMERAS for p in c.places} & set(NIGHT_PLACES)


def test_nights_are_darker_and_no_two_cameras_alike() -> None:
    means = {}
    for options in (DAY, NIGHT):
        person = people(options, "train")[0]
        means[options.domain] = [
            take(person, Record(1, camera, 1, 40), options).pixels.mean() for camera in range(1, 7)
        ]
    assert max(means["night"]) < min(means["day"])
    assert np.std(means["night"]) > 3


# --- the folder


def test_a_folder_of_its_own(root: Path) -> None:
    assert sorted(p.name for p in root.iterdir() if not p.name.startswith(".")) == [
        "synthetic_attr",
        "synthetic_attr_night",
    ]
    night = host.image_dataset("synthetic_attr_night", str(root))
    assert isinstance(night, SyntheticAttrNight)
    assert {Path(item[0]).parents[2].name for item in night.train} == {"synthetic_attr_night"}
    assert {pid for _, pid, *_ in night.query} == {4, 5}
    source = label_source("synthetic_attr_night", root, split="test")
    paths = [item[0] for item in night.query]
    vectors = {p.pid: p.vector() for p in people(SyntheticOptions(**TINY, domain="night"), "test")}
    expected = np.stack([vectors[int(Path(path).name[:4])] for path in paths])
    assert np.array_equal(source.labels(paths), expected)


def test_any_number_of_processes_gives_the_same_night(root: Path, tmp_path: Path) -> None:
    made = render_dataset(tmp_path, **TINY, domain="night", workers=2)
    first = {p.name: p.read_bytes() for p in (root / "synthetic_attr_night").rglob("*.jpg")}
    assert first == {p.name: p.read_bytes() for p in made.rglob("*.jpg")}


def test_regions_and_counterfactuals_of_the_night(root: Path) -> None:
    truth = truth_of("synthetic_attr_night", schema())
    assert truth is not None
    item = SyntheticAttrNight(root=str(root), verbose=False).train[0]
    with Image.open(item[0]) as image:
        before = np.asarray(image.convert("RGB"))
    labels = label_source("synthetic_attr_night", root).labels([item[0]])[0]
    k = NAMES.index("upyellow")
    assert labels[k] == 0
    assert np.array_equal(counterfactual(item[0], "upyellow", 0), before)
    after = counterfactual(item[0], "upyellow", 1)
    assert (before != after).any(-1).mean() > 0.05
    assert np.array_equal(truth.regions(item[0]), regions(item[0]))
    assert regions(item[0])[NAMES.index("gender")].any()


def test_a_folder_of_the_other_domain_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "synthetic_attr_night").symlink_to(root / "synthetic_attr")
    with pytest.raises(
        InputError, match=r"domain day \(asked for: night\).*--force --domain night"
    ) as caught:
        SyntheticAttrNight(
            root=str(tmp_path), options=SyntheticOptions(**TINY, domain="night"), verbose=False
        )
    assert "\n" not in str(caught.value)


def test_bad_domains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="did you mean 'night'"):
        SyntheticOptions(domain="nihgt")
    assert main(["synth", "--root", str(tmp_path), "--domain", "dusk"]) == 2
    assert "dusk" in capsys.readouterr().err


def test_the_command_renders_a_domain(tmp_path: Path) -> None:
    sizes = ["--train-ids", "1", "--test-ids", "1", "--images-per-id", "4", "--workers", "1"]
    assert main(["synth", "--root", str(tmp_path), "--domain", "night", *sizes]) == 0
    assert (tmp_path / "synthetic_attr_night" / "synthetic.json").is_file()
    assert not (tmp_path / "synthetic_attr").exists()
