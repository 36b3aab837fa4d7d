"""Rendering the whole data set into its folder."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2
import h5py
import numpy as np

from torchreid_amd.core.cores import cores
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.progress_bar import progress
from torchreid_amd.datasets.synthetic.options import SyntheticOptions
from torchreid_amd.datasets.synthetic.people.person import Person, people, schema
from torchreid_amd.datasets.synthetic.photograph import take
from torchreid_amd.datasets.synthetic.records import GALLERY, QUERY, TRAIN, files
from torchreid_amd.datasets.synthetic.regions import FILE, pack, write_regions

_log = logging.getLogger(__name__)
IMAGES = "Market-1501-v15.09.15"
ABOUT = "synthetic.json"


def render_dataset(
    root: str | os.PathLike[str],
    *,
    train_ids: int = 200,
    test_ids: int = 150,
    images_per_id: int = 10,
    seed: int = 0,
    height: int = 128,
    width: int = 64,
    domain: str = "day",
    workers: int | None = None,
    force: bool = False,
) -> Path:
    """Render the synthetic pedestrians under ``root``, unless they are there already.

    The folder appears under its name only once it is complete.

    Args:
        root: torchreid's folder of data sets; made if missing.
        train_ids: training identities.
        test_ids: identities in query and gallery.
        images_per_id: images of each identity, on average; at least 4.
        seed: another seed gives other people, walks and streets.
        height: image height in pixels.
        width: image width in pixels.
        domain: ``'day'`` or ``'night'``; see :class:`SyntheticOptions`.
        workers: processes; by default one for each core. The result does not depend on it.
        force: replace what was rendered with other parameters.

    Returns:
        The folder ``<root>/synthetic_attr``, or ``<root>/synthetic_attr_night``.

    Raises:
        InputError: a parameter is out of range, the folder holds something else, or it cannot be written.
    """
    options = SyntheticOptions(train_ids, test_ids, images_per_id, seed, height, width, domain)
    if workers is not None and workers < 1:
        raise InputError(
            f"synthetic_attr: workers is {workers}; expected at least 1, or None for one each core"
        )
    base = Path(root).expanduser().absolute()
    folder = base / options.name
    if _ready(folder, options, force):
        return folder
    try:
        base.mkdir(parents=True, exist_ok=True)
        with _alone(base / f".{options.name}.lock"):
            if not _ready(folder, options, force):
                _render_into(folder, options, workers or cores())
    except OSError as error:
        raise InputError(
            f"cannot render into {str(folder)!r}: {error.strerror or error}; free some space or choose "
            "another root"
        ) from error
    return folder


def read_options(folder: str | os.PathLike[str]) -> SyntheticOptions:
    """The options a folder was rendered with.

    Raises:
        InputError: the folder is not a complete rendered data set, or of another version.
    """
    path = Path(folder) / ABOUT
    advice = f"remove the folder or render with force ({_forced(path.parent)})"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        about = {"domain": "day", **about}  # folders of the day need not say so
        known = SyntheticOptions(**{k: v for k, v in about.items() if k != "version"})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{str(folder)!r} is not a complete synthetic_attr ({ABOUT} cannot be read); {advice}"
        ) from None
    if about != known.to_dict():
        raise InputError(
            f"{str(folder)!r} was rendered by version {about.get('version')!r} of the pedestrians, this is "
            f"version {known.to_dict()['version']}; {advice}"
        )
    return known


def _ready(folder: Path, options: SyntheticOptions, force: bool) -> bool:
    """Whether the folder holds exactly this data set."""
    if not folder.exists():
        return False
    try:
        found = read_options(folder)
    except InputError:
        if force:
            return False
        raise
    if found == options:
        return True
    if force:
        return False
    theirs, mine = found.to_dict(), options.to_dict()
    differ = ", ".join(f"{k} {theirs[k]} (asked for: {mine[k]})" for k in mine if theirs[k] != mine[k])
    raise InputError(
        f"{str(folder)!r} was rendered with {differ}; ask for the same, choose another root, or replace it "
        f"with force ({_forced(folder)})"
    )


def _forced(folder: Path) -> str:
    """The command that renders into this folder, whatever is there."""
    night = " --domain night" if folder.name.endswith("_night") else ""
    return f"torchreid-amd synth --force{night}"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time renders a data set under a root; a second one waits and finds the work done."""
    try:
        import fcntl
    except ImportError:  # not on this system: the last one to finish would find the name taken
        yield
        return
    with open(path, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            pass
        yield


def _render_into(folder: Path, options: SyntheticOptions, workers: int) -> None:
    for stale in folder.parent.glob(f".{options.name}-*"):
        shutil.rmtree(stale, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{options.name}-", dir=folder.parent))
    try:
        made = temporary / options.name
        for name in (TRAIN, QUERY, GALLERY):
            (made / IMAGES / name).mkdir(parents=True)
        everybody = {split: people(options, split) for split in ("train", "test")}
        names: list[str] = []
        chunks: list[bytes] = []
        _log.info(f"rendering {options.train_ids + options.test_ids} synthetic pedestrians into {folder}")
        with _mapper(workers) as run:
            job = partial(_render_person, options=options, images=made / IMAGES)
            everyone = everybody["train"] + everybody["test"]
            for done in progress(run(job, everyone), "rendering pedestrians", len(everyone)):
                names += [name for name, _ in done]
                chunks += [chunk for _, chunk in done]
        with h5py.File(made / FILE, "w") as file:
            write_regions(file, names, chunks, schema().attributes, (options.height, options.width))
            for split, some in everybody.items():
                file[f"labels/{split}/pids"] = np.array([p.pid for p in some])
                file[f"labels/{split}/labels"] = np.stack([p.vector() for p in some])
        (made / ABOUT).write_text(json.dumps(options.to_dict(), indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            os.replace(folder, temporary / "replaced")
        os.replace(made, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _render_person(person: Person, options: SyntheticOptions, images: Path) -> list[tuple[str, bytes]]:
    done = []
    for folder, record in files(options, person.pid):
        photograph = take(person, record, options)
        (images / folder / record.file_name).write_bytes(photograph.jpeg)
        done.append((record.file_name, pack(photograph.regions)))
    return done


@contextmanager
def _mapper(workers: int):  # type: ignore[no-untyped-def]
    """``map`` over processes, or the plain one for a single worker."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # before the fork: no threads of the parent are waited for in a child
    try:
        if workers == 1:
            yield map
            return
        context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*multi-threaded.*fork", category=DeprecationWarning)
            with ProcessPoolExecutor(workers, mp_context=context) as pool:
                try:
                    yield partial(pool.map, chunksize=2)
                except BaseException:
                    pool.shutdown(wait=True, cancel_futures=True)
                    raise
    finally:
        cv2.setNumThreads(threads)
