"""Values that a training cannot use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from . import World, case


def training(world: World, folder: Path, *pairs: str) -> list[str]:
    sets = ["-s", "market1501_attr", "-t", "market1501_attr", "--root", str(world.root)]
    model = ["model.name", "osnet_x0_25", "model.load_weights", str(world.weights)]
    sizes = ["data.height", "64", "data.width", "32", "data.workers", "0", "train.batch_size", "4"]
    return ["train", *sets, *model, *sizes, "data.save_dir", str(folder / "run"), *pairs]


REFUSED = {
    "data.height 0": "data.height is 0; expected a number of pixels",
    "data.width -4": "data.width is -4",
    "data.height 8": "does not run on 8×32 images .*; set data.height and data.width",
    "train.batch_size 0": "train.batch_size is 0",
    "test.batch_size 0": "test.batch_size is 0",
    "data.workers -1": "data.workers is -1",
    "train.max_epoch 0": "train.max_epoch is 0, so nothing would be trained",
    "train.start_epoch 70": "train.start_epoch is 70 of train.max_epoch 60",
    "train.lr 0": "train.lr is 0.0; expected a number above 0",
    "train.lr -1": "train.lr is -1.0",
    "train.stepsize []": "train.stepsize is .*; expected epochs",
    "train.print_freq 0": "train.print_freq is 0",
    "train.seed -1": "train.seed is -1",
    "train.optim adamw": "train.optim is 'adamw'; expected one of adam",
    "train.lr_scheduler steps": "expected one of single_step",
    "data.transforms ['flip']": "data.transforms is .'flip'.; expected any of random_flip",
    "data.norm_std [0,0,0]": "data.norm_std is .*; expected three numbers above 0",
    "data.norm_mean [0.5]": "data.norm_mean is .*; expected three numbers",
    "loss.name circle": "loss.name is 'circle'; expected one of softmax",
    "test.ranks []": "test.ranks is .*; expected ranks from 1",
    "test.ranks [0]": "test.ranks is .*; expected ranks from 1",
    "test.visrank True": "test.visrank is True, but .*test.evaluate True",
    "amd.metric manhattan": "metric",
    "amd.head nobody": "unknown head",
    "model.name nobody": "unknown model",
    "data.nobody 1": "unknown configuration key",
    "train.lr fast": "train.lr is 'fast', expected a value of type float",
}


@case()
def pictures_and_reranking_of_a_gallery_smaller_than_asked_for(
    world: World, folder: Path
) -> tuple[list[str], Callable[[], None]]:
    """Four photographs, where ten are to be drawn and twenty neighbours looked at."""
    wanted = ["test.evaluate", "True", "test.visrank", "True", "test.rerank", "True", "test.ranks", "[1, 20]"]

    def check() -> None:
        assert len(list((folder / "run").rglob("visrank_*/*.jpg"))) == 4  # one a query

    return training(world, folder, *wanted), check


def _enter(pair: str, said: str) -> None:
    def make(world: World, folder: Path) -> list[str]:
        return training(world, folder, *pair.split(" "))

    make.__name__ = pair
    case(said)(make)


for _pair, _said in REFUSED.items():
    _enter(_pair, _said)
