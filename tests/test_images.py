"""Photographs in every form they come in, good and bad."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from toy_interpreter import noisy, plain, toy_explainer

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.images import image_name, list_images, read_image


def _pixel(image: Image.Image) -> tuple[int, ...]:
    assert image.mode == "RGB"
    return tuple(int(v) for v in np.asarray(image)[0, 0])


def test_a_path_reads_as_torchreid_reads_it(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "a.bmp", "a.webp"):
        noisy(3).save(tmp_path / name)
        ours, theirs = read_image(tmp_path / name), Image.open(tmp_path / name).convert("RGB")
        assert np.array_equal(np.asarray(ours), np.asarray(theirs)), name
        assert np.array_equal(np.asarray(read_image(str(tmp_path / name))), np.asarray(ours))


@pytest.mark.parametrize(
    ("array", "seen"),
    [
        (np.full((2, 3, 3), (10, 20, 30), np.uint8), (10, 20, 30)),
        (np.full((2, 3, 4), (10, 20, 30, 0), np.uint8), (10, 20, 30)),  # transparency dropped
        (np.full((2, 3), 77, np.uint8), (77, 77, 77)),
        (np.full((2, 3, 1), 77, np.uint8), (77, 77, 77)),
        (np.full((2, 3), 32896, np.uint16), (128, 128, 128)),  # 32896 / 257 = 128
        (np.full((2, 3, 3), 65535, np.uint16), (255, 255, 255)),
        (np.full((2, 3, 3), (0.0, 0.5, 1.0), np.float32), (0, 128, 255)),
        (np.full((2, 3), 0.2), (51, 51, 51)),
        (np.ones((2, 3), bool), (255, 255, 255)),
        (np.full((6, 4, 3), 9, np.uint8)[::2, ::-1], (9, 9, 9)),  # not contiguous
    ],
)
def test_arrays(array: Any, seen: tuple[int, ...]) -> None:
    image = read_image(array)
    assert _pixel(image) == seen and image.size == (array.shape[1], array.shape[0])


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((3, 8, 5), np.uint8), r"shape \(3, 8, 5\)"),
        (np.zeros((4,), np.uint8), r"shape \(4,\)"),
        (np.zeros((0, 4, 3), np.uint8), r"shape \(0, 4, 3\)"),
        (np.full((2, 2), 1.5), "float64 with values 1.5…1.5"),
        (np.full((2, 2), np.nan), "float64 with values nan"),
        (np.full((2, 2), -1, np.int32), "int32 with values -1"),
        (np.zeros((2, 2), np.int64), "int64; expected"),
        (np.zeros((2, 2), complex), "complex128"),
    ],
)
def test_arrays_that_are_no_photograph(array: Any, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read_image(array)
    assert "\n" not in str(caught.value) and "(H, W, 3)" in str(caught.value)


def test_grey_rgba_palette_and_one_pixel_files_work(tmp_path: Path) -> None:
    Image.new("L", (5, 9), 80).save(tmp_path / "grey.png")
    Image.new("RGBA", (5, 9), (10, 20, 30, 0)).save(tmp_path / "rgba.png")
    Image.new("LA", (5, 9), (80, 128)).save(tmp_path / "la.png")
    Image.new("RGB", (5, 9), (1, 200, 3)).convert("P").save(tmp_path / "palette.png")
    Image.new("CMYK", (5, 9), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg")
    Image.new("1", (5, 9), 1).save(tmp_path / "bilevel.png")
    plain(1, 2, 3, size=(1, 1)).save(tmp_path / "one.png")
    assert _pixel(read_image(tmp_path / "grey.png")) == (80, 80, 80)
    assert _pixel(read_image(tmp_path / "rgba.png")) == (10, 20, 30)
    assert _pixel(read_image(tmp_path / "la.png")) == (80, 80, 80)
    assert _pixel(read_image(tmp_path / "bilevel.png")) == (255, 255, 255)
    assert _pixel(read_image(tmp_path / "one.png")) == (1, 2, 3)
    for path in sorted(tmp_path.iterdir()):
        e = toy_explainer().explain(path, plain(255))
        assert np.isfinite(e.distance) and e.maps[0].shape[1:] == (e.images[0].height, e.images[0].width)


def test_16_bit_is_scaled_and_not_clipped(tmp_path: Path) -> None:
    ramp = np.array([[0, 257, 32896, 65535]], np.uint16)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    assert np.asarray(read_image(tmp_path / "deep.png"))[0, :, 1].tolist() == [0, 1, 128, 255]
    wide = Image.fromarray(ramp.astype(np.int32))  # how older Pillow opens the same file
    assert wide.mode == "I" and np.asarray(read_image(wide))[0, :, 0].tolist() == [0, 1, 128, 255]
    half = Image.fromarray(np.full((2, 2), 0.5, np.float32))
    assert half.mode == "F" and _pixel(read_image(half)) == (128, 128, 128)


def _truncated(kind: str, keep: float) -> bytes:
    data = io.BytesIO()
    noisy(1, (64, 128)).save(data, kind)
    return data.getvalue()[: int(len(data.getvalue()) * keep)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"hello, this is no image\n", "holds text"),
        ("schön, aber kein Bild ".encode() * 40, "holds text"),
        (bytes(range(256)) * 3, "768 bytes in no image format"),
        (_truncated("JPEG", 0.5), "cut short or damaged"),
        (_truncated("PNG", 0.5), "cut short or damaged"),
        (_truncated("PNG", 0.0005), "cut short or damaged"),
        (_truncated("JPEG", 0.01), "cut short or damaged"),
        (_truncated("BMP", 0.5), "cut short or damaged"),
    ],
)
def test_bad_files_give_one_line_that_names_the_file(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        toy_explainer().explain(plain(1), path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(InputError, match=said):
        toy_explainer().explain_ranking(plain(1), [plain(2), str(path)])


def test_no_such_file_a_folder_and_other_things(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist; check the path"):
        read_image(tmp_path / "nowhere.jpg")
    with pytest.raises(InputError, match="is a folder; give one image file"):
        read_image(str(tmp_path))
    with pytest.raises(InputError, match="type NoneType cannot be read"):
        read_image(None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="is not a path"):
        read_image("a\0b")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="everything is readable to root")
def test_a_file_without_permission(tmp_path: Path) -> None:
    plain(1).save(tmp_path / "mine.png")
    (tmp_path / "mine.png").chmod(0)
    with pytest.raises(InputError, match="cannot be read"):
        read_image(tmp_path / "mine.png")


def test_listing_a_folder(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.PNG", "notes.txt", "Thumbs.db"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "sub.jpg").mkdir()
    assert [Path(p).name for p in list_images(tmp_path)] == ["a.PNG", "b.jpg"]
    with pytest.raises(InputError, match="no image file in the folder"):
        list_images(tmp_path / "sub.jpg")
    with pytest.raises(InputError, match="is not a folder"):
        list_images(tmp_path / "b.jpg")


def test_a_gallery_can_be_a_folder(tmp_path: Path) -> None:
    for n in range(3):
        plain(20 * n).save(tmp_path / f"{n}.png")
    r = toy_explainer().explain_ranking(plain(38), tmp_path)
    assert [Path(n).name for n in r.gallery_names] == ["0.png", "1.png", "2.png"] and r.order == (2, 1, 0)


def test_names() -> None:
    assert image_name("x/a.jpg") == "x/a.jpg" and image_name(Path("b.png")) == "b.png"
    assert image_name(plain(1)) == "" and image_name(np.zeros((1, 1), np.uint8)) == ""
