"""MuDeep: a fully connected layer reads every position of the last map with weights of its own.

Qian et al., *Multi-scale Deep Learning Architectures for Person Re-identification*, ICCV 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from torchreid_amd.targets.by_name import chain
from torchreid_amd.targets.families import register_target
from torchreid_amd.targets.tail import Features, Tail, principal
from torchreid_amd.targets.target import Place, Target


class FullyConnectedTail(Tail):
    """Flatten, linear layer, neck: linear in the maps, though no average.

    Args:
        projection: the linear layer, C·h·w -> D.
        neck: what follows it.
    """

    linear = True

    def __init__(self, projection: nn.Linear, neck: nn.Module) -> None:
        super().__init__(nn.Sequential(nn.Flatten(1), projection, neck))
        self.projection, self.neck = projection, neck

    def components(self, maps: Tensor, features: Features) -> Tensor:
        """(B, M, h, w) and (B, C, h, w) -> (B, M, D).

        The layer's products with the features are summed over the channels first, (B, D, h·w);
        the maps are then one batched product away.
        """
        columns = principal(features).flatten(2)  # (B, C, h·w)
        weight = self.projection.weight.reshape(-1, *columns.shape[1:])  # (D, C, h·w)
        projected = torch.einsum("dcp,bcp->bpd", weight, columns)
        components: Tensor = self.neck((maps.flatten(2) @ projected + self.projection.bias).flatten(0, 1))
        return components.reshape(*maps.shape[:2], -1)


@register_target("mudeep")
def mudeep(model: nn.Module) -> Target:
    """Qian et al., ICCV 2017. Cut before the fully connected layer, which fixes the input's size."""
    projection, *neck = model.get_submodule("fc").children()
    assert isinstance(projection, nn.Linear)
    return Target(
        chain(model, ("block1", "block2")),
        _Streams(*(model.get_submodule(n) for n in ("block3", "block4", "block5"))),
        FullyConnectedTail(projection, nn.Sequential(*neck)),
        model=model,
        fixed_size=True,
        place=Place("block2", ("block5",), "by entry"),
    )


class _Streams(nn.Module):
    """Reduction, four scales, fusion with pooling by four."""

    def __init__(self, reduction: nn.Module, scales: nn.Module, fusion: nn.Module) -> None:
        super().__init__()
        self.reduction, self.scales, self.fusion = reduction, scales, fusion

    def forward(self, early: Tensor) -> Tensor:
        fused: Tensor = self.fusion(*self.scales(self.reduction(early)))
        return fused
