"""A file of stored features, opened for reading."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchreid_amd.core.errors import InputError
from torchreid_amd.gallery.layout import FEATURES, read_directions, read_layout
from torchreid_amd.gallery.mark import Mark

NOBODY = -(2**31)  #: identity or camera of a photograph of which nobody knows it
SPLITS = ("", "train", "query", "gallery")  #: a photograph's place in its data set, by number
MEMORY = 4 * 2**20  #: bytes of features that are read at a time


class Store:
    """Features of N photographs in a file that :func:`torchreid_amd.extract` wrote.

    Arrays are memory maps: they can be larger than the memory, and only what is touched is read.

    Args:
        path: the file.

    Attributes:
        path: the file.
        mark: the model whose features these are, see :class:`torchreid_amd.gallery.mark.Mark`.
        root: the folder that names start from; may be changed where the photographs have moved.

    Raises:
        InputError: the file is missing, cut short, damaged or no store.

    Example:
        >>> import tempfile, torchreid_amd as amd
        >>> from PIL import Image
        >>> explainer = amd.Explainer(amd.create_interpreter("osnet_x0_25", head="amd"), size=(64, 32))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for colour in ("red", "navy"):
        ...         Image.new("RGB", (32, 64), colour).save(f"{folder}/{colour}.png")
        ...     _ = amd.extract(explainer, folder, f"{folder}/gallery.h5")
        ...     store = amd.Store(f"{folder}/gallery.h5")
        ...     len(store), store.embedding.shape, store.name(0), store.verify()
        (2, (2, 512), 'navy.png', [])
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser()
        self.mark, self.root, self._places = read_layout(self.path)
        self._arrays: dict[str, NDArray[Any]] = {}

    def __len__(self) -> int:
        return self._places["checksum"].shape[0]

    def __repr__(self) -> str:
        model = self.mark.model or "a model"
        return f"Store({str(self.path)!r}: {len(self)} photographs, {model} at {self.mark.size})"

    def __contains__(self, array: object) -> bool:
        """Whether it holds an array, e.g. ``"components" in store``."""
        return array in self._places

    def array(self, name: str) -> NDArray[Any]:
        """An array as it lies in the file.

        Raises:
            InputError: it was left out when the store was made.
        """
        if name not in self._places:
            how = "with a head that has them" if name == "strengths" else f"with --{name}"
            how = "without --no-components" if name == "components" else how
            raise InputError(f"{str(self.path)!r} was made without {name}; extract it again {how}")
        if name not in self._arrays:
            self._arrays[name] = self._places[name].mapped(self.path)
        return self._arrays[name]

    @property
    def embedding(self) -> NDArray[np.float32]:
        """The target's embeddings (N, D)."""
        return self.array("embedding")

    @property
    def components(self) -> NDArray[np.floating]:
        """Components (N, M, D).

        Where the store has :attr:`strengths` instead they are multiplied out, all of them in memory.
        """
        if "strengths" in self:
            return self.strengths[:, :, None] * self.directions
        return self.array("components")

    @property
    def strengths(self) -> NDArray[np.float32]:
        """(N, M) by which components are multiples of :attr:`directions`, where the head works so."""
        return self.array("strengths")

    @property
    def directions(self) -> NDArray[np.float32]:
        """(M, D), beside :attr:`strengths`; head ``additive`` has both."""
        self.array("strengths")
        return read_directions(self.path)

    @property
    def maps(self) -> NDArray[np.float16]:
        """Maps as the head made them (N, M, h, w)."""
        return self.array("maps")

    @property
    def seen(self) -> NDArray[np.float32]:
        """What attributes are read off (N, F), see :class:`torchreid_amd.gallery.seen.Seen`."""
        return self.array("seen")

    @property
    def identities(self) -> NDArray[np.int64]:
        """Identities (N,); :data:`NOBODY` where unknown."""
        return self.array("identity")

    @property
    def cameras(self) -> NDArray[np.int64]:
        """Cameras (N,); :data:`NOBODY` where unknown."""
        return self.array("camera")

    @property
    def done(self) -> NDArray[np.bool_]:
        """Of which photographs the features are there (N,): all, unless extraction was interrupted."""
        found: NDArray[np.bool_] = self.array("checksum") != 0
        return found

    def name(self, row: int) -> str:
        """The name of a photograph: its path below :attr:`root`, or the whole path."""
        return os.fsdecode(bytes(self.array("name")[row]))

    def file(self, row: int) -> str:
        """Where a photograph lay when it was extracted, or lies below another :attr:`root`."""
        return os.path.join(self.root, self.name(row))

    def split(self, row: int) -> str:
        """The part of its data set that a photograph belongs to; "" where it belongs to none."""
        return SPLITS[int(self.array("split")[row])]

    def rows(self) -> dict[str, int]:
        """The row of each photograph, by its path."""
        return {self.file(row): row for row in range(len(self))}

    def blocks(self, memory: int = MEMORY) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Embeddings a block at a time: the first row of each, and its embeddings (n, D).

        Args:
            memory: bytes a block may take.
        """
        step = max(1, memory // max(1, self._places["embedding"].row_bytes))
        place = self._places["embedding"]
        with self.path.open("rb") as file:  # read, not mapped: what is mapped stays in memory
            file.seek(place.offset)
            for start in range(0, len(self), step):
                count = min(step, len(self) - start) * place.shape[1]
                yield start, np.fromfile(file, place.dtype, count).reshape(-1, place.shape[1])

    def check(self, mark: Mark, whole: bool = False) -> None:
        """That every feature is there and is one of a model.

        Args:
            mark: of the model that is to use them.
            whole: whether components are to be used too.

        Raises:
            InputError: it is unfinished, or holds features of another model, input or interpreter.
        """
        if whole and "strengths" not in self:
            self.array("components")
        self.mark.check(mark, repr(str(self.path)), whole)
        missing = len(self) - int(self.done.sum())
        if missing:
            raise InputError(
                f"{str(self.path)!r} is unfinished: {missing} of {len(self)} photographs are missing; give "
                "the extract command again, it goes on where it was"
            )

    def checksum(self, row: int) -> int:
        """Of everything that is known of a photograph; never 0."""
        found = zlib.crc32(bytes(self.array("name")[row]))
        for name in ("bytes", "identity", "camera", "split", *FEATURES):
            if name in self:
                found = zlib.crc32(np.ascontiguousarray(self.array(name)[row]).tobytes(), found)
        return found or 1

    def verify(self, rows: Sequence[int] | None = None) -> list[int]:
        """The rows that are there and are not what was written; all of the file is read.

        Args:
            rows: only these.
        """
        wanted = range(len(self)) if rows is None else rows
        stored = self.array("checksum")
        return [row for row in wanted if stored[row] and self.checksum(row) != stored[row]]
