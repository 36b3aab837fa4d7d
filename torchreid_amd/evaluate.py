"""Scoring a trained interpreter on test data."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from yacs.config import CfgNode

from torchreid_amd import host
from torchreid_amd.config import engine_run_kwargs, get_default_config
from torchreid_amd.engine import ImageAMDEngine
from torchreid_amd.explanation import write_json
from torchreid_amd.run import load_run
from torchreid_amd.train import build_datamanager

SCORES = "scores.json"


def evaluate(
    folder: str | os.PathLike[str],
    change: Callable[[Any], Any] = lambda cfg: cfg,
    weights: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Score a run on the test data of its configuration, and write ``scores.json`` into it.

    Args:
        folder: the run folder.
        change: changes the run's configuration (other targets, another root …) and returns it.
        weights: the target's weights, if they have moved.

    Returns:
        The scores of each target data set, by name.
    """
    run = load_run(folder, weights)
    cfg = get_default_config()
    cfg.use_gpu = torch.cuda.is_available()
    cfg.merge_from_other_cfg(CfgNode(run.config))
    cfg = change(cfg)
    cfg.data.height, cfg.data.width = run.size
    cfg.data.norm_mean, cfg.data.norm_std = list(run.norm_mean), list(run.norm_std)
    host.torchreid().utils.set_random_seed(cfg.train.seed)
    engine = ImageAMDEngine(build_datamanager(cfg), run.interpreter, None, None, cfg.use_gpu, cfg)
    engine.run(**{**engine_run_kwargs(cfg), "test_only": True})
    scores = {name: result.to_dict() for name, result in engine.scores.items()}
    path = Path(folder) / SCORES
    write_json({"run": str(Path(folder).resolve()), "datasets": scores}, path)
    print(f"Written: {path}")
    return scores
