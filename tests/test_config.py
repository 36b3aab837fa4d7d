"""torchreid's configuration works unchanged: its keys, their defaults, and what its functions are given."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from flat_tree import flat

from torchreid_amd import losses
from torchreid_amd.config import (
    activate,
    active_config,
    amd_kwargs,
    distillation_kwargs,
    engine_run_kwargs,
    get_default_config,
    imagedata_kwargs,
    lr_scheduler_kwargs,
    merge,
    optimizer_kwargs,
    prior_kwargs,
    to_dict,
    videodata_kwargs,
)
from torchreid_amd.core import host


@pytest.fixture(autouse=True)
def _forget() -> Any:
    """No configuration stays active for the next test."""
    before = active_config()
    yield
    activate(before)


#: what torchreid's documentation states, node by node
TORCHREID = {
    "model": {"name": "resnet50", "pretrained": True, "load_weights": "", "resume": ""},
    "data": dict(
        type="image", root="reid-data", sources=["market1501"], targets=["market1501"], workers=4, split_id=0,
        height=256, width=128, combineall=False, transforms=["random_flip"], k_tfm=1,
        norm_mean=[0.485, 0.456, 0.406], norm_std=[0.229, 0.224, 0.225], save_dir="log",
        load_train_targets=False,
    ),
    "market1501": {"use_500k_distractors": False},
    "cuhk03": {"labeled_images": False, "classic_split": False, "use_metric_cuhk03": False},
    "sampler": dict(
        train_sampler="RandomSampler", train_sampler_t="RandomSampler", num_instances=4, num_cams=1,
        num_datasets=1,
    ),
    "video": {"seq_len": 15, "sample_method": "evenly", "pooling_method": "avg"},
    "train": dict(
        optim="adam", lr=3e-4, weight_decay=5e-4, max_epoch=60, start_epoch=0, batch_size=32,
        fixbase_epoch=0, open_layers=["classifier"], staged_lr=False, new_layers=["classifier"],
        base_lr_mult=0.1, lr_scheduler="single_step", stepsize=[20], gamma=0.1, print_freq=20, seed=1,
    ),
    "sgd": {"momentum": 0.9, "dampening": 0.0, "nesterov": False},
    "rmsprop": {"alpha": 0.99},
    "adam": {"beta1": 0.9, "beta2": 0.999},
    "loss": {
        "name": "softmax",
        "softmax": {"label_smooth": True},
        "triplet": {"margin": 0.3, "weight_t": 1.0, "weight_x": 0.0},
    },
    "test": dict(
        batch_size=100, dist_metric="euclidean", normalize_feature=False, ranks=[1, 5, 10, 20],
        evaluate=False, eval_freq=-1, start_eval=0, rerank=False, visrank=False, visrank_topk=10,
    ),
}  # fmt: skip


def test_every_key_and_default_outside_amd_is_torchreids() -> None:
    ours = to_dict(get_default_config())
    ours.pop("amd")
    assert ours == TORCHREID


def test_the_amd_node() -> None:
    assert flat(to_dict(get_default_config().amd)) == {
        "head": "additive",
        "init": "target",
        "stages": 0,
        "metric": "",
        "form": "",
        "additive.levels": 0,
        "additive.groups": True,
        "additive.places": True,
        "additive.readout": 0.5,
        "additive.penalty": 0.06,
        "attributes.set": "",
        "attributes.file": "",
        "attributes.identity": "",
        "attributes.schema": "",
        "loss.distillation.weight": 1.0,
        "loss.distillation.gate": 0.0,
        "loss.prior.weight": 10.0,
        "loss.prior.alpha": 0.5,
        "loss.prior.group": 2.0,
        "loss.prior.exclusive": 10.0,
        "loss.prior.common": 10.0,
        "loss.prior.colour": 0.0,
        "loss.prior.theta": 0.3,
        "loss.prior.decay": False,
        "finetune": False,
        "finetuning.layers": [],
        "finetuning.lr": 0.0003,
        "finetuning.weight": 1.0,
        "cache": False,
        "cache_file": "",
        "cache_precision": "fp16",
        "cache_views": 4,
        "fast": False,
        "compile": False,
        "amp": False,
        "skip_broken": False,
        "overwrite": False,
        "synthetic.train_ids": 200,
        "synthetic.test_ids": 150,
        "synthetic.images_per_id": 10,
        "synthetic.seed": 0,
    }


def test_two_configurations_share_nothing() -> None:
    one, two = get_default_config(), get_default_config()
    one.data.sources.append("dukemtmcreid")
    one.amd.loss.prior.alpha = 1.0
    assert two.data.sources == ["market1501"] and two.amd.loss.prior.alpha == 0.5


# --- adapters ------------------------------------------------------------------------------------


def parameters(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters) - {"self"}


def test_adapters_fit_torchreids_functions() -> None:
    """Every keyword exists there, and nothing torchreid would need is left out."""
    torchreid, cfg = host.torchreid(), get_default_config()
    image, video = torchreid.data.ImageDataManager.__init__, torchreid.data.VideoDataManager.__init__
    assert set(imagedata_kwargs(cfg)) == parameters(image)
    assert set(videodata_kwargs(cfg)) == parameters(video)
    assert set(optimizer_kwargs(cfg)) <= parameters(torchreid.optim.build_optimizer)
    assert set(lr_scheduler_kwargs(cfg)) == parameters(torchreid.optim.build_lr_scheduler) - {"optimizer"}
    assert set(engine_run_kwargs(cfg)) == parameters(torchreid.engine.Engine.run)


def test_adapters_take_the_right_values() -> None:
    """Every key gets a value of its own, so that one read in another's place shows."""
    cfg = get_default_config()
    merge(cfg, opts="data.k_tfm 2 data.split_id 3 train.batch_size 11 test.batch_size 12".split())
    merge(cfg, opts="sampler.num_instances 5 sampler.num_cams 6 sampler.num_datasets 7".split())
    merge(cfg, opts="data.workers 9 sampler.train_sampler_t A cuhk03.labeled_images True".split())
    merge(cfg, opts="video.seq_len 8".split())
    merge(cfg, opts="sgd.momentum .5 rmsprop.alpha .6 adam.beta1 .7 adam.beta2 .8 sgd.nesterov True".split())
    merge(cfg, opts="test.evaluate True test.start_eval 4 cuhk03.use_metric_cuhk03 True".split())
    image, video = imagedata_kwargs(cfg), videodata_kwargs(cfg)
    assert (image["k_tfm"], image["split_id"], image["workers"]) == (2, 3, 9)
    assert (image["batch_size_train"], image["batch_size_test"]) == (11, 12)
    assert (image["num_instances"], image["num_cams"], image["num_datasets"]) == (5, 6, 7)
    assert (image["train_sampler"], image["train_sampler_t"]) == ("RandomSampler", "A")
    assert image["cuhk03_labeled"] and not image["cuhk03_classic_split"] and not image["market1501_500k"]
    assert (video["seq_len"], video["sample_method"], video["batch_size_train"]) == (8, "evenly", 11)
    optim = optimizer_kwargs(cfg)
    momenta = [optim[k] for k in ("momentum", "rmsprop_alpha", "adam_beta1", "adam_beta2")]
    assert momenta == [0.5, 0.6, 0.7, 0.8]
    assert optim["sgd_nesterov"] is True and optim["sgd_dampening"] == 0.0
    run = engine_run_kwargs(cfg)
    assert (run["test_only"], run["start_eval"], run["use_metric_cuhk03"]) == (True, 4, True)
    assert run["save_dir"] == "log" and run["max_epoch"] == lr_scheduler_kwargs(cfg)["max_epoch"] == 60


def test_use_gpu_is_the_scripts_choice_where_it_makes_one(monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = get_default_config()
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert imagedata_kwargs(cfg)["use_gpu"] is True
    cfg.use_gpu = False
    assert imagedata_kwargs(cfg)["use_gpu"] is False and videodata_kwargs(cfg)["use_gpu"] is False


def test_amd_adapters() -> None:
    cfg = get_default_config()
    own = {"levels": 0, "places": True, "readout": 0.5, "penalty": 0.06}
    assert amd_kwargs(cfg) == {"head": "additive", "metric": "euclidean", "form": "", **own}
    merge(cfg, opts="amd.additive.groups False amd.additive.readout 0.0".split())
    assert amd_kwargs(cfg)["groups"] == [] and amd_kwargs(cfg)["readout"] == 0.0
    merge(cfg, opts="amd.head amd".split())
    assert amd_kwargs(cfg) == {"head": "amd", "metric": "euclidean", "form": "", "init": "target"}
    merge(cfg, opts="amd.head attrimeter amd.attributes.set market1501".split())
    merge(cfg, opts="amd.form sum amd.metric cosine".split())
    assert amd_kwargs(cfg) == {
        "head": "attrimeter",
        "attributes": "market1501",
        "metric": "cosine",
        "form": "sum",
    }
    merge(cfg, opts="amd.loss.distillation.gate 0.25 amd.loss.prior.group 3 amd.loss.prior.colour 4".split())
    assert distillation_kwargs(cfg) == {"form": "sum", "gate": 0.25, "weight": 1.0}
    prior = prior_kwargs(cfg)
    weights = [prior[k] for k in ("group_weight", "exclusive_group_weight", "common_weight")]
    assert weights == [3.0, 4.0, 10.0]


def test_loss_adapters_fit_the_losses() -> None:
    cfg = get_default_config()
    assert set(distillation_kwargs(cfg)) == parameters(losses.MetricDistillationLoss.__init__)
    assert set(prior_kwargs(cfg)) == parameters(losses.AttributePriorLoss.__init__) - {"groups"}


def test_the_data_adapters_make_their_configuration_the_active_one() -> None:
    cfg = get_default_config()
    imagedata_kwargs(cfg)
    assert active_config() is cfg
    other = get_default_config()
    videodata_kwargs(other)
    assert active_config() is other
