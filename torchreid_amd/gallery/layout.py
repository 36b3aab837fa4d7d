"""The file of a store: HDF5, all of it laid out when it is made, so that a kill damages no structure.

Every array is contiguous and has its place in the file from the beginning. Rows are written to that place
as plain bytes and read from it by memory map; HDF5 itself is asked only where the arrays lie. A row counts
once its checksum is there, which is written after it.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.file_kinds import kind_of_file
from torchreid_amd.gallery.mark import Mark

FORMAT, VERSIONS = "torchreid_amd gallery", (1, 2)  #: a store with strengths is of version 2
#: What each row has: array -> (type, dimensions beside that of the rows); a name is a string of bytes.
ARRAYS = {
    "name": ("S", 0),
    "bytes": ("<i8", 0),
    "identity": ("<i8", 0),
    "camera": ("<i8", 0),
    "split": ("|u1", 0),
    "checksum": ("<u4", 0),
    "embedding": ("<f4", 1),
    "components": ("<f2", 2),
    "maps": ("<f2", 3),
    "seen": ("<f4", 1),
    "strengths": ("<f4", 1),
}
OPTIONAL = ("components", "maps", "seen", "strengths")
DIRECTIONS = "directions"  #: (M, D), what strengths are multiplied by; HDF5 itself holds and checks it
FEATURES = ("embedding", *OPTIONAL)  #: what the model makes, in the order of the checksum


@dataclass(frozen=True)
class Place:
    """Where an array lies in a file: the first byte, its type and its shape (N, …)."""

    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize

    def mapped(self, file: Path) -> NDArray[Any]:
        """The array as it lies in the file, read only; nothing is loaded before it is touched."""
        if not self.shape[0] or not self.row_bytes:
            return np.zeros(self.shape, self.dtype)
        return np.memmap(file, self.dtype, "r", self.offset, self.shape)


def lay_out(
    path: Path,
    mark: Mark,
    root: str,
    shapes: Mapping[str, tuple[int, ...]],
    longest: int,
    directions: NDArray[np.float32] | None = None,
) -> None:
    """Make a store of N rows with nothing in them.

    Args:
        path: the file; what stands there is replaced.
        mark: whose features it will hold.
        root: the folder that names start from.
        shapes: of each array (N, …).
        longest: bytes of the longest name.
        directions: (M, D), beside strengths.

    Raises:
        InputError: the disk is too small for it, or cannot be written to.
    """
    types = {name: np.dtype(f"S{max(1, longest)}" if name == "name" else ARRAYS[name][0]) for name in shapes}
    wanted = sum(int(np.prod(s, dtype=np.int64)) * types[name].itemsize for name, s in shapes.items())
    free = shutil.disk_usage(path.parent).free
    if wanted > free:
        raise InputError(
            f"the store takes {in_bytes(wanted)} and {str(path.parent)!r} has {in_bytes(free)} left; "
            "leave out components (--no-components) or choose another folder"
        )
    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    early.set_layout(h5py.h5d.CONTIGUOUS)
    early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    early.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    try:
        with h5py.File(path, "w") as file:
            file.attrs["format"], file.attrs["version"] = FORMAT, VERSIONS["strengths" in shapes]
            file.attrs["mark"], file.attrs["root"] = mark.to_json(), os.fsencode(root)
            for name, shape in shapes.items():
                space = h5py.h5s.create_simple(shape)
                h5py.h5d.create(file.id, name.encode(), h5py.h5t.py_create(types[name]), space, dcpl=early)
            if directions is not None:
                file.create_dataset(DIRECTIONS, data=directions, chunks=directions.shape, fletcher32=True)
    except (OSError, RuntimeError) as error:  # a disk that fills up is either
        raise InputError(
            f"cannot write a store of {in_bytes(wanted)} to {str(path.parent)!r} "
            f"({os.strerror(errno.ENOSPC) if 'No space' in str(error) else type(error).__name__}); free some "
            "space or choose another folder"
        ) from None


def read_layout(path: Path) -> tuple[Mark, str, dict[str, Place]]:
    """What a store says of itself: its mark, the folder that names start from, and where its arrays lie.

    Raises:
        InputError: the file is missing, cut short, damaged or no store.
    """
    shown = repr(str(path))
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"the store {shown} {what}; give a file that torchreid-amd extract wrote")
    try:
        with path.open("rb") as opened:
            start = opened.read(8)
    except OSError as error:
        raise InputError(f"cannot read the store {shown}: {error.strerror}; check its permissions") from None
    if start != b"\x89HDF\r\n\x1a\n":
        kind = kind_of_file(path)
        said = "is an empty file" if not start else f"is {kind[0]}" if kind else "is no HDF5 file"
        raise InputError(f"{shown} {said}, not a store; give a file that torchreid-amd extract wrote")
    try:
        with h5py.File(path, "r", locking=False) as file:
            if file.attrs.get("format") != FORMAT:
                raise InputError(f"{shown} is an HDF5 file of something else, not a store of features")
            if file.attrs["version"] not in VERSIONS:
                raise InputError(
                    f"the store {shown} has version {file.attrs['version']}, this program reads "
                    f"{' and '.join(map(str, VERSIONS))}; update torchreid_amd"
                )
            mark, root = Mark.from_json(file.attrs["mark"]), os.fsdecode(file.attrs["root"])
            places = {name: _place(file[name]) for name in ARRAYS if name in file or name not in OPTIONAL}
        _check(places, path.stat().st_size)
    except InputError:
        raise
    except Exception as error:  # a damaged file can fail anywhere in HDF5
        said = f"damaged ({' '.join(str(error).split())[:100]})"
        said = "cut short" if "truncated" in said else said
        raise InputError(f"the store {shown} is {said}; extract it again") from None
    return mark, root, places


def read_directions(path: Path) -> NDArray[np.float32]:
    """What the strengths of a store are multiplied by (M, D).

    Raises:
        InputError: they are damaged.
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            found: NDArray[np.float32] = file[DIRECTIONS][()]
    except Exception as error:  # a damaged file can fail anywhere in HDF5
        said = " ".join(str(error).split())[:100]
        raise InputError(
            f"the directions of the store {str(path)!r} are damaged ({said}); extract it again"
        ) from None
    return found


def _place(data: h5py.Dataset) -> Place:
    offset = data.id.get_offset()
    if offset is None and data.size:
        raise ValueError(f"{data.name} has no place in the file")
    return Place(int(offset or 0), data.dtype, tuple(int(n) for n in data.shape))


def _check(places: Mapping[str, Place], size: int) -> None:
    """That arrays have the right types and as many rows each, and lie within the file, none on another."""
    rows = places["checksum"].shape[:1]
    taken = []
    for name, place in places.items():
        kind, beside = ARRAYS[name]
        if place.shape[:1] != rows or len(place.shape) != 1 + beside:
            raise ValueError(f"{name} has shape {place.shape}")
        if place.dtype.kind != "S" if kind == "S" else place.dtype != np.dtype(kind):
            raise ValueError(f"{name} is of type {place.dtype}")
        taken.append((place.offset, place.offset + place.shape[0] * place.row_bytes, name))
    taken.sort()
    for (_, end, name), (start, _, _) in zip(taken, [*taken[1:], (size, size, "")], strict=True):
        if end > start:
            raise ValueError(f"{name} does not fit where it lies")


def in_bytes(count: float) -> str:
    """Bytes in words: ``'1.5 GB'``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
