"""The network that finds parts, the script that makes it again, and the true parts it learns from."""

from __future__ import annotations

import importlib.util
from importlib import resources
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch
from safetensors.numpy import load

from torchreid_amd.account import part_network
from torchreid_amd.account.part_network import GRID, SIZES, WEIGHTS, PartNetwork, odds_of_parts, trained
from torchreid_amd.account.segmentation import divide
from torchreid_amd.attributes.parts import CARRIED, HEAD, LOWER, PARTS, REST, UPPER
from torchreid_amd.datasets.synthetic.body.parts import OF_PERSON, Part
from torchreid_amd.datasets.synthetic.options import SyntheticOptions
from torchreid_amd.datasets.synthetic.people.person import people, schema
from torchreid_amd.datasets.synthetic.photograph import RenderedImage, take
from torchreid_amd.datasets.synthetic.records import records

NOBODY = PARTS.index(REST)


@pytest.fixture(scope="module")
def example() -> ModuleType:
    path = Path(__file__).parents[1] / "examples" / "learn_parts.py"
    spec = importlib.util.spec_from_file_location("learn_parts", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def strangers(domain: str, count: int) -> list[RenderedImage]:
    """Photographs of people whom the network has not learnt from."""
    options = SyntheticOptions(count, 1, 4, 17, *GRID, domain)
    return [take(p, records(options, p.pid)[0], options) for p in people(options, "train")]


def overlap(found: np.ndarray, true: np.ndarray, part: str) -> float:
    """Intersection over union."""
    mine, theirs = found == PARTS.index(part), true == PARTS.index(part)
    return (mine & theirs).sum() / (mine | theirs).sum()


def test_every_drawn_part_belongs_to_one_part_of_a_person() -> None:
    assert tuple(OF_PERSON) == PARTS[:-1]
    named = [part for parts in OF_PERSON.values() for part in parts]
    assert sorted(named) == [part for part in Part if part]


def test_true_parts_agree_with_the_regions_of_attributes() -> None:
    names = schema().attributes
    for photograph in strangers("day", 6):
        parts = photograph.parts
        assert parts.shape == GRID and parts.dtype == np.int8
        whole = photograph.regions[names.index("gender")]
        assert ((parts != NOBODY) == whole).mean() > 0.98  # one counts halves, the other what is most
        for bag in ("backpack", "bag", "handbag"):
            shown = photograph.regions[names.index(bag)]
            assert not shown.any() or (parts[shown] == PARTS.index(CARRIED)).mean() > 0.9
        below = photograph.regions[names.index("clothes")]
        assert (parts[below] == PARTS.index(LOWER)).mean() > 0.9


@pytest.mark.parametrize("domain", ["day", "night"])
def test_parts_of_rendered_strangers_are_found(domain: str) -> None:
    photographs = strangers(domain, 12)
    found = np.stack([divide(p.pixels) for p in photographs])
    true = np.stack([p.parts for p in photographs])
    least = {UPPER: 0.7, LOWER: 0.7, HEAD: 0.65, CARRIED: 0.3, REST: 0.9}
    for part, bound in least.items():
        assert overlap(found, true, part) > bound, part


def test_the_same_photograph_has_the_same_parts_at_any_size() -> None:
    photograph = strangers("day", 1)[0].pixels
    found = divide(photograph)
    assert (found == divide(photograph)).all() and found.dtype == np.int8
    large = divide(cv2.resize(photograph, (128, 256), interpolation=cv2.INTER_LINEAR))
    assert large.shape == (256, 128)
    assert (large[1::2, 1::2] == found).mean() > 0.97


def test_a_mirrored_photograph_has_mirrored_parts() -> None:
    photograph = strangers("day", 1)[0].pixels
    there, back = odds_of_parts(photograph), odds_of_parts(np.ascontiguousarray(photograph[:, ::-1]))
    np.testing.assert_allclose(there, back[:, ::-1], atol=0.02)
    assert np.abs(there - there[:, ::-1]).max() > 1


def test_every_view_is_laid_back_on_the_photograph(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that answers with the red of each pixel: what is averaged lies where the red is."""

    class Red(torch.nn.Module):
        def forward(self, photographs: torch.Tensor) -> torch.Tensor:
            assert len(photographs) == 2 * len(SIZES)
            return photographs[:, :1].repeat(1, len(PARTS), 1, 1) * torch.arange(5.0).view(1, -1, 1, 1) / 255

    monkeypatch.setattr(part_network, "trained", Red)
    picture = np.zeros((*GRID, 3), np.uint8)
    picture[20:40, 5:20, 0] = 255  # off the middle, so that a view scaled or turned the wrong way misses it
    found = odds_of_parts(picture)
    here = picture[..., 0] > 0
    assert (found[..., 4] - found[..., 0])[here].min() > 1.9  # of 4, at an edge between two pixels less
    edge = cv2.dilate(here.astype(np.uint8), np.ones((5, 5))).astype(bool)
    np.testing.assert_allclose((found[..., 4] - found[..., 0])[~edge], 0, atol=1e-5)


def test_brightness_and_contrast_do_not_matter() -> None:
    photograph = strangers("day", 1)[0].pixels
    dim = (photograph.astype(np.float32) * 0.6 + 20).astype(np.uint8)
    np.testing.assert_allclose(odds_of_parts(photograph), odds_of_parts(dim), atol=1.0)
    assert (divide(photograph) == divide(dim)).mean() > 0.98
    assert np.isfinite(odds_of_parts(np.full((128, 64, 3), 90, np.uint8))).all()


def test_somebody_known_to_carry_nothing_carries_nothing() -> None:
    bags = [p for p in strangers("day", 12) if (p.parts == PARTS.index(CARRIED)).sum() > 200]
    for photograph in bags:
        found = divide(photograph.pixels, empty_handed=True)
        assert not (found == PARTS.index(CARRIED)).any() and (found == PARTS.index(UPPER)).any()
    assert any((divide(p.pixels) == PARTS.index(CARRIED)).sum() > 100 for p in bags)


def test_the_weights_are_small_complete_and_those_of_the_network() -> None:
    stored = load(resources.files("torchreid_amd.account").joinpath(WEIGHTS).read_bytes())
    wanted = {name: v for name, v in PartNetwork().state_dict().items() if "num_batches" not in name}
    assert {name: v.shape for name, v in stored.items()} == {
        name: tuple(v.shape) for name, v in wanted.items()
    }
    assert sum(v.size for v in stored.values()) < 60_000 and all(
        v.dtype == np.float16 for v in stored.values()
    )
    assert all(torch.isfinite(v).all() for v in trained().state_dict().values())


def test_a_change_moves_pixels_and_parts_together(example: ModuleType) -> None:
    """A person of plain colours by part: after moving, each pixel still has the colour of its part."""
    shade = np.float32([30, 90, 150, 210, 250])
    parts = np.full(GRID, NOBODY, np.int8)
    parts[10:30, 24:40], parts[30:70, 18:46], parts[70:120, 20:44] = 2, 0, 1
    picture = np.repeat(shade[parts][..., None], 3, 2)
    for seed in range(8):
        image, shown = example.moved(picture, parts, np.random.default_rng(seed))
        person = shown != NOBODY  # beyond the edge the picture goes on, and nothing there is the person
        assert (np.abs(image[..., 0] - shade[shown]) < 20)[person].mean() > 0.9 and person.sum() > 1000
        image, covered = example.hidden(image, shown, np.random.default_rng(seed))
        gone = (covered == NOBODY) & person
        assert (covered[~gone] == shown[~gone]).all() and gone.sum() <= person.sum() / 3


def test_changes_keep_the_person_and_the_range(example: ModuleType) -> None:
    photograph = strangers("day", 1)[0]
    seen = []
    for seed in range(12):
        image, shown = example.changed(photograph.pixels, photograph.parts, np.random.default_rng(seed))
        assert image.shape == (*GRID, 3) and image.dtype == np.float32 and shown.dtype == np.int8
        assert image.min() >= 0 and image.max() <= 255 and (shown != NOBODY).mean() > 0.05
        again = example.changed(photograph.pixels, photograph.parts, np.random.default_rng(seed))
        assert (image == again[0]).all() and (shown == again[1]).all()
        seen.append(image)
    assert min(np.abs(a - b).mean() for a, b in zip(seen[1:], seen[:-1], strict=True)) > 1


def test_learning_is_made_again_from_its_seed_and_learns(
    example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example, "PEOPLE", {"day": (301, 1)})
    monkeypatch.setattr(example, "EACH", 4)
    monkeypatch.setattr(example, "BATCH", 4)
    pixels, parts = example.rendered()
    assert pixels.shape == (len(parts), *GRID, 3)
    losses = []
    for steps in (1, 20):
        network = example.learn(0, steps, pixels, parts)
        odds = network(torch.from_numpy(pixels).permute(0, 3, 1, 2).float())
        losses.append(torch.nn.functional.cross_entropy(odds, torch.from_numpy(parts).long()).item())
    assert losses[1] < 0.8 * losses[0]
    files = [tmp_path / name for name in ("a.safetensors", "b.safetensors")]
    for file in files:
        monkeypatch.setattr("sys.argv", ["learn_parts.py", str(file), "--steps", "2"])
        example.main()
    assert files[0].read_bytes() == files[1].read_bytes()
    assert {n: v.dtype for n, v in load(files[0].read_bytes()).items()} == {
        n: np.float16 for n in load(resources.files("torchreid_amd.account").joinpath(WEIGHTS).read_bytes())
    }
