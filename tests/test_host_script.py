"""A training script written for torchreid 1.4 runs on PyPI's torchreid, and trains an interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_market import write_tiny_market

import torchreid_amd as amd
from torchreid_amd.config import get_default_config, imagedata_kwargs
from torchreid_amd.core import host

SUBPACKAGES = ("data", "engine", "losses", "metrics", "models", "optim", "utils")

# What such scripts have in common: torchreid's submodules imported by their names of 1.4, the
# configuration merged from a list behind -s, -t and --root, torchreid's own builders and engine.
_SCRIPT = """
import torchreid_amd
import argparse
import torchreid
from torchreid.utils import Logger, compute_model_complexity, set_random_seed
from torchreid.data.datasets.dataset import ImageDataset
from torchreid_amd.config import (
    engine_run_kwargs, get_default_config, imagedata_kwargs, lr_scheduler_kwargs, optimizer_kwargs
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", "--sources", nargs="+")
    parser.add_argument("-t", "--targets", nargs="+")
    parser.add_argument("--root", default="")
    parser.add_argument("opts", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    cfg = get_default_config()
    cfg.use_gpu = False
    cfg.data.root, cfg.data.sources, cfg.data.targets = args.root, args.sources, args.targets
    cfg.merge_from_list(args.opts)
    set_random_seed(cfg.train.seed)
    data = torchreid.data.ImageDataManager(**imagedata_kwargs(cfg))
    assert isinstance(data.test_loader["market1501_attr"]["query"].dataset, ImageDataset)
    model = torchreid.models.build_model(
        cfg.model.name, data.num_train_pids, loss=cfg.loss.name, pretrained=False, use_gpu=False
    )
    parameters, _ = compute_model_complexity(model, (1, 3, cfg.data.height, cfg.data.width))
    optimizer = torchreid.optim.build_optimizer(model, **optimizer_kwargs(cfg))
    scheduler = torchreid.optim.build_lr_scheduler(optimizer, **lr_scheduler_kwargs(cfg))
    engine = torchreid.engine.ImageSoftmaxEngine(
        data, model, optimizer=optimizer, scheduler=scheduler, use_gpu=False, label_smooth=True
    )
    engine.run(**engine_run_kwargs(cfg))
"""


def run_script(folder: Path, *pairs: str) -> subprocess.CompletedProcess[str]:
    script = folder / "main.py"
    script.write_text(_SCRIPT)
    root = str(write_tiny_market(folder / "data"))
    chosen = ["model.name", "amd_osnet_x0_25", "data.height", "64", "data.width", "32", "data.workers", "0"]
    chosen += ["train.batch_size", "4", "train.max_epoch", "1", "test.ranks", "[1]"]
    options = ["-s", "market1501_attr", "-t", "market1501_attr", *pairs, "--root", root]
    command = [sys.executable, str(script), *options, *chosen, "data.save_dir", str(folder / "run")]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder)


def test_a_script_of_torchreids_kind_trains_an_interpreter(tmp_path: Path) -> None:
    result = run_script(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / "run" / "run.json").is_file()


def test_a_pair_behind_the_targets_is_named(tmp_path: Path) -> None:
    result = run_script(tmp_path, "train.lr", "0.01")
    assert result.returncode != 0
    assert "the key 'train.lr' was taken for a data set" in result.stderr
    cfg = get_default_config()
    cfg.data.sources = ["market1501", "v1.5"]  # a point alone does not make a key
    assert imagedata_kwargs(cfg)["sources"] == ["market1501", "v1.5"]


_ALIASES = """
import sys
import torchreid_amd as amd
import torchreid
for part in {parts}:
    module = __import__("torchreid." + part, fromlist=["x"])
    assert module is getattr(torchreid, part), part
import torchreid.data.datasets.image.market1501 as market
assert market.Market1501 is torchreid.data.datasets.image.Market1501
amd.uninstall()
assert not [n for n in sys.modules if n.startswith("torchreid.data") or n == "torchreid.utils"]
try:
    import torchreid.utils
except ModuleNotFoundError:
    print("taken back")
amd.install()
import torchreid.utils
"""


def test_submodules_are_the_very_modules_and_are_taken_back() -> None:
    if host.torchreid().utils.__name__ == "torchreid.utils":
        pytest.skip("the installed torchreid has these modules")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-W", "ignore", "-c", _ALIASES.format(parts=SUBPACKAGES)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.strip() == "taken back"


def test_a_module_that_was_there_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    amd.uninstall()
    own = type(sys)("torchreid.utils")
    monkeypatch.setitem(sys.modules, "torchreid.utils", own)
    try:
        amd.install()
        assert sys.modules["torchreid.utils"] is own
        amd.uninstall()
        assert sys.modules["torchreid.utils"] is own
    finally:
        monkeypatch.undo()
        amd.install()
