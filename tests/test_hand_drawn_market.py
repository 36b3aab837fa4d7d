"""The example that arranges Market-1501's hand-drawn boxes, on a folder of tiny pictures."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from annotated_folders import codes, write_images, write_mat

from torchreid_amd.attributes.sets import market1501
from torchreid_amd.core.errors import InputError
from torchreid_amd.datasets import Market1501Attr


@pytest.fixture(scope="module")
def example() -> ModuleType:
    path = Path(__file__).parents[1] / "examples" / "hand_drawn_market.py"
    spec = importlib.util.spec_from_file_location("hand_drawn_market", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def name(pid: int, camera: int, frame: int, end: str = ".jpg") -> str:
    return f"{pid:04d}_c{camera}s1_{frame:06d}_00{end}"


@pytest.fixture
def boxes(tmp_path: Path) -> tuple[Path, Path]:
    """Persons 2 and 7 for training, 1 and 5 for testing, two cameras with three frames each."""
    folder = tmp_path / "gt_bbox"
    names = [name(pid, camera, frame) for pid in (1, 2, 5, 7) for camera in (1, 3) for frame in (10, 20, 30)]
    names[0] += ".jpg"  # as some of the set end
    write_images(folder, names)
    (folder / "Thumbs.db").write_bytes(b"no picture")
    splits = {"train": ("0002", "0007"), "test": ("0001", "0005", "0009")}
    labels = {split: codes(market1501(), dict.fromkeys(pids, ("gender",))) for split, pids in splits.items()}
    return folder, write_mat(tmp_path / "market_attribute.mat", "market_attribute", labels)


def found(place: Path) -> dict[str, list[str]]:
    return {f.name: sorted(p.name for p in f.iterdir()) for f in place.iterdir() if f.is_dir()}


def test_the_annotation_decides_who_is_for_training(
    example: ModuleType, boxes: tuple[Path, Path], tmp_path: Path
):
    arranged = found(example.arrange(*boxes, tmp_path / "root"))
    both = [(c, f) for c in (1, 3) for f in (10, 20, 30)]
    assert arranged["bounding_box_train"] == [name(p, c, f) for p in (2, 7) for c, f in both]
    assert arranged["query"] == [name(p, c, 10) for p in (1, 5) for c in (1, 3)]
    assert arranged["bounding_box_test"] == [name(p, c, f) for p in (1, 5) for c, f in both if f > 10]
    data = Market1501Attr(root=str(tmp_path / "root"))
    assert (len(data.train), len(data.query), len(data.gallery)) == (12, 4, 8)
    assert len(list(boxes[0].iterdir())) == 25  # nothing was taken away


def test_fewer_photographs_come_from_every_camera(
    example: ModuleType, boxes: tuple[Path, Path], tmp_path: Path
):
    arranged = found(example.arrange(*boxes, tmp_path / "root", train_images=3, test_images=1))
    chosen = ((1, 10), (1, 20), (3, 10))
    assert arranged["bounding_box_train"] == [name(p, c, f) for p in (2, 7) for c, f in chosen]
    assert len(arranged["query"]) == 4
    assert arranged["bounding_box_test"] == [name(p, 1, 20) for p in (1, 5)]
    again = found(example.arrange(*boxes, tmp_path / "again", train_images=3, test_images=1))
    assert again == arranged


def test_one_line_where_it_cannot(example: ModuleType, boxes: tuple[Path, Path], tmp_path: Path):
    with pytest.raises(InputError, match="no photographs named like"):
        example.arrange(tmp_path / "nowhere", boxes[1], tmp_path / "root")
    with pytest.raises(InputError, match="is not a file"):
        example.arrange(boxes[0], tmp_path / "no.mat", tmp_path / "root")
    example.arrange(*boxes, tmp_path / "root")
    with pytest.raises(InputError, match="exists already"):
        example.arrange(*boxes, tmp_path / "root")
