"""torchreid's configuration tree plus the ``amd`` node, and the adapters that read it.

Keys and defaults outside ``amd`` are those of torchreid's own training script, and the adapters
have its names, so a script changes one import. Configuration files and ``KEY VALUE`` pairs are
merged by :func:`torchreid_amd.config.merge.merge`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from yacs.config import CfgNode

from torchreid_amd.config.merge import config_of_run, merge
from torchreid_amd.config.tree import get_default_config
from torchreid_amd.core.errors import InputError

__all__ = [
    "activate",
    "active_config",
    "amd_kwargs",
    "config_of_run",
    "dataset_kwargs",
    "distillation_kwargs",
    "engine_run_kwargs",
    "get_default_config",
    "imagedata_kwargs",
    "lr_scheduler_kwargs",
    "merge",
    "optimizer_kwargs",
    "prior_kwargs",
    "to_dict",
    "videodata_kwargs",
    "with_whole_paths",
]

_active: list[CfgNode] = []


def activate(cfg: CfgNode) -> None:
    """Make ``cfg`` the configuration that things built by torchreid's own functions read."""
    _active[:] = [cfg]


def active_config() -> CfgNode:
    """The configuration last given to :func:`imagedata_kwargs` or :func:`activate`, or the default.

    torchreid builds models from four keywords; this is how ``amd_<model>`` learns of ``amd.*``.
    """
    return _active[0] if _active else get_default_config()


def to_dict(cfg: CfgNode) -> dict[str, Any]:
    """The configuration as nested plain dictionaries."""
    return {k: to_dict(v) if isinstance(v, CfgNode) else v for k, v in cfg.items()}


def with_whole_paths(cfg: CfgNode) -> CfgNode:
    """A copy in which every path that is needed again stands whole, so that it holds from any folder."""
    whole = cfg.clone()
    for node, key in (
        (whole.data, "root"),
        (whole.model, "load_weights"),
        (whole.amd, "cache_file"),
        (whole.amd.attributes, "file"),
        (whole.amd.attributes, "schema"),
    ):
        path = Path(node[key]).expanduser()
        if node[key] and (key != "schema" or path.suffix):  # a schema may be the name of a registered set
            node[key] = str(path.resolve())
    return whole


def _use_gpu(cfg: CfgNode) -> bool:
    return bool(cfg.get("use_gpu", torch.cuda.is_available()))


def _data_kwargs(cfg: CfgNode) -> dict[str, Any]:
    """What image and video data managers both take."""
    activate(cfg)
    data, sampler = cfg.data, cfg.sampler
    _refuse_swallowed_pairs(cfg)
    return {
        **{k: data[k] for k in ("root", "sources", "targets", "height", "width", "transforms")},
        **{k: data[k] for k in ("norm_mean", "norm_std", "split_id", "combineall", "workers")},
        **{k: sampler[k] for k in ("train_sampler", "num_instances", "num_cams", "num_datasets")},
        "use_gpu": _use_gpu(cfg),
        "batch_size_train": cfg.train.batch_size,
        "batch_size_test": cfg.test.batch_size,
    }


def _refuse_swallowed_pairs(cfg: CfgNode) -> None:
    """torchreid's script takes a ``KEY VALUE`` pair directly behind ``-s`` or ``-t`` for data sets."""
    names = [*cfg.data.sources, *cfg.data.targets]
    key = next((name for name in names if "." in name and name.split(".")[0] in cfg), None)
    if key is not None:
        raise InputError(
            f"the key {key!r} was taken for a data set, because it stands directly behind -s or -t; "
            f"put another option between them: -s … -t … --root ROOT {key} VALUE"
        )


def dataset_kwargs(cfg: CfgNode) -> dict[str, Any]:
    """Keywords that torchreid's image data manager passes on to each data set."""
    return {
        "root": cfg.data.root,
        "split_id": cfg.data.split_id,
        "cuhk03_labeled": cfg.cuhk03.labeled_images,
        "cuhk03_classic_split": cfg.cuhk03.classic_split,
        "market1501_500k": cfg.market1501.use_500k_distractors,
    }


def imagedata_kwargs(cfg: CfgNode) -> dict[str, Any]:
    """Keywords of ``torchreid.data.ImageDataManager``; makes ``cfg`` the active configuration."""
    return {
        **_data_kwargs(cfg),
        "k_tfm": cfg.data.k_tfm,
        "load_train_targets": cfg.data.load_train_targets,
        "train_sampler_t": cfg.sampler.train_sampler_t,
        "cuhk03_labeled": cfg.cuhk03.labeled_images,
        "cuhk03_classic_split": cfg.cuhk03.classic_split,
        "market1501_500k": cfg.market1501.use_500k_distractors,
    }


def videodata_kwargs(cfg: CfgNode) -> dict[str, Any]:
    """Keywords of ``torchreid.data.VideoDataManager``; makes ``cfg`` the active configuration."""
    video = cfg.video
    return {**_data_kwargs(cfg), "seq_len": video.seq_len, "sample_method": video.sample_method}


def optimizer_kwargs(cfg: CfgNode) -> dict[str, Any]:
    """Keywords of ``torchreid.optim.build_optimizer`` beside the model."""
    keys = ("optim", "lr", "weight_decay", "staged_lr", "new_layers", "base_lr_mult")
    return {
        **{k: cfg.train[k] for k in keys},
        "momentum": cfg.sgd.momentum,
        "sgd_dampening": cfg.sgd.dampening,
        "sgd_nesterov": cfg.sgd.nesterov,
        "rmsprop_alpha": cfg.rmsprop.alpha,
        "adam_beta1": cfg.adam.beta1,
        "adam_beta2": cfg.adam.beta2,
    }


def lr_scheduler_kwargs(cfg: CfgNode) -> dict[str, Any]:
    """Keywords of ``torchreid.optim.build_lr_scheduler`` beside the optimizer."""
    return {k: cfg.train[k] for k in ("lr_scheduler", "stepsize", "gamma", "max_epoch")}


def engine_run_kwargs(cfg: CfgNode) -> dict[str, Any]:
    """Keywords of an engine's ``run``."""
    train = ("max_epoch", "start_epoch", "fixbase_epoch", "open_layers", "print_freq")
    test = ("start_eval", "eval_freq", "dist_metric", "normalize_feature", "visrank", "visrank_topk")
    return {
        **{k: cfg.train[k] for k in train},
        **{k: cfg.test[k] for k in (*test, "ranks", "rerank")},
        "save_dir": cfg.data.save_dir,
        "test_only": cfg.test.evaluate,
        "use_metric_cuhk03": cfg.cuhk03.use_metric_cuhk03,
    }


def amd_kwargs(cfg: CfgNode) -> dict[str, Any]:
    """Keywords of :func:`torchreid_amd.create_interpreter` beside the target.

    The metric is torchreid's ``test.dist_metric`` unless ``amd.metric`` names one. ``attributes`` is there
    only where ``amd.attributes.set`` names a set, ``init`` and ``stages`` only for the ``amd`` head and the
    node ``amd.additive`` only for the ``additive`` head, which alone take them.
    """
    amd = cfg.amd
    options: dict[str, Any] = {}
    if amd.head == "amd":
        options = {"init": amd.init} | ({"stages": amd.stages} if amd.stages else {})
    if amd.head == "additive":
        options = {k: v for k, v in amd.additive.items() if k != "groups"}
        options |= {} if amd.additive.groups else {"groups": []}
    return {
        "head": amd.head,
        **({"attributes": amd.attributes.set} if amd.attributes.set else {}),
        "metric": amd.metric or cfg.test.dist_metric,
        "form": amd.form,
        **options,
    }


def distillation_kwargs(cfg: CfgNode) -> dict[str, Any]:
    """Keywords of :class:`torchreid_amd.losses.MetricDistillationLoss`."""
    distillation = cfg.amd.loss.distillation
    form = "sum" if cfg.amd.form == "sum" else "mean"
    return {"form": form, "gate": distillation.gate, "weight": distillation.weight}


def prior_kwargs(cfg: CfgNode) -> dict[str, Any]:
    """Keywords of :class:`torchreid_amd.losses.AttributePriorLoss` beside the groups."""
    prior = cfg.amd.loss.prior
    return {
        **{k: prior[k] for k in ("alpha", "theta", "weight", "decay")},
        "group_weight": prior.group,
        "exclusive_weight": prior.exclusive,
        "common_weight": prior.common,
        "exclusive_group_weight": prior.colour,
    }
