"""Joint fine-tuning: later layers of the target learn their own task and to recognise attributes.

The target is then another one than it was: the run folder holds it, and the head explains it. After
Lin et al., *Improving person re-identification by attribute and identity learning*, Pattern
Recognition 2019, https://arxiv.org/abs/1703.07220.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.processes import count
from torchreid_amd.engine.engine import ImageAMDEngine
from torchreid_amd.engine.learner import with_target
from torchreid_amd.interpreter.decomposer import BATCH
from torchreid_amd.interpreter.interpreter import Interpreter
from torchreid_amd.targets.open_target import OpenTarget

_torchreid = host.torchreid()


def open_target(interpreter: Interpreter, cfg: Any) -> OpenTarget:
    """The target of an interpreter with the layers that ``amd.finetuning.layers`` names, closed.

    Raises:
        InputError: the model has no such layers, or the head is not taught by recognising.
    """
    if not hasattr(interpreter.head, "loss"):
        raise InputError(
            f"amd.finetune teaches the target by what a head recognises, and head {cfg.amd.head!r} is taught "
            "by distances; set amd.head additive"
        )
    return OpenTarget(interpreter.target, cfg.amd.finetuning.layers, cfg.amd.finetuning.weight)


def finetune_group(interpreter: Interpreter, cfg: Any) -> dict[str, Any]:
    """The layers of the target that learn, as a group of an optimizer's parameters."""
    return {"params": list(open_target(interpreter, cfg).learning()), "lr": cfg.amd.finetuning.lr}


class ImageFinetuneEngine(ImageAMDEngine):
    """Trains an interpreter and, together with it, later layers of its target.

    A step's loss is torchreid's own (``loss.name``: softmax or triplet, with its keys) plus what the head
    misses of the labels; the latter reaches the target times ``amd.finetuning.weight``. Batch
    normalisations of the open layers follow the batches, the others stay as they are. Before a test the
    target is frozen again, and the head learns its directions from the embeddings as they are then.

    Args:
        *args: as those of :class:`~torchreid_amd.engine.engine.ImageAMDEngine`; the optimizer has the group
            of :func:`finetune_group`, too.
        **kwargs: likewise.

    Raises:
        InputError: the head is not taught by recognising, or layers are named that are not there.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        loss, classes = self.config.loss, self.datamanager.num_train_pids
        self.open = open_target(self.model, self.config)
        self.identity = _torchreid.losses.CrossEntropyLoss(
            num_classes=classes, use_gpu=self.use_gpu, label_smooth=loss.softmax.label_smooth
        )
        self.triplet = _torchreid.losses.TripletLoss(margin=loss.triplet.margin)

    @property
    def learnt(self) -> nn.Module:
        """Head and model."""
        return nn.ModuleList([self.model.head, self.model.target.model])

    def prepare_steps(self) -> None:
        """Say what learns.

        Raises:
            InputError: several processes share the training, which a target that learns is not made for.
        """
        if count() > 1:
            raise InputError(
                f"amd.finetune trains the target, which {count()} processes cannot share; start it without "
                "torchrun"
            )
        self.learner = with_target(self.model, self.open)
        asked, learning = self.config.amd.finetuning, sum(p.numel() for p in self.open.learning())
        print(
            f"Fine-tuning: {', '.join(self.open.layers)} of the target ({learning:,} parameters) by "
            f"{self.config.loss.name} loss + recognition × {asked.weight:g}, learning rate {asked.lr:g}"
        )

    def two_stepped_transfer_learning(self, *_: Any, **__: Any) -> None:
        """At the start of an epoch, when everything was set to its mode: the chosen layers learn."""
        self.open.open()

    def forward_backward(self, data: dict[str, Any]) -> dict[str, float]:
        """One step on a batch; gives the terms of the losses."""
        images, people = (t.to(self.device) for t in self.parse_data_for_train(data))
        labels = torch.from_numpy(self.labels.train(data)).to(self.device)
        own = self.own_loss(images, people)
        recognised, summary = self.loss(images, labels)
        loss = torch.stack([*own.values(), recognised]).sum()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return summary | {name: term.item() for name, term in own.items()} | {"loss": loss.item()}

    def own_loss(self, images: Tensor, people: Tensor) -> dict[str, Tensor]:
        """torchreid's loss of a batch, term by term, each times its weight.

        Args:
            images: (B, 3, H, W).
            people: (B,) training identities.
        """
        outputs = self.open.outputs(images)
        if self.config.loss.name == "softmax":
            return {"softmax": self.compute_loss(self.identity, outputs, people)}
        logits, embeddings = outputs
        weights = self.config.loss.triplet
        terms = {"triplet": weights.weight_t * self.compute_loss(self.triplet, embeddings, people)}
        if weights.weight_x > 0:
            terms["softmax"] = weights.weight_x * self.compute_loss(self.identity, logits, people)
        return terms

    def test(self, *args: Any, **kwargs: Any) -> Any:
        """As torchreid's, of the target as it is now."""
        self.open.close()
        relearn = getattr(self.model.head, "relearn", None)
        if callable(relearn):
            relearn(self._taught())
        return super().test(*args, **kwargs)

    def _taught(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Labels and embeddings of the training photographs, as they are without augmentation."""
        items = self.train_loader.dataset.train
        for start in range(0, len(items), BATCH):
            part = items[start : start + BATCH]
            batch = {"impath": [item[0] for item in part], "dsetid": [item[3] for item in part]}
            labels = torch.from_numpy(self.labels.train(batch)).to(self.device)
            yield labels, self.decomposer.embed(self.decomposer.read(batch["impath"]))
