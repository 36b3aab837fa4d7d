"""Where a training run stands, written after every epoch and read to resume it."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch

from torchreid_amd.checkpoint import is_classifier, write_checkpoint
from torchreid_amd.config import to_dict
from torchreid_amd.errors import InputError
from torchreid_amd.files import atomic_path
from torchreid_amd.host import PREFIX
from torchreid_amd.run import save_run
from torchreid_amd.safe_load import read_checkpoint

if TYPE_CHECKING:
    from torchreid_amd.engine import ImageAMDEngine

PROGRESS = "progress.pth.tar"
TARGET = "target.safetensors"


def write_progress(engine: ImageAMDEngine) -> Path:
    """Write head, optimizer, scheduler and the number of finished epochs beside the logs."""
    path = Path(engine.save_dir) / PROGRESS
    state: dict[str, Any] = {
        "epoch": engine.epoch + 1,
        "head": engine.model.head.state_dict(),
        "optimizer": engine.optimizer.state_dict(),
        "scheduler": None if engine.scheduler is None else engine.scheduler.state_dict(),
    }
    write_checkpoint(path, state)
    return path


def read_progress(path: str | os.PathLike[str], engine: ImageAMDEngine) -> int:
    """Put a run back to where its last finished epoch left it.

    Args:
        path: a progress file, or the run folder it lies in.
        engine: an engine built as the one that wrote it.

    Returns:
        The epoch to go on with; 0 where there is no progress yet.

    Raises:
        InputError: the file is damaged or belongs to another interpreter.
    """
    file = Path(path)
    file = file / PROGRESS if not file.suffix else file
    if not file.exists():
        print(f"No progress at {str(file)!r} yet; starting from the first epoch")
        return 0
    state = read_checkpoint(file)
    try:
        engine.model.head.load_state_dict(state["head"])
        engine.optimizer.load_state_dict(state["optimizer"])
        if engine.scheduler is not None and state["scheduler"] is not None:
            engine.scheduler.load_state_dict(state["scheduler"])
        epoch = int(state["epoch"])
    except (KeyError, RuntimeError, ValueError, TypeError) as error:
        raise InputError(
            f"progress {str(file)!r} does not belong to this interpreter "
            f"({str(error).splitlines()[0][:120]}); use the options it was trained with, or another save_dir"
        ) from None
    print(f"Resumed from {str(file)!r}: {epoch} epoch(s) are done")
    return epoch


def save_engine_run(engine: ImageAMDEngine, save_dir: str, epochs: int) -> Path:
    """Write the run folder of an engine (see :mod:`torchreid_amd.run`).

    Where the configuration names no file with the target's weights, they are written to
    ``target.safetensors`` in the folder.
    """
    cfg, target = engine.config, engine.model.target
    weights = cfg.model.load_weights
    if not weights:
        weights = Path(save_dir) / TARGET
        state = {k: v.detach().cpu().contiguous().clone() for k, v in target.model.state_dict().items()}
        data = safetensors.torch.save(state)
        with atomic_path(weights) as temporary:
            temporary.write_bytes(data)
    name = target.name or cfg.model.name.removeprefix(PREFIX)
    scores = {data: result.to_dict() for data, result in engine.scores.items()}
    return save_run(
        save_dir,
        engine.model,
        model=name,
        num_classes=_identities(target.model.state_dict()),
        loss=cfg.loss.name,
        weights=weights,
        size=(engine.datamanager.height, engine.datamanager.width),
        norm_mean=cfg.data.norm_mean,
        norm_std=cfg.data.norm_std,
        config=to_dict(cfg),
        scores={"epochs": epochs, "datasets": scores},
        command=shlex.join(sys.argv),
    )


def _identities(state: dict[str, torch.Tensor]) -> int:
    """How many identities a model's classifier tells apart; 1 where it has none."""
    sizes = [v.shape[0] for k, v in state.items() if is_classifier(k) and k.endswith("weight")]
    return sizes[-1] if sizes else 1
