"""The first version of the interpreter: the decomposition head on the target's own last map.

AttriMeter: An Attribute-guided Metric Interpreter for Person Re-Identification, Chen et al.,
2021, https://arxiv.org/abs/2103.01451v1
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from torchreid_amd.core.registry import register_head
from torchreid_amd.heads.decomposition_head import DecompositionHead
from torchreid_amd.targets.tail import Features, principal
from torchreid_amd.targets.target import Target


@register_head(name="attrimeter")
class AttriMeterHead(nn.Module):
    """Maps straight from the target's feature map; small and quick to train.

    Args:
        target: the frozen target.
        num_attributes: M.
        channels: C of the target's principal feature map.
    """

    reads = ("features",)  #: what it needs of the frozen target

    def __init__(self, target: Target, num_attributes: int, channels: int) -> None:
        super().__init__()
        self.decomposition = DecompositionHead(channels, num_attributes)

    def forward(self, early: Any, features: Features) -> Tensor:
        """Feature map(s) -> maps (B, M, h, w) of the principal one; the early features are not used."""
        maps: Tensor = self.decomposition(principal(features))
        return maps
