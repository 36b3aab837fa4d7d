"""NASNet-A Mobile: every cell takes the outputs of the two cells before it.

Zoph et al., *Learning Transferable Architectures for Scalable Image Recognition*, CVPR 2018.
The early features are the outputs of two cells of one resolution, joined along the channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from torchreid_amd.core.registry import register_target
from torchreid_amd.targets.tail import AveragePoolTail
from torchreid_amd.targets.target import CutPoint, Target

_STAGE_2 = ("cell_0", "cell_1", "cell_2", "cell_3")
_LATER = (
    *("reduction_cell_0", "cell_6", "cell_7", "cell_8", "cell_9"),
    *("reduction_cell_1", "cell_12", "cell_13", "cell_14", "cell_15"),
)


class _Stem(nn.Module):
    def __init__(self, conv0: nn.Module, stems: Sequence[nn.Module], cells: Sequence[nn.Module]) -> None:
        super().__init__()
        self.conv0, self.stems, self.cells = conv0, nn.ModuleList(stems), nn.ModuleList(cells)

    def forward(self, images: Tensor) -> Tensor:
        x = self.conv0(images)
        before = self.stems[0](x)
        now = self.stems[1](x, before)
        for cell in self.cells:
            before, now = now, cell(now, before)
        return torch.cat([now, before], 1)


class _Cells(nn.Module):
    def __init__(self, cells: Sequence[nn.Module]) -> None:
        super().__init__()
        self.cells = nn.ModuleList(cells)

    def forward(self, early: Tensor) -> Tensor:
        now, before = early.chunk(2, 1)
        for cell in self.cells:
            before, now = now, cell(now, before)
        return now.relu()


class _Average(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features.mean((2, 3))


@register_target("nasnsetmobile")
def nasnsetmobile(model: nn.Module) -> Target:
    """Zoph et al., CVPR 2018 (the name is torchreid's). Two cells of an eighth of the resolution."""
    stems = [model.get_submodule(n) for n in ("cell_stem_0", "cell_stem_1")]
    stem = _Stem(model.get_submodule("conv0"), stems, [model.get_submodule(n) for n in _STAGE_2])
    body = _Cells([model.get_submodule(n) for n in _LATER])
    cut_point = CutPoint("cell_3", ("cell_15",), "by entry")
    return Target(stem, body, AveragePoolTail(_Average()), model=model, cut_point=cut_point)
