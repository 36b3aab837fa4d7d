"""Reading one photograph, whatever it comes as, and making the tensor torchreid would make of it.

A photograph is a path, a PIL image or a NumPy array. It becomes 8-bit RGB as torchreid's own
reader makes it, except that 16-bit grey is scaled to 8 bits (plain Pillow clips it to white).
Transparency is dropped, as torchreid drops it, and an orientation tag is not followed.
"""

from __future__ import annotations

import codecs
import io
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.file_kinds import kind_of_file

IMAGENET_MEAN = (0.485, 0.456, 0.406)  #: of the channels, in [0, 1]; torchreid normalises by it
IMAGENET_STD = (0.229, 0.224, 0.225)  #: their standard deviations

ImageLike: TypeAlias = "str | os.PathLike[str] | Image.Image | NDArray[np.generic]"

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
_MAGIC = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"RIFF", b"BM")  # how common image files begin
_ARRAY_HELP = "expected (H, W) grey or (H, W, 3) RGB of uint8 0…255, uint16 0…65535 or floats 0…1"


def read_image(source: ImageLike) -> Image.Image:
    """An 8-bit RGB image of a path, a PIL image or an array.

    Args:
        source: a file; a PIL image of any mode; or an array (H, W), (H, W, 1), (H, W, 3) or
            (H, W, 4) of bool, uint8, uint16 or floats in [0, 1]. A fourth channel is transparency
            and is dropped.

    Raises:
        InputError: the file is missing, a folder, empty, cut short or no image; or the array has
            another shape, type or range.
    """
    if isinstance(source, Image.Image):
        return _to_rgb(source, "the image given")
    if isinstance(source, np.ndarray):
        return _from_array(source, "the array given")
    if isinstance(source, str | os.PathLike):
        return _from_file(Path(source))
    raise InputError(
        f"a photograph of type {type(source).__name__} cannot be read; "
        "give a path, a PIL image or a NumPy array (H, W, 3)"
    )


def image_name(source: ImageLike) -> str:
    """The path of a file, and what an image or array is otherwise known by ("" where nothing is)."""
    if isinstance(source, str | os.PathLike):
        return str(source)
    return str(getattr(source, "filename", "") or "")


def list_images(folder: str | os.PathLike[str]) -> list[str]:
    """Paths of the image files directly inside a folder, sorted by name.

    Raises:
        InputError: no such folder, or no image file in it.
    """
    if not Path(folder).is_dir():
        raise InputError(f"{str(folder)!r} is not a folder; give a folder that holds image files")
    found = sorted(p for p in Path(folder).iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
    if not found:
        raise InputError(
            f"no image file in the folder {str(folder)!r}; expected files ending in "
            f"{', '.join(IMAGE_SUFFIXES)} directly inside it"
        )
    return [str(p) for p in found]


def to_tensor(image: Image.Image, size: Sequence[int], mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """torchreid's test transform: resize (bilinear), scale to [0, 1], normalise.

    Args:
        image: an RGB image.
        size: (H, W) in pixels.
        mean: three channel means in [0, 1].
        std: three channel standard deviations.

    Returns:
        (3, H, W), float32.
    """
    return pixels_to_tensor(to_pixels(image, size)[None], mean, std)[0]


def to_pixels(image: Image.Image, size: Sequence[int]) -> NDArray[np.uint8]:
    """The first step of :func:`to_tensor`: an RGB image resized (bilinear) to (H, W), as (H, W, 3)."""
    height, width = size
    return np.array(image.resize((width, height), Image.Resampling.BILINEAR), dtype=np.uint8)


def pixels_to_tensor(pixels: NDArray[np.uint8], mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """The other steps of :func:`to_tensor`: (B, H, W, 3) RGB -> (B, 3, H, W) in [0, 1], normalised."""
    channels = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().float().div_(255)
    return channels.sub_(torch.tensor(mean).view(3, 1, 1)).div_(torch.tensor(std).view(3, 1, 1))


def _from_file(path: Path) -> Image.Image:
    name = f"the image {str(path)!r}"
    if path.is_dir():
        raise InputError(f"{name} is a folder; give one image file")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{name} does not exist; check the path") from None
    except OSError as error:
        raise InputError(
            f"{name} cannot be read ({error.strerror or error}); check its permissions"
        ) from None
    except ValueError:  # a NUL inside the name
        raise InputError(f"{name} is not a path; give one image file") from None
    if not data:
        raise InputError(f"{name} is empty (0 bytes); replace it with a whole image file")
    try:
        image = Image.open(io.BytesIO(data))
    except UnidentifiedImageError:
        if data.startswith(_MAGIC):
            raise _broken(name, ValueError("its header is incomplete")) from None
        raise _no_image(path, name, data) from None
    except Image.DecompressionBombError as error:
        raise InputError(f"{name} is too large ({error}); make it smaller, people need no more") from None
    except _BROKEN as error:
        raise _broken(name, error) from None
    try:
        image.load()
    except _BROKEN as error:
        raise _broken(name, error) from None
    return _to_rgb(image, name)


def _no_image(path: Path, name: str, data: bytes) -> InputError:
    kind = kind_of_file(path)
    if kind is not None:
        return InputError(f"{name} is {kind[0]}; expected a JPEG, PNG or other image file, {kind[1]}")
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1"):
        return InputError(f"{name} is a HEIC photograph; save it as JPEG or PNG")
    if data.startswith((b"II*\0", b"MM\0*")):
        return InputError(
            f"{name} is a TIFF of a kind that cannot be read, such as colours in floating point; save it as "
            "8-bit PNG, or give the array (H, W, 3) of floats 0…1 in Python"
        )
    what = "text" if _is_text(data) else f"{len(data)} bytes in no image format"
    return InputError(f"{name} holds {what}; expected a JPEG, PNG or other image file")


def _broken(name: str, error: BaseException) -> InputError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"{name} is cut short or damaged ({reason}); replace it with a whole image file")


def _is_text(data: bytes) -> bool:
    try:
        start = codecs.getincrementaldecoder("utf-8")().decode(data[:512])
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c in "\r\n\t\f" for c in start)


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    if not image.width or not image.height:
        raise InputError(f"{name} has no pixels ({image.width}×{image.height}); give at least 1×1")
    try:
        if image.mode.startswith("I") or image.mode == "F":
            return _from_array(np.asarray(image), name)
        return image.convert("RGB")
    except InputError:
        raise
    except _BROKEN as error:
        raise _broken(name, error) from None


def _from_array(array: NDArray[np.generic], name: str) -> Image.Image:
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or not array.size:
        raise InputError(f"{name} has shape {array.shape}; {_ARRAY_HELP}")
    pixels = _to_bytes(array[:, :, :3], name)
    return Image.fromarray(
        np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else np.ascontiguousarray(pixels)
    )


def _to_bytes(array: NDArray[np.generic], name: str) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array.astype(np.uint8)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    kind, top = array.dtype.kind, 0.0
    if array.dtype in (np.uint16, np.int32):  # Pillow holds 16-bit grey as either
        top = 65535.0
    elif kind == "f":
        top = 1.0
    values = array.astype(np.float64) if top else np.zeros(1)
    if not top or not np.isfinite(values).all() or values.min() < 0 or values.max() > top:
        span = f" with values {values.min():g}…{values.max():g}" if top else ""
        raise InputError(f"{name} is {array.dtype}{span}; {_ARRAY_HELP}")
    return np.round(values * (255.0 / top)).astype(np.uint8)
