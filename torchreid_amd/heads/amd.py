"""The interpreter of AMD: its own copy of the later stages, then the decomposition head.

Attribute-guided Metric Distillation, Chen et al., ICCV 2021, section 3.2,
https://arxiv.org/abs/2103.01451
"""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn

from torchreid_amd.core.errors import unknown_name
from torchreid_amd.core.registry import register_head
from torchreid_amd.heads.decomposition_head import DecompositionHead
from torchreid_amd.targets.cuts.later import cut_later
from torchreid_amd.targets.tail import Features, principal
from torchreid_amd.targets.target import Target

_INITS = ("target", "fresh")


@register_head(name="amd")
class AMDHead(nn.Module):
    """Maps from a trainable copy of the target's body.

    Args:
        target: the frozen target; its stem is shared, its body copied.
        num_attributes: M.
        channels: C of the target's principal feature map.
        init: start the copy from the ``'target'``'s weights or ``'fresh'``.
        stages: how many of the target's last stages are copied, where it is cut so
            (:func:`~torchreid_amd.create_interpreter` does that, by :meth:`cut_target`); 0 for all.

    Raises:
        InputError: an unknown start.
    """

    def __init__(
        self, target: Target, num_attributes: int, channels: int, init: str = "target", stages: int = 0
    ) -> None:
        super().__init__()
        if init not in _INITS:
            raise unknown_name("start of the head (init)", init, _INITS)
        self.init = init
        self.body = copy.deepcopy(target.trunk).requires_grad_(True)
        if init == "fresh":
            for module in self.body.modules():
                reset = getattr(module, "reset_parameters", None)
                if callable(reset):
                    reset()
        self.decomposition = DecompositionHead(channels, num_attributes)

    @staticmethod
    def cut_target(target: Target, stages: int = 0, **_: Any) -> Target:
        """The target as this head wants it: the stages that it does not copy belong to the stem."""
        return cut_later(target, stages) if stages else target

    def forward(self, early: Any, features: Features) -> Tensor:
        """Early features and feature map(s) -> maps (B, M, h, w) on the principal map's grid."""
        maps: Tensor = self.decomposition(principal(self.body(early)))
        return maps

    def start(self, target: Target) -> None:
        """Take the target's present weights over, where that is how this head starts."""
        if self.init == "target":
            self.body.load_state_dict(target.trunk.state_dict())
