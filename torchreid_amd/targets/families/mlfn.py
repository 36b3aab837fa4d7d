"""MLFN: factor signatures of every block run beside the trunk into the embedding.

Chang et al., *Multi-Level Factorisation Net for Person Re-Identification*, CVPR 2018. A signature
is a feature map of one position: an attribute's map comes to it as its average.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from torchreid_amd.core.registry import register_target
from torchreid_amd.targets.tail import AveragePoolTail
from torchreid_amd.targets.target import CutPoint, Target

_STAGE_2 = 7  # blocks up to an eighth of the resolution


class _Blocks(nn.Module):
    """Blocks of the trunk; signatures are gathered on the way."""

    def __init__(self, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        trunk, signatures = x[0], list(x[1:])
        for block in self.blocks:
            trunk, signature = block(trunk)
            signatures.append(signature)
        return trunk, torch.cat(signatures, 1)


class _Stem(nn.Module):
    def __init__(self, model: nn.Module, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.conv1, self.bn1, self.maxpool = map(model.get_submodule, ("conv1", "bn1", "maxpool"))
        self.blocks = _Blocks(blocks)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        trunk, signatures = self.blocks((self.maxpool(self.bn1(self.conv1(images)).relu()),))
        return trunk, signatures


class _Projections(nn.Module):
    def __init__(self, pool: nn.Module, fc_x: nn.Module, fc_s: nn.Module) -> None:
        super().__init__()
        self.pool, self.fc_x, self.fc_s = pool, fc_x, fc_s

    def forward(self, features: tuple[Tensor, Tensor]) -> Tensor:
        trunk, signatures = features
        return ((self.fc_x(self.pool(trunk)) + self.fc_s(signatures)) * 0.5).flatten(1)


@register_target("mlfn")
def mlfn(model: nn.Module) -> Target:
    """Chang et al., CVPR 2018. The trunk's map, and the factor signatures as a 1×1 map."""
    blocks = list(model.get_submodule("feature").children())
    stem = _Stem(model, blocks[:_STAGE_2])
    rest = _Projections(*(model.get_submodule(n) for n in ("global_avgpool", "fc_x", "fc_s")))
    cut_point = CutPoint(
        f"feature.{_STAGE_2 - 1}", (f"feature.{len(blocks) - 1}", "factor signatures"), "by entry"
    )
    body = _Blocks(blocks[_STAGE_2:])
    return Target(stem, body, AveragePoolTail(rest), model=model, cut_point=cut_point)
