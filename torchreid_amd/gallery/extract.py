"""From photographs to a file of features that can be searched: made, gone on with, or added to."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from torchreid_amd.config import config_of_run, get_default_config
from torchreid_amd.core.broken_photographs import broken_photographs, say_broken
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.files import atomic_path
from torchreid_amd.core.images import read_image, to_tensor
from torchreid_amd.core.processes import by_first, is_first, share, together
from torchreid_amd.core.progress_bar import progress
from torchreid_amd.gallery.layout import OPTIONAL, in_bytes
from torchreid_amd.gallery.listing import Listed, listed
from torchreid_amd.gallery.mark import Mark
from torchreid_amd.gallery.seen import rows_of
from torchreid_amd.gallery.store import SPLITS, Store
from torchreid_amd.gallery.writer import Writer, copy_rows, laid_out, name_bytes
from torchreid_amd.interpreter.decomposer import BATCH, Decomposer
from torchreid_amd.interpreter.decomposition import Decomposition
from torchreid_amd.interpreter.run_folder import load_run

_log = logging.getLogger(__name__)


class Explains(Protocol):
    """What is needed of a :class:`torchreid_amd.Explainer`."""

    config: dict[str, Any]

    @property
    def decomposer(self) -> Decomposer:
        """The interpreter and its input."""


def extract(
    model: Explains | str | os.PathLike[str],
    data: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    store: str | os.PathLike[str],
    *,
    root: str = "",
    splits: Sequence[str] = ("gallery",),
    components: bool = True,
    maps: bool = False,
    seen: bool = False,
    skip_broken: bool = False,
    verify: bool = False,
    batch_size: int = BATCH,
) -> Store:
    """Store the features of photographs in a file.

    Where the file is there already, photographs it has are left alone, unless their files have another
    size now; an interrupted extraction goes on, and new photographs are added. Several processes fill one
    file together, each the rows of its share.

    Args:
        model: an explainer, or a run folder.
        data: a folder of image files, the name of a data set of torchreid, or paths.
        store: the file to write (HDF5).
        root: torchreid's folder of data sets; that of the run, if not given.
        splits: of a data set: ``'train'``, ``'query'``, ``'gallery'``.
        components: also store the components (N, M, D), in half precision; scores need them, rankings do not.
            Where the head gives strengths and directions, these are stored instead.
        maps: also store the head's maps (N, M, h, w), in half precision.
        seen: also store what re-ranking and search by attributes need (N, F).
        skip_broken: leave out photographs that cannot be read, and list them, instead of stopping.
        verify: read what is there already against its checksums, and make again what is damaged.
        batch_size: photographs a forward pass.

    Returns:
        The store, opened.

    Raises:
        InputError: photographs that cannot be read, or a file that is no store, one of another model, or
            made with other arrays.

    Example:
        >>> import tempfile, torchreid_amd as amd
        >>> from PIL import Image
        >>> explainer = amd.Explainer(amd.create_interpreter("osnet_x0_25", head="amd"), size=(64, 32))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (32, 64), "navy").save(f"{folder}/0001_c1.png")
        ...     store = amd.extract(explainer, folder, f"{folder}/gallery.h5", maps=True)
        ...     store.components.shape, store.maps.shape, store.identities.tolist(), store.cameras.tolist()
        ((1, 26, 512), (1, 26, 4, 2), [1], [0])
    """
    decomposer, config = _of(model)
    if root:
        config.data.root = root
    photographs = list({one.path: one for one in reversed(listed(data, config, splits))}.values())[::-1]
    if not photographs:
        raise InputError(f"{str(data)!r} has no photograph; give a folder or a data set that has some")
    path = Path(store).expanduser()
    mark = Mark.of(decomposer)
    parts = "components" if decomposer.interpreter.directions is None else "strengths"
    wanted = dict.fromkeys(OPTIONAL, False)
    wanted |= {
        parts: components and bool(mark.attributes),
        "maps": maps and bool(mark.attributes),
        "seen": seen,
    }
    known = _already(path, mark, wanted)
    rows = known.rows() if known else {}
    new = [one for one in photographs if one.path not in rows]
    stale = _stale(known, rows, photographs, verify) if known else []
    mine = share(list(dict.fromkeys([*(one.path for one in new), *stale])))
    found = {file: why for part in together(broken_photographs(mine)) for file, why in part.items()}
    say_broken(found, skip_broken)
    new = [one for one in new if one.path not in found]
    if not new and not rows:
        raise InputError(f"no photograph of {str(data)!r} can be read; replace the files")
    if new or known is None:
        by_first(lambda: _lay_out(path, mark, decomposer, known, new, wanted))
    todo = [rows[file] for file in stale if file not in found]
    todo += range(len(rows), len(rows) + len(new))
    with _opened(path, [rows[file] for file in stale]) as writer:
        _fill(path, writer, decomposer, sorted(todo), batch_size)
    return Store(path)


@contextmanager
def _opened(path: Path, stale: list[int]) -> Iterator[Writer]:
    """The file, kept from other programs by the first process for as long as any process writes to it."""
    with ExitStack() as stack:
        if is_first():
            writer = stack.enter_context(Writer(path))
            if stale:
                writer.undone(stale)
        by_first(lambda: None)
        if not is_first():
            writer = stack.enter_context(Writer(path, alone=False))
        yield writer
        together(None)


def _of(model: Explains | str | os.PathLike[str]) -> tuple[Decomposer, Any]:
    """An interpreter with its input, and the configuration of its run."""
    if isinstance(model, str | os.PathLike):
        run = load_run(model)
        return Decomposer(run.interpreter, run.size, run.norm_mean, run.norm_std), config_of_run(run.config)
    return model.decomposer, config_of_run(model.config) if model.config else get_default_config()


def _already(path: Path, mark: Mark, wanted: dict[str, bool]) -> Store | None:
    """The store that is there, if it is one to go on with."""
    if not path.exists():
        return None
    known = Store(path)
    parts = [name for name in ("components", "strengths", "maps") if name in known]
    known.mark.check(mark, repr(str(path)), whole=bool(parts))
    for name, asked in wanted.items():
        if asked != (name in known):
            there = "with" if name in known else "without"
            what = "components" if name == "strengths" else name
            raise InputError(
                f"{str(path)!r} was made {there} {what}; give the same options as then, or another file"
            )
    return known


def _stale(known: Store, rows: dict[str, int], photographs: Sequence[Listed], verify: bool) -> list[str]:
    """The files whose features are missing, of a photograph that has changed, or damaged."""
    done, sizes = known.done, known.array("bytes")
    there = [one.path for one in photographs if one.path in rows]
    found = [p for p in there if not done[rows[p]] or _bytes(p) != sizes[rows[p]]]
    missing = sum(not done[rows[p]] for p in found)
    if missing:
        _log.info(f"{known.path}: {missing} of {len(known)} photographs are still to be done")
    if len(found) > missing:
        _log.info(f"{known.path}: {len(found) - missing} photographs have changed and are done again")
    if verify:
        files = {row: path for path, row in rows.items()}
        damaged = [files[row] for row in known.verify()]
        _log.info(f"{known.path}: {len(damaged)} of {len(known)} photographs are damaged in the store")
        found += [p for p in damaged if p not in found]
    return found


def _lay_out(
    path: Path,
    mark: Mark,
    decomposer: Decomposer,
    known: Store | None,
    new: Sequence[Listed],
    wanted: dict[str, bool],
) -> None:
    """The file with room for all rows, what is known of the new ones, and the features of the old ones."""
    old = 0 if known is None else len(known)
    count = old + len(new)
    root = known.root if known else os.path.commonpath([os.path.dirname(one.path) for one in new])
    names = name_bytes([_below(root, one.path) for one in new])
    image = torch.zeros(1, 3, *decomposer.size, device=decomposer.device)
    one = decomposer.decompose(image)
    shapes = {name: (count,) for name in ("name", "bytes", "identity", "camera", "split", "checksum")}
    features = _features(one) | {"seen": rows_of(decomposer.interpreter.target, image).features}
    shapes |= {k: (count, *v.shape[1:]) for k, v in features.items() if wanted.get(k, True)}
    own = decomposer.interpreter.directions if "strengths" in shapes else None
    directions = None if own is None else own.float().cpu().numpy()
    longest = max(map(len, names))
    if known is not None:
        longest = max(longest, known.array("name").dtype.itemsize)
    with atomic_path(path) as beside, laid_out(beside, mark, root, shapes, longest, directions) as writer:
        if known is not None:
            copy_rows(known, writer)
        rows = range(old, count)
        writer.put("name", rows, np.array(names, dtype=f"S{longest}"))
        writer.put("bytes", rows, np.array([_bytes(one.path) for one in new]))
        writer.put("identity", rows, np.array([one.identity for one in new]))
        writer.put("camera", rows, np.array([one.camera for one in new]))
        writer.put("split", rows, np.array([SPLITS.index(one.split) for one in new]))
    size = in_bytes(path.stat().st_size)
    _log.info(f"{path}: {f'{len(new)} added to {old}' if old else count} photographs, {size}")


def _below(root: str, path: str) -> str:
    """A path below a folder, or the whole of it where it is not."""
    return path[len(root) :].lstrip(os.sep) if path.startswith(root.rstrip(os.sep) + os.sep) else path


def _bytes(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def _fill(path: Path, writer: Writer, decomposer: Decomposer, rows: list[int], batch_size: int) -> None:
    """Compute the features of rows and write them, a batch at a time; each process those of its share."""
    store = Store(path)
    parts = share([rows[i : i + batch_size] for i in range(0, len(rows), batch_size)])
    with ThreadPoolExecutor(1) as reader:  # the next batch is read while this one is computed
        batches = _read(store, reader, decomposer, parts)
        for part, images in progress(batches, "extracting features", sum(map(len, parts)), batch_size):
            files = [store.file(row) for row in part]
            images = images.to(decomposer.device)
            whole = decomposer.decompose(images, files, batch_size)
            features = _features(whole)
            if "seen" in store:
                features["seen"] = rows_of(decomposer.interpreter.target, images).features
            for name, values in features.items():
                if name in store:
                    writer.put(name, part, _kept(values, name, files, store))
            writer.put("bytes", part, np.array([_bytes(file) for file in files]))
            writer.done(part)


def _features(whole: Decomposition) -> dict[str, Tensor]:
    """What a store can hold of a decomposition, by name."""
    found = {"embedding": whole.embedding, "components": whole.components, "maps": whole.maps}
    return found if whole.strengths is None else found | {"strengths": whole.strengths}


def _read(
    store: Store, reader: ThreadPoolExecutor, decomposer: Decomposer, parts: Sequence[list[int]]
) -> Iterator[tuple[list[int], Tensor]]:
    """Rows in batches with their photographs (B, 3, H, W), each batch read before it is asked for."""

    def batch(part: list[int]) -> Tensor:
        size, mean, std = decomposer.size, decomposer.norm_mean, decomposer.norm_std
        return torch.stack([to_tensor(read_image(store.file(row)), size, mean, std) for row in part])

    coming = reader.submit(batch, parts[0]) if parts else None
    for n, part in enumerate(parts):
        assert coming is not None
        images = coming.result()
        coming = reader.submit(batch, parts[n + 1]) if n + 1 < len(parts) else None
        yield part, images


def _kept(values: Tensor, name: str, files: Sequence[str], store: Store) -> np.ndarray:
    """Features in the precision they are stored in."""
    kept: np.ndarray = values.float().cpu().numpy().astype(store.array(name).dtype)
    wrong = np.flatnonzero(~np.isfinite(kept).reshape(len(kept), -1).all(1))
    if len(wrong):
        raise InputError(
            f"the {name} of {files[wrong[0]]!r} are too large for half precision; leave them out "
            "(--no-components, no --maps)"
        )
    return kept
