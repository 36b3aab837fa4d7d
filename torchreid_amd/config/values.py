"""Values a configuration cannot mean, said before anything is read or trained."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from operator import getitem
from typing import Any

from yacs.config import CfgNode

from torchreid_amd.core.errors import InputError

_TRANSFORMS = (
    *("random_flip", "random_crop", "random_patch", "color_jitter", "random_erase"),  # torchreid's
    "random_surroundings",  # ours, see engine/surroundings.py
)
_OPTIMIZERS = ("adam", "amsgrad", "sgd", "rmsprop", "radam")
_SCHEDULERS = ("single_step", "multi_step", "cosine")


def _positive(value: Any) -> bool:
    return bool(value > 0 and math.isfinite(value))


def _at_least(least: int) -> Callable[[Any], bool]:
    return lambda value: value >= least


def _one_of(names: tuple[str, ...]) -> tuple[Callable[[Any], bool], str]:
    return lambda value: value in names, "one of " + ", ".join(names)


def _three(value: Any) -> bool:
    return len(value) == 3 and all(math.isfinite(v) for v in value)


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "data.height": (_at_least(1), "a number of pixels, at least 1"),
    "data.width": (_at_least(1), "a number of pixels, at least 1"),
    "data.workers": (_at_least(0), "a number of processes, 0 for none"),
    "data.norm_mean": (_three, "three numbers, one a channel"),
    "data.norm_std": (lambda v: _three(v) and all(map(_positive, v)), "three numbers above 0, one a channel"),
    "data.transforms": (
        lambda v: not set(v) - set(_TRANSFORMS),
        f"any of {', '.join(_TRANSFORMS)}, or none: []",
    ),
    "train.batch_size": (_at_least(1), "a number of photographs, at least 1"),
    "test.batch_size": (_at_least(1), "a number of photographs, at least 1"),
    "train.lr": (_positive, "a number above 0"),
    "train.optim": _one_of(_OPTIMIZERS),
    "train.lr_scheduler": _one_of(_SCHEDULERS),
    "train.stepsize": (lambda v: bool(v) and all(n >= 1 for n in v), "epochs, at least one: [20]"),
    "train.print_freq": (_at_least(1), "a number of batches, at least 1"),
    "train.seed": (lambda v: 0 <= v < 2**32, "a number from 0 to 4294967295"),
    "train.start_epoch": (_at_least(0), "a number of epochs, 0 for none"),
    "loss.name": _one_of(("softmax", "triplet")),
    "amd.stages": (_at_least(0), "a number of stages, 0 for all"),
    "amd.finetuning.lr": (_positive, "a number above 0"),
    "amd.finetuning.weight": (lambda v: v >= 0 and math.isfinite(v), "a number, 0 for none"),
    "amd.cache_views": (_at_least(1), "a number of views, at least 1"),
    "amd.cache_precision": _one_of(("fp16", "fp32")),
    "test.ranks": (lambda v: bool(v) and all(n >= 1 for n in v), "ranks from 1, at least one: [1, 5, 10]"),
    "test.visrank_topk": (_at_least(1), "a number of photographs, at least 1"),
}


def check_values(cfg: CfgNode) -> None:
    """Refuse values that nothing could be done with, or that torchreid would pass over in silence.

    Raises:
        InputError: the first of them: key, value, and what is expected.
    """
    for key, (allows, expected) in _RULES.items():
        value = reduce(getitem, key.split("."), cfg)
        if not allows(value):
            raise InputError(f"{key} is {value!r}; expected {expected}")


def check_training_values(cfg: CfgNode) -> None:
    """As :func:`check_values`, and values that make no training.

    Raises:
        InputError: the first of them.
    """
    check_values(cfg)
    if cfg.test.visrank and not cfg.test.evaluate:
        raise InputError(
            "test.visrank is True, but ranking pictures are drawn in a test without training alone; "
            "give test.evaluate True too, or leave it out"
        )
    frozen = [f"amd.{key}" for key in ("cache", "fast", "amp", "compile") if cfg.amd[key]]
    if cfg.amd.finetune and frozen:
        raise InputError(
            f"amd.finetune trains the target, but {frozen[0]} is for one that is frozen; set one of them off"
        )
    if not cfg.model.resume and 0 < cfg.train.max_epoch <= cfg.train.start_epoch:
        raise InputError(
            f"train.start_epoch is {cfg.train.start_epoch} of train.max_epoch {cfg.train.max_epoch}, so "
            "nothing would be trained; give a smaller one, or model.resume RUN to go on with a run"
        )
