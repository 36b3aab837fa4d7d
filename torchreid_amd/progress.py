"""Where a training run stands, written after every epoch and read to resume it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from torchreid_amd.errors import InputError
from torchreid_amd.files import atomic_path
from torchreid_amd.safe_load import read_checkpoint

if TYPE_CHECKING:
    from torchreid_amd.engine import ImageAMDEngine

PROGRESS = "progress.pth.tar"


def write_progress(engine: ImageAMDEngine) -> Path:
    """Write head, optimizer, scheduler and the number of finished epochs beside the logs."""
    path = Path(engine.save_dir) / PROGRESS
    state: dict[str, Any] = {
        "epoch": engine.epoch + 1,
        "head": engine.model.head.state_dict(),
        "optimizer": engine.optimizer.state_dict(),
        "scheduler": None if engine.scheduler is None else engine.scheduler.state_dict(),
    }
    with atomic_path(path) as temporary:
        torch.save(state, temporary)
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
