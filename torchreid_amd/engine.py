"""torchreid's engine for interpreters: trains the head, leaves the target alone, scores both."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from torchreid_amd import host
from torchreid_amd.attributes.manager import ManagerLabels
from torchreid_amd.config import active_config
from torchreid_amd.distances import get_distance
from torchreid_amd.errors import InputError
from torchreid_amd.interpreted import InterpretedModel
from torchreid_amd.interpreter import Interpreter, shares_of
from torchreid_amd.losses import batch_pairs
from torchreid_amd.registry import losses
from torchreid_amd.progress import read_progress, write_progress

_torchreid = host.torchreid()


def interpreter_of(model: nn.Module) -> Interpreter | None:
    """The interpreter inside a model, through ``DataParallel`` and ``amd_*`` models; else None."""
    while isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        model = model.module
    if isinstance(model, InterpretedModel):
        return model.interpreter
    return model if isinstance(model, Interpreter) else None


class ImageAMDEngine(_torchreid.engine.Engine):  # type: ignore[misc]
    """Trains an interpreter with metric distillation and the attribute prior.

    The target stays frozen and in eval mode: its parameters and buffers are bit-identical
    afterwards. Each epoch starts from a seed of its own (``train.seed`` + epoch), so a run resumed
    after its last finished epoch ends like an uninterrupted one; the ``random_patch`` transform,
    which remembers patches across epochs in the main process, is the exception.

    Args:
        datamanager: a torchreid image data manager.
        model: an :class:`~torchreid_amd.interpreter.Interpreter` or a model of an ``amd_*`` factory
            entry, possibly in ``DataParallel``.
        optimizer: over the head's parameters (frozen ones are skipped).
        scheduler: learning-rate scheduler, stepped once an epoch.
        use_gpu: use CUDA where there is one.
        config: torchreid's tree with the ``amd`` node; default: the active configuration.
        labels: attribute labels; default: those of the data sets in use.

    Raises:
        InputError: the model holds no interpreter.
    """

    def __init__(
        self,
        datamanager: Any,
        model: nn.Module,
        optimizer: Any,
        scheduler: Any = None,
        use_gpu: bool = True,
        config: Any = None,
        labels: ManagerLabels | None = None,
    ) -> None:
        super().__init__(datamanager, use_gpu)
        interpreter = interpreter_of(model)
        if interpreter is None:
            raise InputError(
                f"ImageAMDEngine was given a {type(model).__name__}; expected an interpreter: "
                "build the model as 'amd_<name>', or wrap it with create_interpreter"
            )
        self.config = active_config() if config is None else config
        self.model = interpreter.cuda() if self.use_gpu else interpreter
        self.optimizer, self.scheduler = optimizer, scheduler
        self.register_model("interpreter", interpreter, optimizer, scheduler)
        self.labels = ManagerLabels(self.config, interpreter.attributes) if labels is None else labels
        amd = self.config.amd
        self.distillation = losses["metric_distillation"](interpreter.form, **amd.loss.distillation)
        self.prior = losses["attribute_prior"](interpreter.attributes.group_indices(), **amd.loss.prior)
        self.scores: dict[str, Any] = {}
        self.save_dir = ""
        self.on_save: Callable[[ImageAMDEngine, str], None] | None = None

    def run(self, save_dir: str = "log", **kwargs: Any) -> None:
        """As torchreid's; progress goes to ``save_dir`` after every epoch."""
        self.save_dir = save_dir
        super().run(save_dir=save_dir, **kwargs)

    def train(self, print_freq: int = 10, fixbase_epoch: int = 0, open_layers: Any = None) -> None:
        """One epoch, from its own seed."""
        _torchreid.utils.set_random_seed(self.config.train.seed + self.epoch)
        super().train(print_freq, fixbase_epoch, open_layers)
        if self.save_dir:
            write_progress(self)

    def two_stepped_transfer_learning(self, *_: Any, **__: Any) -> None:
        """Nothing: torchreid would open all layers, the frozen target's too."""

    def forward_backward(self, data: dict[str, Any]) -> dict[str, float]:
        """One step on a batch; gives the terms of the losses."""
        images = data["img"].cuda() if self.use_gpu else data["img"]
        labels = torch.from_numpy(self.labels.train(data)).to(images.device)
        loss, summary = self.loss(images, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return summary

    def loss(self, images: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Loss over all pairs of a batch, self-pairs left out.

        Args:
            images: (B, 3, H, W).
            labels: (B, M) of 1 yes, 0 no, −1 unknown.
        """
        interpreter = self.model
        out = interpreter(images)
        distance = get_distance(interpreter.metric)
        i, j = batch_pairs(len(images), images.device)
        whole = distance.matrix(out.embedding, out.embedding)[i, j]
        components = out.components.transpose(0, 1)
        parts = distance.matrix(components, components)[:, i, j].T  # (P, M)
        distilled = self.distillation(whole, parts)
        prior = self.prior(shares_of(parts), labels[i], labels[j])
        iteration = self.epoch * len(self.train_loader) + self.batch_idx + 1
        loss = self.distillation.total(distilled) + self.prior.total(prior, iteration)
        means = self.distillation.means(distilled) | self.prior.means(prior)
        return loss, {"loss": loss.item()} | {name: value.item() for name, value in means.items()}
