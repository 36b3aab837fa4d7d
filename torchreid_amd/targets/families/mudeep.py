"""MuDeep: a fully connected layer reads every position of the last map with weights of its own.

Qian et al., *Multi-scale Deep Learning Architectures for Person Re-identification*, ICCV 2017.
Nothing is averaged, so components follow their definition, in blocks.
"""

from __future__ import annotations

from torch import Tensor, nn

from torchreid_amd.core.registry import register_target
from torchreid_amd.targets.cuts.by_chain import chain
from torchreid_amd.targets.tail import Tail
from torchreid_amd.targets.target import CutPoint, Target


class _Streams(nn.Module):
    """Reduction, four scales, fusion with pooling by four."""

    def __init__(self, reduction: nn.Module, scales: nn.Module, fusion: nn.Module) -> None:
        super().__init__()
        self.reduction, self.scales, self.fusion = reduction, scales, fusion

    def forward(self, early: Tensor) -> Tensor:
        fused: Tensor = self.fusion(*self.scales(self.reduction(early)))
        return fused


@register_target("mudeep")
def mudeep(model: nn.Module) -> Target:
    """Qian et al., ICCV 2017. Cut before the fully connected layer, which fixes the input's size."""
    return Target(
        chain(model, ("block1", "block2")),
        _Streams(*(model.get_submodule(n) for n in ("block3", "block4", "block5"))),
        Tail(nn.Sequential(nn.Flatten(1), model.get_submodule("fc"))),
        model=model,
        fixed_size=True,
        cut_point=CutPoint("block2", ("block5",), "by entry"),
    )
