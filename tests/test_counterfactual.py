"""The same photograph with one attribute changed: where it differs, and where it must not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from tiny_pedestrians import TINY, images, render_tiny

from torchreid_amd.core.errors import InputError
from torchreid_amd.datasets.synthetic import (
    SyntheticOptions,
    counterfactual,
    counterfactual_photograph,
    regions,
)
from torchreid_amd.datasets.synthetic.people.person import people, schema
from torchreid_amd.datasets.synthetic.photograph import take
from torchreid_amd.datasets.synthetic.records import files

NAMES = schema().attributes


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_tiny(tmp_path_factory.mktemp("data") / "not" / "there" / "yet")


@pytest.mark.parametrize("name", NAMES)
def test_a_counterfactual_differs_only_where_the_attribute_shows(name: str) -> None:
    options = SyntheticOptions(height=256, width=128)  # JPEG blocks are then small against a person
    differs = 0
    for person in people(options, "train")[10:14]:
        record = files(options, person.pid)[0][1]
        before = take(person, record, options)
        value = not person.labels[name]
        after = take(person.with_attribute(name, value), record, options)
        k = NAMES.index(name)
        region = (before.regions[k] | after.regions[k]).astype(np.uint8)
        if name == "hair" or name == "hat":  # one hides the other
            region |= before.regions[NAMES.index("hair")] | after.regions[NAMES.index("hair")]
        if name.startswith("down") or name == "clothes":  # its length, its cut and its colour go together
            region |= before.regions[NAMES.index("clothes")] | after.regions[NAMES.index("clothes")]
        if name.startswith("up") and name != "up":  # a dress has one colour
            for photograph in (before, after):
                region |= photograph.regions[[NAMES.index(a) for a in NAMES if a.startswith("up")]].any(0)
                region |= photograph.regions[NAMES.index("clothes")]
        near = cv2.dilate(region, np.ones((41, 53), np.uint8))  # boxes are stretched sideways
        blocks = cv2.resize(
            near.reshape(16, 16, 8, 16).max((1, 3)), (128, 256), interpolation=cv2.INTER_NEAREST
        )
        change = np.abs(before.pixels.astype(int) - after.pixels.astype(int)).max(-1)
        grown = cv2.dilate(blocks, np.ones((5, 5), np.uint8))  # chroma is interpolated across blocks
        elsewhere = change[grown == 0]  # a region leaves out slivers thinner than half a pixel
        assert elsewhere.max(initial=0) <= 8 and (elsewhere > 0).mean() < 0.02
        differs += bool(change.max() > 20)
        assert region.any() == bool(change.any()) or not change.any()
    assert differs >= 2


def test_a_counterfactual_of_what_is_already_so_is_the_photograph(root: Path) -> None:
    path = images(root)[3]
    person = people(SyntheticOptions(**TINY), "test" if int(path.name[:4]) > 4 else "train")[
        (int(path.name[:4]) - 1) % 4
    ]
    with Image.open(path) as image:
        original = np.asarray(image)
    for name in ("hat", "upred", "gender"):
        assert np.array_equal(counterfactual(path, name, int(person.labels[name])), original)


def test_colours_take_each_others_place() -> None:
    person = next(p for p in people(SyntheticOptions(), "train") if p.labels["upwhite"])
    red = person.with_attribute("upred", 1)
    assert red.colour("up") == "red"
    assert not red.labels["upwhite"]
    assert person.with_attribute("upwhite", 0).colour("up") == ""
    assert person.with_attribute("upwhite", 0).colour("down") == person.colour("down")


def test_regions_of_a_counterfactual(root: Path) -> None:
    path = images(root)[0]
    k = NAMES.index("upyellow")
    taken = counterfactual_photograph(path, "upyellow", 1)
    assert taken.regions[k].any()
    assert np.array_equal(taken.pixels, counterfactual(path, "upyellow", 1))
    assert not regions(path)[k].any()


@pytest.mark.parametrize(
    ("image", "attribute", "value", "message"),
    [
        ("", "hatt", 1, "did you mean 'hat'"),
        ("", "hat", 2, "expected 0 or 1"),
        ("0001_c1s1_000000_01.jpg", "hat", 1, "not one of the images"),
        ("nobody.jpg", "hat", 1, "expected a name like"),
    ],
)
def test_counterfactuals_of_bad_input(
    root: Path, image: str, attribute: str, value: int, message: str
) -> None:
    path = images(root)[0]
    with pytest.raises(InputError, match=message):
        counterfactual(path.with_name(image) if image else path, attribute, value)
