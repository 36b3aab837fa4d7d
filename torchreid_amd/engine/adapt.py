"""An interpreter made used to another domain, of which there are photographs and no labels."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from torchreid_amd.attributes.datamanager_labels import ManagerLabels
from torchreid_amd.config import config_of_run, engine_run_kwargs, lr_scheduler_kwargs, optimizer_kwargs
from torchreid_amd.config.values import check_values
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.engine.agreement import AgreedLabels, Items, agreed, recognised_in, tracks_of
from torchreid_amd.engine.before_training import check_folder
from torchreid_amd.engine.engine import ImageAMDEngine
from torchreid_amd.engine.normalisation import reestimate
from torchreid_amd.engine.surroundings import stand_before
from torchreid_amd.engine.train import build_datamanager
from torchreid_amd.engine.written_run import save_engine_run
from torchreid_amd.interpreter.decomposer import BATCH, Decomposer
from torchreid_amd.interpreter.run_folder import load_run

EPOCHS = 2  #: of self-training
SLOWER = 3.0  #: the learning rate of a run is divided by that for them


def adapt(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    targets: str | Sequence[str] = (),
    *,
    root: str | os.PathLike[str] = "",
    weights: str | os.PathLike[str] | None = None,
    epochs: int = EPOCHS,
    statistics: bool = False,
    change: Callable[[Any], Any] | None = None,
) -> Path:
    """Write a run folder whose head is used to other photographs; the target is the same, bit by bit.

    Labels of the new data sets are not looked at, but for the scores that are printed at the end. Where
    ``data.transforms`` has ``random_surroundings``, they are those of the new photographs.

    Args:
        folder: the run to begin with.
        out: the run folder to write.
        targets: names of the new data sets, whose training photographs are looked at, as with torchreid's
            ``load_train_targets``.
        root: folder of data sets; that of the run, if not given.
        weights: the target's weights, if they have moved.
        epochs: of self-training: the head goes on learning from the run's own labelled photographs and, at
            the same time, from what the photographs of each track of the new domain agree on.
        statistics: whether the head's normalisation layers get the statistics of the new domain first.
        change: makes of the run's configuration the one to adapt by, where more is to be changed.

    Returns:
        The folder that was written.

    Raises:
        InputError: nothing is asked for, the run was trained on a data set that is said to be new, or the
            head cannot do it.

    Example:
        >>> import contextlib, io, tempfile, torch, torchreid_amd as amd
        >>> cfg = amd.get_default_config()
        >>> data, people = cfg.data, cfg.amd.synthetic
        >>> data.sources, data.height, data.width, data.workers = ["synthetic_attr"], 64, 32, 0
        >>> people.train_ids, people.test_ids, people.images_per_id = 2, 2, 4
        >>> interpreter = amd.create_interpreter("osnet_x0_25", head="amd")  # as if it were trained
        >>> about = {"model": "osnet_x0_25", "num_classes": 1000, "size": (64, 32), "config": cfg}
        >>> with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        ...     torch.save(interpreter.target.model.state_dict(), f"{folder}/w.pth")
        ...     run = amd.save_run(f"{folder}/run", interpreter, weights=f"{folder}/w.pth", **about)
        ...     how = {"root": folder, "epochs": 0, "statistics": True}
        ...     new = amd.adapt(run, f"{folder}/new", "synthetic_attr_night", **how)
        ...     adapted = amd.load_run(new)
        >>> adapted.config["data"]["targets"]
        ['synthetic_attr_night']
    """
    run = load_run(folder, weights)
    if epochs < 0 or not (epochs or statistics):
        raise InputError(
            f"{epochs} epochs of self-training with{'' if statistics else 'out'} statistics were asked for; "
            "give at least 1 epoch, or 0 and statistics"
        )
    if epochs and not (hasattr(run.interpreter.head, "recognise") and hasattr(run.interpreter.head, "loss")):
        raise InputError(
            f"head {run.interpreter.head_name!r} is taught by distances and recognises nothing, so it cannot "
            "teach itself; adapt its statistics alone: --epochs 0 --statistics"
        )
    cfg = config_of_run(run.config)
    cfg.use_gpu = torch.cuda.is_available()
    cfg.model.load_weights, cfg.model.resume, cfg.data.save_dir = str(run.weights), "", str(out)
    cfg.train.max_epoch, cfg.train.start_epoch, cfg.train.lr = epochs, 0, cfg.train.lr / SLOWER
    cfg.amd.finetune, cfg.data.load_train_targets = False, False
    cfg.amd.cache_views = min(cfg.amd.cache_views, max(1, epochs))  # more would not be looked at
    if targets:
        cfg.data.targets = [targets] if isinstance(targets, str) else list(targets)
    cfg.data.root = str(root) or cfg.data.root
    cfg = change(cfg) if change else cfg
    check_values(cfg)
    known = [name for name in cfg.data.targets if name in cfg.data.sources]
    if known:
        raise InputError(
            f"the run was trained on {known[0]!r} and its labels; name a data set that is new to it: -t NAME"
        )
    cfg.data.height, cfg.data.width = run.size
    cfg.data.norm_mean, cfg.data.norm_std = list(run.norm_mean), list(run.norm_std)
    host.torchreid().utils.set_random_seed(cfg.train.seed)
    both = cfg.clone()
    both.data.sources = [*cfg.data.sources, *cfg.data.targets]
    manager = build_datamanager(both)
    items = manager.train_loader.dataset.train
    new = [item for item in items if item[3] >= len(cfg.data.sources)]
    stand_before(manager.train_loader.dataset.transform, [item[0] for item in new])
    decomposer = Decomposer(run.interpreter, run.size, run.norm_mean, run.norm_std)
    if statistics:
        _statistics(decomposer, new, cfg.train.seed)
    labels: Any = ManagerLabels(cfg, run.schema)
    if epochs:
        labels = AgreedLabels(labels, _agreed_labels(decomposer, new))
    optim = host.torchreid().optim
    optimizer = optim.build_optimizer(run.interpreter.head, **optimizer_kwargs(cfg))
    scheduler = optim.build_lr_scheduler(optimizer, **lr_scheduler_kwargs(cfg))
    engine = ImageAMDEngine(manager, run.interpreter, optimizer, scheduler, cfg.use_gpu, cfg, labels)
    if not epochs:
        check_folder(engine, str(out))
    engine.run(**engine_run_kwargs(cfg) | {"test_only": not epochs})
    if not epochs:
        save_engine_run(engine, str(out), 0)
    print(f"Run folder: {out}")
    return Path(out)


def _statistics(decomposer: Decomposer, items: Items, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(items))  # a batch has people of all cameras
    parts = np.array_split(order, max(1, len(items) // BATCH))
    batches = (decomposer.read([items[n][0] for n in part]) for part in parts)
    count = reestimate(decomposer.interpreter, batches)
    if count:
        print(f"Statistics: {count} normalisation layers of the head, from {len(items):,} photographs")
    else:
        print("Statistics: this head has no normalisation layer of its own, nothing is changed")


def _agreed_labels(decomposer: Decomposer, items: Items) -> dict[str, np.ndarray]:
    tracks = tracks_of(items)
    labels = agreed(recognised_in(decomposer, [item[0] for item in items]), tracks)
    share = float((labels >= 0).mean())
    print(
        f"Self-training: {tracks.max() + 1:,} tracks of {len(items):,} photographs; of their labels "
        f"{100 * share:.0f} % are agreed on"
    )
    if not share:
        raise InputError(
            "no track of the new photographs has two that agree on anything, so there is nothing to learn; "
            "adapt the statistics alone: --epochs 0 --statistics"
        )
    return {item[0]: row for item, row in zip(items, labels, strict=True)}
