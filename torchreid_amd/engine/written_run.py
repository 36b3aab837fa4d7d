"""The run folder of an engine: what training leaves behind."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import safetensors.torch

from torchreid_amd.config import to_dict, with_whole_paths
from torchreid_amd.core.files import atomic_path
from torchreid_amd.core.host import PREFIX
from torchreid_amd.interpreter.run_folder import save_run
from torchreid_amd.targets.classifier import classes_of

TARGET = "target.safetensors"  #: where the target's weights are kept that stand in no other file


def save_engine_run(engine: Any, save_dir: str, epochs: int) -> Path:
    """Write the run folder of an ``ImageAMDEngine`` (see :mod:`torchreid_amd.interpreter.run_folder`).

    Where the configuration names no file with the target's weights, or training changed them
    (``amd.finetune``), they are written to ``target.safetensors`` in the folder.
    """
    cfg, target = engine.config, engine.model.target
    weights = cfg.model.load_weights
    if not weights or cfg.amd.finetune:
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
        num_classes=max(1, classes_of(target.model.state_dict())),
        loss=cfg.loss.name,
        weights=weights,
        size=engine.decomposer.size,
        norm_mean=engine.decomposer.norm_mean,
        norm_std=engine.decomposer.norm_std,
        config=to_dict(with_whole_paths(cfg)),
        scores={"epochs": epochs, "datasets": scores},
        command=shlex.join(sys.argv),
    )
