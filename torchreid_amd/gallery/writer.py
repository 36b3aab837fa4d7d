"""Writing rows into a store: the features first, and then the checksum that makes them count."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchreid_amd.core.errors import InputError
from torchreid_amd.gallery.layout import FEATURES, lay_out, read_layout
from torchreid_amd.gallery.mark import Mark
from torchreid_amd.gallery.store import MEMORY, Store


class Writer:
    """A store opened for writing rows; a context manager.

    Args:
        path: a file that :func:`make` or :func:`grow` laid out.
        alone: whether no other process may write to it meanwhile.

    Raises:
        InputError: another process is writing to it, or it cannot be written to.
    """

    def __init__(self, path: Path, alone: bool = True) -> None:
        self.path = path
        self._places = read_layout(path)[2]
        try:
            self._file = path.open("r+b")
        except OSError as error:
            raise InputError(
                f"cannot write to {str(path)!r}: {error.strerror}; check its permissions"
            ) from None
        if alone and not _locked(self._file.fileno()):
            self._file.close()
            raise InputError(f"another process is writing to {str(path)!r}; wait for it to end")
        self._store = Store(path)

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def put(self, name: str, rows: Sequence[int] | NDArray[np.integer], values: NDArray[Any]) -> None:
        """Write rows of an array.

        Args:
            name: of the array.
            rows: where each value goes.
            values: one for each row.
        """
        place = self._places[name]
        data = np.ascontiguousarray(np.asarray(values).astype(place.dtype)).reshape(len(rows), -1)
        try:
            for first, last in _runs(rows):
                self._file.seek(place.offset + int(rows[first]) * place.row_bytes)
                self._file.write(data[first:last].tobytes())
            self._file.flush()
        except OSError as error:
            raise InputError(
                f"cannot write to {str(self.path)!r}: {error.strerror}; what is there stays, free some space "
                "and give the same command again"
            ) from None

    def done(self, rows: Sequence[int]) -> None:
        """Make rows count whose features are written."""
        self.put("checksum", rows, np.array([self._store.checksum(int(row)) for row in rows]))

    def undone(self, rows: Sequence[int]) -> None:
        """Let rows not count any more."""
        self.put("checksum", rows, np.zeros(len(rows)))


def _runs(rows: Sequence[int] | NDArray[np.integer]) -> Iterator[tuple[int, int]]:
    """Positions [first, last) of rows that follow each other."""
    breaks = np.flatnonzero(np.diff(np.asarray(rows)) != 1) + 1
    edges = [0, *breaks.tolist(), len(rows)]
    yield from (pair for pair in zip(edges, edges[1:], strict=False) if pair[1] > pair[0])


def _locked(handle: int) -> bool:
    """Whether this process has the file for itself now; True where there are no locks."""
    try:
        import fcntl
    except ImportError:  # not on this system
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


@contextmanager
def laid_out(
    path: Path,
    mark: Mark,
    root: str,
    shapes: Mapping[str, tuple[int, ...]],
    longest: int,
    directions: NDArray[np.float32] | None = None,
) -> Iterator[Writer]:
    """A store without features, ready to be written to; arguments as those of :func:`lay_out`."""
    lay_out(path, mark, root, shapes, longest, directions)
    with Writer(path, alone=False) as writer:
        writer.undone(range(shapes["checksum"][0]))
        yield writer


def copy_rows(store: Store, writer: Writer, memory: int = MEMORY) -> None:
    """Copy all rows of a store to the beginning of another, checksums last."""
    names = [name for name in ("name", "bytes", "identity", "camera", "split") if name in store]
    for name in (*names, *FEATURES, "checksum"):
        if name not in store:
            continue
        values = store.array(name)
        step = max(1, memory // max(1, values[:1].nbytes))
        for start in range(0, len(store), step):
            part = values[start : start + step]
            writer.put(name, range(start, start + len(part)), part)


def name_bytes(names: Sequence[str]) -> list[bytes]:
    """Names as they are stored."""
    return [os.fsencode(name) for name in names]
