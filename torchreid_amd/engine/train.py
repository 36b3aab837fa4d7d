"""From a configuration to a trained interpreter: the main job."""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, TextIO

import torch
from torch import nn

from torchreid_amd.config import (
    activate,
    engine_run_kwargs,
    imagedata_kwargs,
    lr_scheduler_kwargs,
    optimizer_kwargs,
)
from torchreid_amd.config.values import check_training_values
from torchreid_amd.core import host
from torchreid_amd.core.cores import cores
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.processes import count, is_first
from torchreid_amd.engine.amd_model import graft
from torchreid_amd.engine.engine import ImageAMDEngine
from torchreid_amd.engine.finetune import ImageFinetuneEngine, finetune_group
from torchreid_amd.engine.photographs import whole_photographs
from torchreid_amd.engine.progress import read_progress
from torchreid_amd.engine.surroundings import stand_before
from torchreid_amd.targets.embedding import check_embedding
from torchreid_amd.targets.weights import load_weights

_log = logging.getLogger(__name__)


def build_datamanager(cfg: Any) -> Any:
    """torchreid's image data manager for a configuration.

    Raises:
        InputError: a data set is unknown, its folder is missing, torchreid cannot use it, or a photograph
            of it cannot be read.
    """
    if cfg.data.type != "image":
        raise InputError(f"data.type is {cfg.data.type!r}; interpreters need images: data.type image")
    activate(cfg)
    for name in [*cfg.data.sources, *cfg.data.targets]:
        on_demand = getattr(host.image_dataset_class(name), "on_demand", False)
        if not on_demand and not Path(cfg.data.root).expanduser().is_dir():
            raise InputError(
                f"data root {cfg.data.root!r} is not a folder; expected the folder that holds {name!r} "
                "(--root); nothing is downloaded"
            )
    try:
        with whole_photographs(cfg):
            manager = host.torchreid().data.ImageDataManager(**imagedata_kwargs(cfg))
    except InputError:
        raise
    except (RuntimeError, AssertionError, OSError, ValueError, IndexError) as error:
        said = " ".join(str(error).split())[:200] or traceback.extract_tb(error.__traceback__)[-1].line
        raise InputError(
            f"torchreid cannot load {', '.join([*cfg.data.sources, *cfg.data.targets])} under "
            f"{cfg.data.root!r}: {said}; check --root, -s and -t"
        ) from None
    if cfg.data.load_train_targets:
        new = [item[0] for item in manager.train_loader_t.dataset.train]
        stand_before(manager.train_loader.dataset.transform, new)
    for sides in manager.test_loader.values():  # what they load is the same by any number of workers
        for loader in sides.values():
            loader.num_workers = min(loader.num_workers, cores())
    return manager


def build_engine(cfg: Any, datamanager: Any) -> ImageAMDEngine:
    """Target, weights, interpreter, optimizer, scheduler and engine for a configuration.

    Raises:
        InputError: an unknown name, or weights that are missing or do not fit.
    """
    name = cfg.model.name.removeprefix(host.PREFIX)
    target = host.build_model(
        name,
        num_classes=datamanager.num_train_pids,
        loss=cfg.loss.name,
        pretrained=cfg.model.pretrained and not cfg.model.load_weights,
        use_gpu=cfg.use_gpu,
    )
    if cfg.model.load_weights:
        load_weights(target, cfg.model.load_weights)
    elif not cfg.model.resume:
        _log.warning(f"{name} has no weights of its own (model.load_weights); its distances mean little")
    _check_size(target, cfg, name)
    interpreter = graft(target, cfg, name)
    optim = host.torchreid().optim
    optimizer = optim.build_optimizer(interpreter.head, **optimizer_kwargs(cfg))
    if cfg.amd.finetune:
        optimizer.add_param_group(finetune_group(interpreter, cfg))
    scheduler = optim.build_lr_scheduler(optimizer, **lr_scheduler_kwargs(cfg))
    kind = ImageFinetuneEngine if cfg.amd.finetune else ImageAMDEngine
    engine = kind(datamanager, interpreter, optimizer, scheduler, cfg.use_gpu, cfg)
    if cfg.model.resume:
        cfg.train.start_epoch = read_progress(
            cfg.model.resume, engine.learnt, engine.optimizer, engine.scheduler
        )
    return engine


def _check_size(target: nn.Module, cfg: Any, name: str) -> None:
    """That the model takes images of the configured size."""
    size = (cfg.data.height, cfg.data.width)
    try:
        check_embedding(target.eval(), size, name)
    except InputError as error:
        reason = str(error).partition(";")[0]
        raise InputError(
            f"{reason}; set data.height and data.width to what it is made for (data.height {size[0]}, "
            f"data.width {size[1]} is given)"
        ) from None


def train(cfg: Any) -> dict[str, Any]:
    """Train an interpreter; everything it leaves behind lies in ``cfg.data.save_dir``.

    Returns:
        The scores of each target data set, by name.
    """
    check_training_values(cfg)
    utils = host.torchreid().utils
    utils.set_random_seed(cfg.train.seed)
    with _logged(Path(cfg.data.save_dir) / time.strftime("train.log-%Y-%m-%d-%H-%M-%S")):
        print(f"Show configuration\n{cfg}\n")
        many = f", {count()} processes" if count() > 1 else ""
        print(f"torch {torch.__version__}, {'CUDA' if cfg.use_gpu else 'CPU'}{many}")
        engine = build_engine(cfg, build_datamanager(cfg))
        engine.run(**engine_run_kwargs(cfg))
        print(f"Run folder: {cfg.data.save_dir}")
        return {name: scores.to_dict() for name, scores in engine.scores.items()}


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """What is printed also goes to a file. (torchreid's own logger closes the console in the end.)"""
    if not is_first():
        yield
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        log = path.open("a", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise InputError(
            f"cannot write to {str(path.parent)!r} ({error.strerror}); choose another data.save_dir"
        ) from None
    with log, redirect_stdout(_Both(sys.stdout, log)):
        yield


class _Both:
    def __init__(self, *streams: TextIO) -> None:
        self.streams = streams

    def write(self, text: str) -> int:
        for stream in self.streams:
            stream.write(text)
        return len(text)

    def flush(self) -> None:
        for stream in self.streams:
            stream.flush()
