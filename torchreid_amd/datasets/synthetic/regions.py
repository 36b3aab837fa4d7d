"""Where each attribute really shows: written beside the images, read by image path.

The region of an attribute in an image is the set of visible pixels that show its value:

* ``backpack``, ``bag``, ``handbag``, ``hat``: the thing with its straps. Empty where it is not
  carried, or hidden in this view.
* a colour: the visible garment where the colour is worn, empty where it is not.
* ``up``: both arms from shoulder to wrist, sleeved or bare. ``down``: both legs below the knee with
  what covers them, without shoes. ``clothes``: trousers, shorts, skirt or the lower part of a dress.
* ``hair``: hair, short or long. ``gender``: the whole visible person with all that is carried.

What hides the person (a pole, a bicycle, somebody else) belongs to no region.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from torchreid_amd.core.errors import InputError

Mask = npt.NDArray[np.bool_]
FILE = "regions.h5"
_LEVEL = 5


def pack(regions: Mask) -> bytes:
    """One image's regions ``(M, h, w)`` as the chunk that HDF5 stores."""
    bits = np.packbits(regions.reshape(len(regions), -1), axis=1)
    return zlib.compress(bits.tobytes(), _LEVEL)


def write_regions(
    file: h5py.File,
    names: Sequence[str],
    chunks: Sequence[bytes],
    attributes: Sequence[str],
    size: tuple[int, int],
) -> None:
    """Write packed regions of all images.

    Args:
        file: an open HDF5 file.
        names: N file names without folder.
        chunks: N results of :func:`pack`.
        attributes: M names.
        size: height and width of the images.
    """
    row = (size[0] * size[1] + 7) // 8
    file.attrs["attributes"] = list(attributes)
    file.attrs["size"] = size
    file.create_dataset("names", data=np.array(names, dtype="S"))
    data = file.create_dataset(
        "regions", (len(names), len(attributes), row), np.uint8, chunks=(1, len(attributes), row),
        compression="gzip", compression_opts=_LEVEL,
    )  # fmt: skip
    for k, chunk in enumerate(chunks):
        data.id.write_direct_chunk((k, 0, 0), chunk)


def regions(image_path: str | os.PathLike[str]) -> Mask:
    """Where each attribute shows in a rendered image.

    Args:
        image_path: an image of ``synthetic_attr`` in its folder.

    Returns:
        ``(M, h, w)`` in the order of the schema, at image resolution; see the module's text for what
        the region of each attribute is.

    Raises:
        InputError: the path is not an image of a rendered data set.
    """
    path = Path(image_path).absolute()
    source = path.parents[2] / FILE if len(path.parents) > 2 else path / FILE
    if not source.is_file():
        raise InputError(
            f"no true regions for {str(path)!r}: {str(source)!r} is missing; give an image in the folders of "
            "a rendered synthetic_attr"
        )
    try:
        row = _rows(str(source), source.stat().st_mtime_ns).get(path.name)
        if row is None:
            raise InputError(
                f"{path.name!r} is not an image of {str(source)!r}; give one that was rendered with it"
            )
        with h5py.File(source, "r") as file:
            packed = file["regions"][row]
            height, width = (int(k) for k in file.attrs["size"])
    except (OSError, KeyError) as error:
        raise InputError(f"{str(source)!r} is damaged ({error}); render the data set again") from None
    bits = np.unpackbits(packed, axis=1, count=height * width)
    return bits.reshape(len(packed), height, width).astype(bool)


@lru_cache(maxsize=8)
def _rows(source: str, modified: int) -> dict[str, int]:
    with h5py.File(source, "r") as file:
        return {name.decode(): k for k, name in enumerate(file["names"][:])}
