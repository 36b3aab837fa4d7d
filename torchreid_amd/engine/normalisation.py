"""The statistics of a head's normalisation layers, taken anew from images of another domain.

Li et al., *Revisiting Batch Normalization For Practical Domain Adaptation*, 2016,
https://arxiv.org/abs/1603.04779.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

from torchreid_amd.interpreter.interpreter import Interpreter


def reestimate(interpreter: Interpreter, batches: Iterable[Tensor]) -> int:
    """Means and variances of the head's own batch normalisations from images, and from nothing else.

    Each becomes the mean over the batches of what the layer is given, with the head as in training
    (dropout included), as it came by them there. The target has no part in it.

    Args:
        interpreter: its head is changed in place.
        batches: (B, 3, H, W) each, of about one size and at least 2.

    Returns:
        How many layers there are.
    """
    count = sum(isinstance(m, _BatchNorm) and m.track_running_stats for m in interpreter.head.modules())
    if count:
        update_bn(batches, _HeadAlone(interpreter).train(interpreter.training))
    return count


class _HeadAlone(nn.Module):
    """The interpreter as a module that has the head's layers and not the target's."""

    def __init__(self, interpreter: Interpreter) -> None:
        super().__init__()
        self.head = interpreter.head
        self._whole = (interpreter,)  # a tuple: its other layers are not this one's

    def forward(self, images: Tensor) -> None:
        with torch.no_grad():
            self._whole[0](images.to(self._whole[0].device))
