"""What tests/test_processes.py has done by one process and by two: trainings, scores, stores.

torchrun --nproc-per-node 2 tests/shared_work.py ROOT FOLDER
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from torchreid_amd import cli
from torchreid_amd.config import get_default_config, merge
from torchreid_amd.core import host
from torchreid_amd.core.processes import is_first, joined
from torchreid_amd.engine.engine import ImageAMDEngine
from torchreid_amd.engine.train import build_datamanager, build_engine
from torchreid_amd.gallery.extract import extract

STEPS = 3
_BALANCED = ("sampler.train_sampler", "RandomIdentitySampler", "sampler.num_instances", 2)
#: Trainings by name: what is asked for beside :func:`configuration`.
TRAININGS: dict[str, tuple[Any, ...]] = {
    "attrimeter": ("amd.head", "attrimeter", *_BALANCED, "amd.loss.prior.colour", 1.0),
    "additive": ("amd.head", "additive"),
    "cached": ("amd.head", "amd", "amd.cache", True, "amd.fast", True, "data.transforms", "['random_flip']"),
}
#: A training that loses a process in its second epoch.
KILLED = ("amd.head", "attrimeter", "train.max_epoch", 3)


def _pairs(folder: Path, *opts: Any) -> list[str]:
    """OSNet ×0.25 at 64×32, batches of 4; by SGD, which does not widen small gaps."""
    pairs = {
        "model.name": "osnet_x0_25",
        "model.pretrained": False,
        "data.height": 64,
        "data.width": 32,
        "data.workers": 0,
        "data.transforms": "[]",
        "data.save_dir": folder,
        "train.batch_size": 4,
        "train.max_epoch": 2,
        "train.optim": "sgd",
        "train.lr": 0.001,
        "train.print_freq": 1,
        "test.ranks": [1],
    }
    return [str(x) for pair in pairs.items() for x in pair] + [str(o) for o in opts]


def configuration(root: Path, folder: Path, *opts: Any) -> Any:
    """A small training on 12 photographs."""
    cfg = get_default_config()
    cfg.use_gpu = False
    cfg.data.root = str(root)
    cfg.data.sources = cfg.data.targets = ["market1501_attr"]
    return merge(cfg, "", _pairs(folder, *opts))


def engine_for(cfg: Any) -> ImageAMDEngine:
    """An engine whose target has batch statistics that matter."""
    host.torchreid().utils.set_random_seed(cfg.train.seed)
    engine = build_engine(cfg, build_datamanager(cfg))
    for module in engine.model.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return engine


def steps(root: Path, folder: Path, *opts: Any) -> dict[str, Any]:
    """The losses of some steps, and the head after them."""
    cfg = configuration(root, folder, *opts)
    engine = engine_for(cfg)
    engine.save_dir = str(folder)
    engine.prepare_steps()
    engine.epoch = 0
    engine.set_model_mode("train")
    torch.manual_seed(1)
    losses = []
    for batch, data in enumerate(engine.train_loader):
        engine.batch_idx = batch
        losses.append(engine.forward_backward(data))
        if len(losses) == STEPS:
            break
    return {"losses": losses, "head": {k: v.clone() for k, v in engine.model.head.state_dict().items()}}


def options(root: Path, folder: Path, *opts: Any) -> list[str]:
    """The command line of a training with :func:`configuration`."""
    sets = ["--root", str(root), "-s", "market1501_attr", "-t", "market1501_attr"]
    return ["train", *sets, *_pairs(folder, *opts)]


def scored(root: Path, run: Path) -> None:
    """Scores of a run, into its folder."""
    skipped = [word for part in ("sanity", "rerank", "attributes") for word in ("--skip", part)]
    assert cli.main(["evaluate", str(run), "--root", str(root), "--removal-pairs", "2", *skipped]) == 0


def extracted(root: Path, run: Path, store: Path) -> None:
    """Twelve photographs into a file, then eight more, of which the first two are there already."""
    photographs = sorted(root.rglob("*.jpg"))
    extract(run, photographs[:12], store, maps=True, batch_size=3)
    extract(run, photographs[10:], store, maps=True, batch_size=3)


def killed(root: Path, folder: Path) -> int:
    """The command of a training, whose second process is killed in the second epoch."""
    step = ImageAMDEngine.forward_backward

    def forward_backward(engine: ImageAMDEngine, data: Any) -> dict[str, float]:
        if engine.epoch == 1 and engine.batch_idx == 1 and os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal.SIGKILL)
        return step(engine, data)

    ImageAMDEngine.forward_backward = forward_backward  # type: ignore[method-assign]
    return cli.main(options(root, folder, *KILLED))


def main(root: Path, folder: Path) -> int:
    torch.set_num_threads(1)
    with joined():
        found = {name: steps(root, folder / name, *opts) for name, opts in TRAININGS.items()}
        scored(root, folder / "run")
        extracted(root, folder / "run", folder / "run" / "gallery.h5")
        if is_first():
            torch.save(found, folder / "found.pt")
    return killed(root, folder / "killed")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
