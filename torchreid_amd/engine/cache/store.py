"""The file of a cached training: HDF5, a chunk for each view of each photograph.

All space is taken when the file is made, so writing changes nothing but values: a file whose writer
was killed can be gone on with.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from torch import Tensor
from torch.utils import _pytree as tree

from torchreid_amd.core.errors import InputError
from torchreid_amd.engine.cache.kept import from_file, is_last, kind_of, to_file

FORMAT = "torchreid_amd frozen features 1"
PART = ".part"  #: behind the name of a file that is not whole yet

Made = dict[str, Any]  #: what a file was made of, by name; compared one by one


class Store:
    """What a frozen target makes of k views of N photographs.

    Args:
        path: of a file that :meth:`create` made.
        example: parts of some images, for the form of what is read: part -> tensor or nested tuples.
        writing: open it for writing.

    Raises:
        InputError: it cannot be opened, or another process is writing to it.
    """

    def __init__(self, path: Path, example: Mapping[str, Any], writing: bool = False) -> None:
        try:
            self.file = h5py.File(path, "r+" if writing else "r")
        except OSError as error:
            raise InputError(
                f"cache {str(path)!r} cannot be opened ({' '.join(str(error).split())[:120]}); if another "
                "training is making it, wait for that, or give another amd.cache_file"
            ) from None
        leaves, self._form = tree.tree_flatten(dict(example))
        self._arrays = [self.file[f"values/{n}"] for n in range(len(leaves))]
        self._last = [bool(array.attrs.get("channels_last")) for array in self._arrays]

    @staticmethod
    def create(
        path: Path, files: list[str], views: int, example: Mapping[str, Any], precision: str, made: Made
    ) -> None:
        """An empty file, with all the space that it will need.

        Args:
            path: where.
            files: of the N photographs, see :func:`listed`.
            views: k.
            example: parts of some images.
            precision: ``'fp16'`` or ``'fp32'``.
            made: what it is made of.
        """
        photographs = len(files)
        with h5py.File(path, "w") as file:
            file.attrs["format"] = FORMAT
            file.attrs["made"] = json.dumps(made)
            file.create_dataset("files", data=[f.encode("utf-8", "surrogateescape") for f in files])
            _room(file, "done", (photographs,), np.dtype(np.uint8), (min(photographs, 2**16),), zeros=True)
            for n, leaf in enumerate(tree.tree_leaves(dict(example))):
                last = is_last(leaf)
                shape = tuple((leaf.permute(0, 2, 3, 1) if last else leaf).shape[1:])
                whole = (photographs, views, *shape)
                _room(file, f"values/{n}", whole, kind_of(leaf, precision), (1, 1, *shape))
                file[f"values/{n}"].attrs["channels_last"] = last

    @property
    def missing(self) -> list[int]:
        """Photographs whose views are not there yet."""
        return [int(i) for i in np.flatnonzero(self.file["done"][:] == 0)]

    def write(self, photographs: Sequence[int], parts: Mapping[str, Any]) -> None:
        """All views of some photographs.

        Args:
            photographs: their numbers.
            parts: of the photographs' views, photograph by photograph.

        Raises:
            InputError: a value is not finite, or too large for half precision; or the disk is full.
        """
        leaves = tree.tree_leaves(dict(parts))
        try:
            for array, last, leaf in zip(self._arrays, self._last, leaves, strict=True):
                kept = to_file(leaf, array.dtype, last).reshape(len(photographs), *array.shape[1:])
                for photograph, value in zip(photographs, kept, strict=True):
                    array[photograph] = value
            self.file.flush()
            for photograph in photographs:
                self.file["done"][photograph] = 1
            self.file.flush()
        except OSError as error:
            raise InputError(f"cannot write {self.file.filename!r}: {error}; free some space") from None

    def read(self, at: Sequence[tuple[int, int]]) -> dict[str, Any]:
        """Parts of B views, in the precision of :func:`~torchreid_amd.engine.cache.kept.from_file`.

        Args:
            at: photograph and view, B times.
        """
        leaves: list[Tensor] = []
        for array, last in zip(self._arrays, self._last, strict=True):
            values = np.empty((len(at), *array.shape[2:]), array.dtype)
            behind = (0,) * (values.ndim - 1)
            for bits, (photograph, view) in zip(values.reshape(len(at), -1).view(np.uint8), at, strict=True):
                array.id.read_direct_chunk((photograph, view, *behind), out=bits)
            leaves.append(from_file(values, last))
        found: dict[str, Any] = tree.tree_unflatten(leaves, self._form)
        return found

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def made_of(path: Path) -> Made | None:
    """What a file was made of; None where there is no file.

    Raises:
        InputError: it is another file, which must not be overwritten, or damaged.
    """
    if not path.exists():
        return None
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") == FORMAT:
                found: Made = json.loads(file.attrs["made"])
                return found
        said = "holds something else"
    except (OSError, KeyError, ValueError) as error:
        said = f"cannot be read ({' '.join(str(error).split())[:100]})"
    raise InputError(
        f"{str(path)!r} {said}; expected a cache of frozen features: delete it or give another amd.cache_file"
    )


def listed(paths: Sequence[str]) -> list[str]:
    """Files as a cache remembers them: size, time of the last change, path."""
    about = ((Path(path).stat(), path) for path in paths)
    return [f"{stat.st_size} {stat.st_mtime_ns} {path}" for stat, path in about]


def unchanged(path: Path, paths: Sequence[str]) -> set[str]:
    """Those of some photographs that a whole cache was made of, and that have not changed since."""
    if made_of(path) is None:
        return set()
    with h5py.File(path, "r") as file:
        known = {bytes(line).decode("utf-8", "surrogateescape") for line in file["files"][:]}
    there = [p for p in paths if Path(p).is_file()]
    return {p for p, line in zip(there, listed(there), strict=True) if line in known}


def size_of(photographs: int, views: int, example: Mapping[str, Any], precision: str) -> int:
    """Bytes of the values in a file."""
    leaves = tree.tree_leaves(dict(example))
    each = sum(leaf[0].numel() * int(kind_of(leaf, precision).itemsize) for leaf in leaves)
    return photographs * views * each


def check_space(path: Path, needed: int) -> None:
    """That a disk has room for a file; what lies at the path is counted as free.

    Raises:
        InputError: it has not.
    """
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free + (path.stat().st_size if path.exists() else 0)
    if needed > free:
        raise InputError(
            f"amd.cache needs {needed / 1e9:.1f} GB at {str(path.parent)!r}, where {free / 1e9:.1f} GB are "
            "free; set amd.cache_file to another disk, fewer amd.cache_views, or amd.cache off"
        )


def _room(
    file: Any, name: str, shape: tuple[int, ...], dtype: Any, chunk: tuple[int, ...], zeros: bool = False
) -> None:
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk(chunk)
    plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plan.set_fill_time(h5py.h5d.FILL_TIME_ALLOC if zeros else h5py.h5d.FILL_TIME_NEVER)
    links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    links.set_create_intermediate_group(True)
    h5py.h5d.create(
        file.id, name.encode(), h5py.h5t.py_create(dtype), h5py.h5s.create_simple(shape), plan, links
    )


def finish(path: Path) -> None:
    """Give a whole file its name."""
    os.replace(path.with_name(path.name + PART), path)
