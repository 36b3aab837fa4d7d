"""ResNet with mid-level features: the embedding joins the last three blocks.

Yu et al., *The Devil is in the Middle: Exploiting Mid-level Representations for Cross-Domain
Instance Matching*, 2017. The three maps have one resolution; heads look at the last block's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from torchreid_amd.core.registry import register_target
from torchreid_amd.targets.cuts.by_chain import chain
from torchreid_amd.targets.tail import AveragePoolTail
from torchreid_amd.targets.target import CutPoint, Target


class _Blocks(nn.Module):
    """Early features -> the maps of the last block, of the first and of the second."""

    def __init__(self, layer3: nn.Module, layer4: nn.Module) -> None:
        super().__init__()
        self.layer3, self.layer4 = layer3, layer4

    def forward(self, early: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        first, second, third = self.layer4.children()
        a = first(self.layer3(early))
        b = second(a)
        return third(b), a, b


class _Fusion(nn.Module):
    def __init__(self, pool: nn.Module, fc_fusion: nn.Module) -> None:
        super().__init__()
        self.pool, self.fc_fusion = pool, fc_fusion

    def forward(self, features: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        c, a, b = (self.pool(f).flatten(1) for f in features)
        return torch.cat([self.fc_fusion(torch.cat([a, b], 1)), c], 1)


@register_target("resnet50mid")
def resnet50mid(model: nn.Module) -> Target:
    """Yu et al., 2017. Three maps, one after each block of the last stage."""
    stem = chain(model, ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2"))
    body = _Blocks(*(model.get_submodule(n) for n in ("layer3", "layer4")))
    rest = _Fusion(*(model.get_submodule(n) for n in ("global_avgpool", "fc_fusion")))
    cut_point = CutPoint("layer2", ("layer4.2", "layer4.0", "layer4.1"), "by entry")
    return Target(stem, body, AveragePoolTail(rest), model=model, cut_point=cut_point)
