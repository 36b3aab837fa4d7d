"""Where a training run stands, written after every epoch and read to resume it."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from torch import nn

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.safe_load import read_checkpoint
from torchreid_amd.targets.weights import write_checkpoint

_log = logging.getLogger(__name__)
PROGRESS = "progress.pth.tar"


def write_progress(
    folder: str | os.PathLike[str], epoch: int, head: nn.Module, optimizer: Any, scheduler: Any = None
) -> Path:
    """Write where a run stands into its folder.

    Args:
        folder: of the run.
        epoch: how many epochs are finished.
        head: of the interpreter.
        optimizer: over its parameters.
        scheduler: of the learning rate.
    """
    path = Path(folder) / PROGRESS
    state: dict[str, Any] = {
        "epoch": epoch,
        "head": head.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": None if scheduler is None else scheduler.state_dict(),
    }
    write_checkpoint(path, state)
    return path


def read_progress(
    path: str | os.PathLike[str], head: nn.Module, optimizer: Any, scheduler: Any = None
) -> int:
    """Put a run back to where its last finished epoch left it.

    Args:
        path: a progress file, or the run folder it lies in.
        head: built as the one that was written; so are the others.
        optimizer: over its parameters.
        scheduler: of the learning rate.

    Returns:
        The epoch to go on with; 0 where there is no progress yet.

    Raises:
        InputError: the file is damaged or belongs to another interpreter.
    """
    file = Path(path)
    file = file / PROGRESS if not file.suffix else file
    if not file.exists():
        _log.info(f"No progress at {str(file)!r} yet; starting from the first epoch")
        return 0
    state = read_checkpoint(file)
    try:
        head.load_state_dict(state["head"])
        optimizer.load_state_dict(state["optimizer"])
        if scheduler is not None and state["scheduler"] is not None:
            scheduler.load_state_dict(state["scheduler"])
        epoch = int(state["epoch"])
    except (KeyError, RuntimeError, ValueError, TypeError) as error:
        raise InputError(
            f"progress {str(file)!r} does not belong to this interpreter "
            f"({str(error).splitlines()[0][:120]}); use the options it was trained with, or another save_dir"
        ) from None
    _log.info(f"Resumed from {str(file)!r}: {epoch} epoch(s) are done")
    return epoch
