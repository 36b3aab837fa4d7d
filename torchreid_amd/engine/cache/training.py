"""From an engine to the loader of a cached training: made, gone on with, made anew, or used as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils import _pytree as tree
from torch.utils.data import BatchSampler, DataLoader, Dataset

from torchreid_amd.core.cores import cores
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.processes import by_first
from torchreid_amd.core.progress_bar import progress
from torchreid_amd.engine.cache.ahead import Ahead
from torchreid_amd.engine.cache.kept import kind_of, named
from torchreid_amd.engine.cache.parts import compute, parts_of
from torchreid_amd.engine.cache.store import (
    PART,
    Made,
    Store,
    check_space,
    finish,
    listed,
    made_of,
    size_of,
)
from torchreid_amd.engine.cache.views import AllViews, View, Views, ViewSampler
from torchreid_amd.engine.learner import Precision
from torchreid_amd.engine.processes.batches import OwnPart
from torchreid_amd.engine.surroundings import others_of
from torchreid_amd.interpreter.interpreter import Interpreter
from torchreid_amd.targets.target import Target
from torchreid_amd.targets.tracing import noise
from torchreid_amd.targets.weights import fingerprint

NAME = "frozen.h5"  #: in the run folder, where amd.cache_file says nothing
BATCH = 32  #: views a forward pass, about


class StoredPhotographs(Dataset[dict[str, Any]]):
    """Batches of a training, whose ``img`` are parts that are read from a store.

    Args:
        store: whole.
        dataset: torchreid's, for what else a batch says of its photographs.
    """

    def __init__(self, store: Store, dataset: Any) -> None:
        self.store, self.dataset = store, dataset
        self.train = dataset.train

    def __getitem__(self, at: list[View]) -> dict[str, Any]:
        paths, pids, camids, dsetids = zip(*(self.dataset.data[i] for i, _ in at), strict=True)
        numbers = {"pid": pids, "camid": camids, "dsetid": dsetids}
        return {"img": self.store.read(at), "impath": list(paths)} | {
            name: torch.tensor(values) for name, values in numbers.items()
        }


def cache_path(cfg: Any, save_dir: str = "") -> Path:
    """Where the cache of a configuration lies."""
    return Path(cfg.amd.cache_file or Path(save_dir or cfg.data.save_dir) / NAME).expanduser()


def stored_loader(
    cfg: Any,
    loader: Any,
    interpreter: Interpreter,
    quick: Target,
    path: Path,
    precision: Precision,
) -> Ahead:
    """The loader of a cached training in the place of torchreid's.

    Args:
        cfg: the configuration.
        loader: torchreid's, of training batches.
        interpreter: what is trained.
        quick: the form of its target that computes the cache, if need be.
        path: of the cache.
        precision: the context that steps run in; the frozen target computes in it too.

    Raises:
        InputError: the disk is too small, the file at the path is another one, or photographs are augmented
            in a way that depends on their order.
    """
    amd, dataset = cfg.amd, loader.dataset
    if "random_patch" in cfg.data.transforms:
        raise InputError(
            "data.transforms has random_patch, which remembers patches of other photographs, so a view of it "
            "is never the same twice; leave it out, or set amd.cache off"
        )
    parts = parts_of(interpreter.head)
    with precision():
        half = torch.is_autocast_enabled(quick.device.type)
        example = compute(quick, noise(2, (cfg.data.height, cfg.data.width), quick.device), parts)
    if any(not isinstance(leaf, torch.Tensor) or len(leaf) != 2 for leaf in tree.tree_leaves(example)):
        raise InputError(f"what {quick.name} makes of two images is not two of each; set amd.cache off")
    files = listed([item[0] for item in dataset.data])
    made = _made(cfg, files, interpreter.target, parts) | {"arithmetic": "bfloat16" if half else "float32"}
    others = others_of(dataset.transform)
    made |= {"surroundings": _digest(listed(others))} if others else {}
    by_first(lambda: _make(cfg, Views(dataset, cfg.train.seed), quick, example, made, files, path, precision))
    sampler: Any = ViewSampler(loader.sampler, amd.cache_views)
    batches: Any = OwnPart(BatchSampler(sampler, loader.batch_size, drop_last=True))
    stored = StoredPhotographs(Store(path, example), dataset)
    return Ahead(DataLoader(stored, sampler=batches, batch_size=None))


def _make(
    cfg: Any,
    views: Views,
    target: Target,
    example: dict[str, Any],
    made: Made,
    files: list[str],
    path: Path,
    precision: Precision,
) -> None:
    count, kept_in = cfg.amd.cache_views, cfg.amd.cache_precision
    before = made_of(path)
    if before == made:
        print(f"Cache: {str(path)!r} is used; no training photograph is read")
        return
    if before is not None:
        print(f"Cache: {str(path)!r} was made of {_differences(before, made)}: it is made anew")
    part = path.with_name(path.name + PART)
    begun = made_of(part) == made
    size = size_of(len(files), count, example, kept_in)
    kinds = dict.fromkeys(named(kind_of(leaf, kept_in)) for leaf in tree.tree_leaves(example))
    print(
        f"Cache: {len(files):,} photographs × {count} views, {', '.join(made['parts'])} in "
        f"{' and '.join(kinds)}: "
        f"{size / 1e9:.2f} GB in {str(path)!r}",
        flush=True,
    )
    if not begun:
        part.unlink(missing_ok=True)
        check_space(path, size)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        Store.create(part, files, count, example, kept_in, made)
    store = Store(part, example, writing=True)
    missing = store.missing
    if begun:
        print(f"Cache: gone on with; {len(files) - len(missing):,} photographs are there already")
    loader: DataLoader[Any] = DataLoader(
        AllViews(views, count),
        batch_size=max(1, BATCH // count),
        sampler=missing,
        num_workers=min(cfg.data.workers, cores()),
    )
    for photographs, images in progress(loader, "batches of photographs through the target"):
        with precision():
            found = compute(target, images.flatten(0, 1).to(target.device), made["parts"])
        store.write(photographs.tolist(), found)
    store.close()
    finish(path)


def _made(cfg: Any, files: list[str], target: Target, parts: Sequence[str]) -> Made:
    data = cfg.data
    return {
        "weights": fingerprint(target.model),
        "cut": [target.cut_point.stem, *target.cut_point.maps],
        "photographs": _digest(files),
        "transforms": [*data.transforms, data.height, data.width, *data.norm_mean, *data.norm_std],
        "views": cfg.amd.cache_views,
        "seed": cfg.train.seed,
        "precision": cfg.amd.cache_precision,
        "parts": list(parts),
    }


def _digest(files: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(files).encode("utf-8", "surrogateescape")).hexdigest()


def _differences(before: Made, made: Made) -> str:
    return ", ".join(f"other {name}" for name in made if before.get(name) != made[name]) or "something else"
