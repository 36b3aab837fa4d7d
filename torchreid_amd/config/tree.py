"""Every configuration key with its default: torchreid's tree, and the ``amd`` node beside it."""

from __future__ import annotations

from typing import Any

from yacs.config import CfgNode

from torchreid_amd.core.images import IMAGENET_MEAN, IMAGENET_STD

DEFAULT_HEAD = "additive"  #: of the command line and of :func:`torchreid_amd.create_interpreter`


def get_default_config() -> CfgNode:
    """A new configuration with every default.

    ``use_gpu`` is not in the tree, as in torchreid: scripts set ``cfg.use_gpu`` themselves, and
    the adapters use a GPU where there is one if they did not.

    Example:
        >>> import torchreid_amd as amd
        >>> cfg = amd.get_default_config()
        >>> cfg.merge_from_list(["amd.metric", "cosine"])
        >>> cfg.amd.head, cfg.amd.metric, cfg.data.height, cfg.data.width
        ('additive', 'cosine', 256, 128)
    """
    return CfgNode(
        {
            "model": {
                "name": "resnet50",  # the target; `amd_<name>` is the same with an interpreter
                "pretrained": True,  # start from ImageNet weights where torchreid has some
                "load_weights": "",  # checkpoint of the target
                "resume": "",  # checkpoint, or run folder, to go on from
            },
            "data": {
                "type": "image",  # image or video
                "root": "reid-data",  # folder of all data sets
                "sources": ["market1501"],  # data sets to train on
                "targets": ["market1501"],  # data sets to test on
                "workers": 4,  # processes that load images
                "split_id": 0,  # which split, where a data set has several
                "height": 256,  # of the input, in pixels
                "width": 128,  # of the input, in pixels
                "combineall": False,  # train on query and gallery too
                "transforms": ["random_flip"],  # augmentations
                "k_tfm": 1,  # augmented copies of each image
                "norm_mean": list(IMAGENET_MEAN),  # per channel
                "norm_std": list(IMAGENET_STD),  # per channel
                "save_dir": "log",  # run folder
                "load_train_targets": False,  # load their training part, too: see random_surroundings
            },
            "market1501": {"use_500k_distractors": False},  # larger gallery
            "cuhk03": {
                "labeled_images": False,  # boxes drawn by hand instead of detected ones
                "classic_split": False,  # the split of 2014
                "use_metric_cuhk03": False,  # the score of 2014: one gallery image a person
            },
            "sampler": {
                "train_sampler": "RandomSampler",  # for the sources
                "train_sampler_t": "RandomSampler",  # for the training part of the targets
                "num_instances": 4,  # images of a person in a batch (RandomIdentitySampler)
                "num_cams": 1,  # cameras in a batch (RandomDomainSampler)
                "num_datasets": 1,  # data sets in a batch (RandomDatasetSampler)
            },
            "video": {
                "seq_len": 15,  # frames of a tracklet
                "sample_method": "evenly",  # how they are chosen
                "pooling_method": "avg",  # how their features become one
            },
            "train": {
                "optim": "adam",
                "lr": 0.0003,
                "weight_decay": 0.0005,
                "max_epoch": 60,
                "start_epoch": 0,
                "batch_size": 32,
                "fixbase_epoch": 0,  # first epochs in which only open_layers learn
                "open_layers": ["classifier"],
                "staged_lr": False,  # slower learning for all but new_layers
                "new_layers": ["classifier"],
                "base_lr_mult": 0.1,  # how much slower
                "lr_scheduler": "single_step",
                "stepsize": [20],  # epochs at which the learning rate falls
                "gamma": 0.1,  # to this part of it
                "print_freq": 20,  # batches between printed lines
                "seed": 1,
            },
            "sgd": {"momentum": 0.9, "dampening": 0.0, "nesterov": False},  # momentum: also rmsprop's
            "rmsprop": {"alpha": 0.99},
            "adam": {"beta1": 0.9, "beta2": 0.999},
            "loss": {
                "name": "softmax",  # softmax or triplet
                "softmax": {"label_smooth": True},
                "triplet": {"margin": 0.3, "weight_t": 1.0, "weight_x": 0.0},  # weight_x: cross entropy
            },
            "test": {
                "batch_size": 100,
                "dist_metric": "euclidean",  # torchreid's: the squared one; or cosine
                "normalize_feature": False,  # embeddings at unit length
                "ranks": [1, 5, 10, 20],  # of the CMC table
                "evaluate": False,  # test only
                "eval_freq": -1,  # epochs between tests; -1: only after training
                "start_eval": 0,  # no tests before this epoch
                "rerank": False,  # k-reciprocal re-ranking
                "visrank": False,  # write ranking pictures (with evaluate)
                "visrank_topk": 10,
            },
            "amd": _amd_defaults(),
        }
    )


def _amd_defaults() -> dict[str, Any]:
    """The ``amd`` node: everything about the interpreter."""
    return {
        "head": DEFAULT_HEAD,  # a registered head: additive; amd and attrimeter, the paper's
        "init": "target",  # start of the head's own stages: target or fresh
        "stages": 0,  # how many of the target's last stages head amd copies; 0: all behind the stem
        "metric": "",  # distance to decompose: euclidean (plain), squared_euclidean, cosine; empty: test's
        "form": "",  # d ≈ (1/M) Σ d_k: mean; d ≈ Σ d_k: sum; exact: additive; empty: the head's own
        "additive": {  # of the head of that name
            "levels": 0,  # how many of the target's maps it sees, the coarsest of them; 0: all
            "groups": True,  # attributes that exclude each other compete
            "places": True,  # places where an attribute is usually seen are favoured
            "readout": 0.5,  # weight of what the embedding shows beside what its eye sees; 0: nothing
            "penalty": 0.06,  # of the regression of embeddings on attributes
        },
        "attributes": {
            "set": "",  # a registered attribute set; empty: the one of the sources
            "file": "",  # your own labels: .csv, .json or .h5
            "identity": "",  # where a path says who it is: a regular expression, its first group
            "schema": "",  # groups and words for that file, .json; optional
        },
        "loss": {
            "distillation": {
                "weight": 1.0,
                "gate": 0.0,  # no loss from batches whose mean gap is below
            },
            "prior": {
                "weight": 10.0,  # of the whole prior
                "alpha": 0.5,  # τ = (N/M)^α
                "group": 2.0,  # weight: exclusive attributes together take at least τ
                "exclusive": 10.0,  # weight: lower bound of each exclusive attribute
                "common": 10.0,  # weight: upper bound of each common attribute
                "colour": 0.0,  # weight: colours that neither person wears (needs groups)
                "theta": 0.3,  # their bound, relative to the colours worn
                "decay": False,  # divide the prior by √iteration
            },
        },
        "finetune": False,  # train later layers of the target, too, by its own loss and by recognition
        "finetuning": {
            "layers": [],  # which, as torchreid's open_layers; empty: all behind the stem
            "lr": 0.0003,  # of those layers
            "weight": 1.0,  # how much recognition teaches them; 0: nothing, the control
        },
        "cache": False,  # compute what the head needs of the frozen target once, and train from that
        "cache_file": "",  # where that is kept; empty: frozen.h5 in data.save_dir
        "cache_precision": "fp16",  # of what is kept: fp16 or fp32
        "cache_views": 4,  # augmented views of each photograph
        "fast": False,  # train on a copy of the frozen target with its batch normalisations folded
        "amp": False,  # train in bfloat16 where the machine has it; distances stay in single precision
        "compile": False,  # compile the steps of training (torch.compile); minutes before the first one
        "skip_broken": False,  # leave out photographs that cannot be read instead of stopping
        "overwrite": False,  # replace a finished run of another configuration in data.save_dir
        "synthetic": {
            "train_ids": 200,  # identities of synthetic_attr to train on
            "test_ids": 150,  # identities to test on
            "images_per_id": 10,
            "seed": 0,
        },
    }
