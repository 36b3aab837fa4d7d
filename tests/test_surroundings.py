"""``random_surroundings``: the person stays, what is around changes, the same by seed and in a cache."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotated_folders import duke_folders
from PIL import Image
from test_engine import config
from tiny_market import write_tiny_market

import torchreid_amd as amd
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.images import read_image
from torchreid_amd.datasets.synthetic.options import SyntheticOptions
from torchreid_amd.datasets.synthetic.people.person import people
from torchreid_amd.datasets.synthetic.photograph import RenderedImage, take
from torchreid_amd.datasets.synthetic.records import records
from torchreid_amd.engine import surroundings
from torchreid_amd.engine.cache.store import made_of
from torchreid_amd.engine.cache.views import Views
from torchreid_amd.engine.surroundings import (
    RandomSurroundings,
    chance_of_person,
    empty,
    lit,
    others_of,
    shading,
    stand_before,
)
from torchreid_amd.engine.train import build_datamanager, build_engine, train

WITH = ("data.transforms", "['random_flip','random_surroundings','random_erase']")
ALWAYS = ("CHANGED", 1.0)


def strangers(count: int) -> list[RenderedImage]:
    options = SyntheticOptions(count, 1, 4, 17)
    return [take(p, records(options, p.pid)[0], options) for p in people(options, "train")]


def changed(image: Image.Image, seed: int, step: RandomSurroundings | None = None) -> np.ndarray:
    random.seed(seed)
    return np.asarray((step or RandomSurroundings())(image))


class Fixed:
    """Random numbers that are given."""

    def __init__(self, *values: Any) -> None:
        self.values = list(values)

    def uniform(self, low: float, high: float, size: int | None = None) -> Any:
        return self.values.pop(0)

    random = choice = lambda self, *_: self.values.pop(0)


# --- one photograph


def test_a_photograph_is_mixed_by_the_chance_of_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.array([[1.0, 0.25, 0.0]], np.float32)
    monkeypatch.setattr(surroundings, *ALWAYS)
    monkeypatch.setattr(surroundings, "chance_of_person", lambda pixels: chance)
    monkeypatch.setattr(surroundings, "lit", lambda picture, rng: np.full_like(picture, 300))
    image = Image.fromarray(np.full((1, 3, 3), 100, np.uint8))
    # 100; 0.25 × 100 + 0.75 × 300 = 250; 300, which is cut to 255
    assert changed(image, 0)[0].tolist() == [[100] * 3, [250] * 3, [255] * 3]


def test_half_of_the_views_are_left_and_a_seed_gives_the_same_again() -> None:
    photograph = Image.fromarray(strangers(1)[0].pixels)
    views = [changed(photograph, seed) for seed in range(60)]
    other = [bool((view != np.asarray(photograph)).any()) for view in views]
    assert 18 <= sum(other) <= 42
    assert all((view == changed(photograph, seed)).all() for seed, view in enumerate(views[:8]))
    assert len({view.tobytes() for view, o in zip(views, other, strict=True) if o}) == sum(other)
    assert {(v.shape, v.dtype) for v in views} == {((128, 64, 3), np.dtype(np.uint8))}


def test_people_stay_and_what_is_around_them_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, *ALWAYS)
    for n, photograph in enumerate(strangers(5)):
        before = photograph.pixels.astype(float)
        away = np.abs(changed(Image.fromarray(photograph.pixels), n) - before).mean(2)
        person = photograph.parts != 4
        assert away[person].mean() < 0.35 * away[~person].mean() and away[~person].mean() > 4


def test_the_size_of_a_photograph_does_not_matter() -> None:
    pixels = strangers(1)[0].pixels
    large = np.asarray(Image.fromarray(pixels).resize((128, 256), Image.Resampling.BILINEAR))
    small, wide = chance_of_person(pixels), chance_of_person(large)
    assert small.shape == (128, 64) and wide.shape == (256, 128)
    assert small.min() >= 0 and small.max() <= 1 and small.max() > 0.99 and small.min() < 0.01
    assert np.abs(wide[::2, ::2] - small).mean() < 0.03
    assert empty(large).shape == (128, 64, 3)


# --- another light


def test_light_is_contrast_then_brightness_colour_and_shade(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "shading", lambda size, rng: np.array([[1.0, -1.0]], np.float32))
    double, half, cast = math.log(2), math.log(0.5), np.log([1.0, 1.1, 0.9])
    found = lit(np.array([[[90.0] * 3, [110.0] * 3]], np.float32), Fixed(double, half, cast, double))
    # mean 100: 80 and 120 by twice the contrast, 40 and 60 by half the light; the ramp doubles one and halves
    # the other: 80 and 30, times 1, 1.1 and 0.9
    np.testing.assert_allclose(found, [[[80, 88, 72], [30, 33, 27]]], rtol=1e-5)


def test_a_shade_is_a_ramp_or_a_spot() -> None:
    ramp = shading((3, 5), Fixed(0.1, 0.0))  # to the right
    np.testing.assert_allclose(ramp, [[-1, -0.5, 0, 0.5, 1]] * 3, atol=1e-6)
    down = shading((3, 5), Fixed(0.1, math.pi / 2))
    np.testing.assert_allclose(down, [[-1] * 5, [0] * 5, [1] * 5], atol=1e-6)
    spot = shading((3, 3), Fixed(0.9, (0.0, 1.0), (0.5, 1.0), -1))  # dark, in the middle of the right edge
    # 1 − 2 exp(−(y² / ½ + (x − 1)²)) : −1 where it is, 1 − 2 e⁻¹ a half to the left, 1 − 2 e⁻² above
    assert spot[1, 2] == pytest.approx(-1) and spot[1, 1] == pytest.approx(1 - 2 * math.exp(-1))
    assert spot[0, 2] == pytest.approx(1 - 2 * math.exp(-2))


# --- another place


def test_surroundings_of_others_are_taken_without_their_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    street = np.zeros((128, 64, 3), np.uint8)
    street[..., 2] = 200
    street[38:82, 2:12] = 90, 0, 200  # the edge of somebody
    street[40:80, 4:10] = 255, 0, 0  # and somebody
    Image.fromarray(street).save(tmp_path / "other.png")

    def chance(pixels: np.ndarray) -> np.ndarray:  # red and green are people
        return (pixels[..., :2].max(2) > 100).astype(np.float32)

    monkeypatch.setattr(surroundings, *ALWAYS)
    monkeypatch.setattr(surroundings, "chance_of_person", chance)
    np.testing.assert_allclose(empty(street), np.full((128, 64, 3), (0, 0, 200)), atol=8)
    own = np.full((64, 32, 3), 50, np.uint8)
    own[10:50, 8:24] = 0, 220, 0
    step = RandomSurroundings()
    step.others = [str(tmp_path / "other.png")]
    found = changed(Image.fromarray(own), 3, step)
    assert (found[10:50, 8:24] == (0, 220, 0)).all()
    around = found[chance(own) == 0]
    np.testing.assert_allclose(around, np.full((64 * 32 - 40 * 16, 3), (0, 0, 200)), atol=8)


# --- in torchreid


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tiny_market(tmp_path / "data")


def test_torchreid_knows_the_name_in_training_alone(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manager = build_datamanager(config(root, None, *WITH))
    assert "+ random surroundings" in capsys.readouterr().out
    steps = [type(step).__name__ for step in manager.train_loader.dataset.transform.transforms]
    at = steps.index("RandomSurroundings")
    assert (
        steps[at + 1] == "ToTensor" and "RandomHorizontalFlip" in steps[:at] and "RandomErasing" in steps[at:]
    )
    tested = next(iter(manager.test_loader.values()))["query"].dataset.transform
    assert "RandomSurroundings" not in [type(step).__name__ for step in tested.transforms]
    plain = build_datamanager(config(root)).train_loader.dataset.transform
    stand_before(plain, ["a.jpg"])
    assert not others_of(plain)
    build = host.building_globals()["build_transforms"]
    for given in ("random_surroundings", ["Random_Surroundings"]):
        assert "RandomSurroundings" in [type(step).__name__ for step in build(8, 4, given)[0].transforms]
    assert len(build(8, 4, None)[0].transforms) == 3


def test_torchreid_forgets_the_name_afterwards() -> None:
    amd.uninstall()
    try:
        build = host.building_globals()["build_transforms"]
        assert "RandomSurroundings" not in str(build(8, 4, ["random_surroundings"])[0])
    finally:
        amd.install()


def test_a_name_that_nobody_knows_is_refused_with_those_that_are(root: Path) -> None:
    cfg = config(root, None, "data.transforms", "['random_street']")
    with pytest.raises(InputError, match="random_surroundings"):
        train(cfg)


def test_views_of_a_cache_are_the_same_each_time(root: Path) -> None:
    dataset = build_datamanager(config(root, None, *WITH)).train_loader.dataset
    step = dataset.transform.transforms
    one = [Views(dataset, 1)[4, v]["img"] for v in range(6)]
    again = [Views(dataset, 1)[4, v]["img"] for v in range(6)]
    assert all(bool((a == b).all()) for a, b in zip(one, again, strict=True))
    step[:] = [s for s in step if not isinstance(s, RandomSurroundings)]
    without = [Views(dataset, 1)[4, v]["img"] for v in range(6)]
    assert 0 < sum(bool((a != b).any()) for a, b in zip(one, without, strict=True)) < 6


def test_training_parts_of_targets_lend_their_surroundings(root: Path) -> None:
    duke_folders(root, ["0005_c1_f1", "0006_c2_f1"], ["0007_c1_f1"], ["0007_c2_f1"])
    cfg = config(root, None, "data.targets", ["dukemtmcreid"], *WITH)
    assert not others_of(build_datamanager(cfg).train_loader.dataset.transform)
    cfg.data.load_train_targets = True
    others = others_of(build_datamanager(cfg).train_loader.dataset.transform)
    assert sorted(Path(path).name for path in others) == ["0005_c1_f1.jpg", "0006_c2_f1.jpg"]


def test_a_cache_remembers_whose_surroundings_were_taken(root: Path, tmp_path: Path) -> None:
    options = ("amd.cache", "on", "amd.cache_views", 1, "amd.cache_file", tmp_path / "c.h5", *WITH)
    cfg = config(root, tmp_path / "run", *options)
    made = []
    paths = [str(path) for path in sorted(root.rglob("bounding_box_train/*.jpg"))]
    for others in ([], paths[:2], paths[:3]):
        manager = build_datamanager(cfg)
        stand_before(manager.train_loader.dataset.transform, others)
        build_engine(cfg, manager).prepare_steps()
        made.append(made_of(tmp_path / "c.h5"))
    assert made[0] is not None and "surroundings" not in made[0]
    assert made[1] is not None and made[2] is not None and made[1]["surroundings"] != made[2]["surroundings"]


def test_a_photograph_without_anybody_is_lit_whole() -> None:
    random.seed(1)
    flat = Image.fromarray(np.full((128, 64, 3), 120, np.uint8))
    assert read_image(RandomSurroundings()(flat)).size == (64, 128)
