"""Files given as photographs."""

from __future__ import annotations

import functools
import io
import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from torchreid_amd import Explainer
from torchreid_amd.core.images import read_image

from . import World, case

Works = tuple[list[str], Callable[[], None]]
explainer_of = functools.cache(Explainer.from_pretrained)


def pixels(world: World) -> np.ndarray:
    return np.asarray(Image.open(world.b))


def explained(world: World, file: Path, expected: np.ndarray | None = None) -> Works:
    """Explain it against the first photograph: distance as that of the plain pixels, read by another way."""
    plain = file.parent / "plain.png"
    Image.fromarray(pixels(world) if expected is None else expected).save(plain)

    def check() -> None:
        if expected is not None:
            assert np.array_equal(np.asarray(read_image(file)), expected)
        told = json.loads((file.parent / "out.json").read_text(encoding="utf-8"))
        own = explainer_of(world.run).explain(world.a, str(plain)).distance
        assert abs(told["distance"] - own) <= 1e-6 * own

    return ["explain", str(world.run), world.a, str(file), "--json", str(file.parent / "out.json")], check


def refused(world: World, folder: Path, name: str, data: bytes) -> list[str]:
    (folder / name).write_bytes(data)
    out = [*("--json", str(folder / "o.json")), *("--html", str(folder / "o.html"))]
    return ["explain", str(world.run), world.a, str(folder / name), *out, "--figure", str(folder / "o.png")]


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    data = io.BytesIO()
    image.save(data, form, **options)
    return data.getvalue()


@case()
def png(world: World, folder: Path) -> Works:
    Image.fromarray(pixels(world)).save(folder / "x.png")
    return explained(world, folder / "x.png", pixels(world))


@case()
def a_png_called_jpg(world: World, folder: Path) -> Works:
    (folder / "x.jpg").write_bytes(saved(Image.fromarray(pixels(world)), "PNG"))
    return explained(world, folder / "x.jpg", pixels(world))


@case()
def transparency_is_dropped(world: World, folder: Path) -> Works:
    rgba = np.dstack([pixels(world), np.full(pixels(world).shape[:2], 9, np.uint8)])
    Image.fromarray(rgba).save(folder / "x.png")
    return explained(world, folder / "x.png", pixels(world))


@case()
def sixteen_bit_grey(world: World, folder: Path) -> Works:
    grey = pixels(world)[:, :, 0]
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "x.png")  # 65535 / 255 = 257
    return explained(world, folder / "x.png", np.repeat(grey[:, :, None], 3, axis=2))


@case()
def float_tiff_from_0_to_1(world: World, folder: Path) -> Works:
    grey = pixels(world)[:, :, 0]
    Image.fromarray((grey / 255).astype(np.float32)).save(folder / "x.tiff")
    return explained(world, folder / "x.tiff", np.repeat(grey[:, :, None], 3, axis=2))


@case()
def two_colours(world: World, folder: Path) -> Works:
    bits = pixels(world)[:, :, 0] > 100
    Image.fromarray(bits).save(folder / "x.png")
    return explained(world, folder / "x.png", np.repeat(bits[:, :, None].astype(np.uint8) * 255, 3, axis=2))


@case()
def a_palette(world: World, folder: Path) -> Works:
    colours = Image.fromarray(pixels(world)).quantize(200)
    colours.save(folder / "x.gif")
    return explained(world, folder / "x.gif", np.asarray(colours.convert("RGB")))


@case()
def one_pixel(world: World, folder: Path) -> Works:
    pixel = np.array([[[9, 80, 200]]], np.uint8)
    Image.fromarray(pixel).save(folder / "x.png")
    return explained(world, folder / "x.png", pixel)


@case()
def the_very_same_pixels(world: World, folder: Path) -> Works:
    shutil.copy(world.a, folder / "x.jpg")

    def check() -> None:
        assert json.loads((folder / "o.json").read_text(encoding="utf-8"))["distance"] == 0

    return [
        "explain",
        str(world.run),
        world.a,
        str(folder / "x.jpg"),
        "--json",
        str(folder / "o.json"),
    ], check


def named(world: World, folder: Path, name: str) -> Works:
    file = os.fsencode(folder) + b"/" + name.encode("utf-8", "surrogateescape")
    shutil.copy(world.b, file)
    given = os.fsdecode(file)
    out = [folder / "o.json", folder / "o.html", folder / "o.png"]

    def check() -> None:
        told = json.loads(out[0].read_text(encoding="utf-8"))
        assert abs(told["distance"] - world.distance) <= 1e-6 * world.distance
        assert given in json.dumps(told, ensure_ascii=False)
        assert Image.open(out[2]).width > 100 and out[1].stat().st_size > 1000

    options = ["--json", str(out[0]), "--html", str(out[1]), "--figure", str(out[2])]
    return ["explain", str(world.run), world.a, given, *options], check


@case()
def a_name_that_is_not_utf_8(world: World, folder: Path) -> Works:
    return named(world, folder, "caf\udce9.jpg")


@case()
def a_name_in_chinese(world: World, folder: Path) -> Works:
    return named(world, folder, "行人 一.jpg")


@case()
def a_name_with_markup(world: World, folder: Path) -> Works:
    return named(world, folder, "a'$x_1$ & <b>.jpg")


@case(says="is cut short or damaged")
def half_a_jpeg(world: World, folder: Path) -> list[str]:
    data = Path(world.b).read_bytes()
    return refused(world, folder, "x.jpg", data[: len(data) // 2])


@case(says="is empty .0 bytes.")
def nothing(world: World, folder: Path) -> list[str]:
    return refused(world, folder, "x.jpg", b"")


@case(says="float32 with values .*floats 0…1")
def float_tiff_from_0_to_255(world: World, folder: Path) -> list[str]:
    grey = pixels(world)[:, :, 0].astype(np.float32)
    return refused(world, folder, "x.tiff", saved(Image.fromarray(grey), "TIFF"))


@case(says="TIFF of a kind that cannot be read")
def a_tiff_of_nobody(world: World, folder: Path) -> list[str]:
    return refused(world, folder, "x.tiff", b"II*\0" + bytes(60))


@case(says="is too large .*make it smaller")
def far_too_large(world: World, folder: Path) -> list[str]:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 20000, 20000, 8, 0, 0, 0, 0))
    return refused(
        world, folder, "x.png", b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )


@case(says="is a web page")
def a_web_page(world: World, folder: Path) -> list[str]:
    return refused(world, folder, "x.jpg", b"<!DOCTYPE html><html>quota exceeded</html>")


@case(says="Git LFS pointer.*git lfs pull")
def a_pointer(world: World, folder: Path) -> list[str]:
    return refused(
        world, folder, "x.jpg", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    )


@case(says="HEIC photograph; save it as JPEG")
def a_telephones_photograph(world: World, folder: Path) -> list[str]:
    return refused(world, folder, "x.jpg", b"\0\0\0\x18ftypheic" + bytes(100))


@case(says="is a PDF document")
def a_document(world: World, folder: Path) -> list[str]:
    return refused(world, folder, "x.png", b"%PDF-1.7\n")


@case(says="holds text")
def a_text(world: World, folder: Path) -> list[str]:
    return refused(world, folder, "x.png", b"no picture\n")


@case(says="is a folder")
def a_folder(world: World, folder: Path) -> list[str]:
    (folder / "x").mkdir()
    return ["explain", str(world.run), world.a, str(folder / "x")]


@case(says="does not exist")
def nobody(world: World, folder: Path) -> list[str]:
    return ["explain", str(world.run), world.a, str(folder / "caf\udce9.jpg")]


@case(says="no image file in the folder")
def a_gallery_without_photographs(world: World, folder: Path) -> list[str]:
    (folder / "gallery").mkdir()
    return ["rank", str(world.run), world.a, str(folder / "gallery")]


@case(says="topk is 0")
def the_nearest_none(world: World, folder: Path) -> list[str]:
    return ["rank", str(world.run), world.a, world.b, "--topk", "0"]


@case(says="its ending names no known format")
def a_figure_of_no_format(world: World, folder: Path) -> list[str]:
    return ["explain", str(world.run), world.a, world.b, "--figure", str(folder / "x.doc")]
