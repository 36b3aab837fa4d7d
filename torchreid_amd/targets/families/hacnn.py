"""HACNN: a global branch, and a local branch that looks at four regions of its own choosing.

Li et al., *Harmonious Attention Network for Person Re-Identification*, CVPR 2018. Every region
is a stripe of a quarter of the height; an attribute's map is read off at the very places the
last regions lie.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from torchreid_amd.core.registry import register_target
from torchreid_amd.targets.tail import AveragePoolTail, Features
from torchreid_amd.targets.target import CutPoint, Target

_REGIONS = 4
_INPUTS = ((24, 28), (12, 14), (6, 7))  # of the local branch, by block


def _stripes(x: Tensor, offsets: Tensor, padding: str = "zeros") -> Iterator[Tensor]:
    """What each region shows: x (B, C, h, w), offsets (B, 4, 2) in half images -> 4 × (B, C, h, w)."""
    for i in range(_REGIONS):
        theta = torch.zeros(len(x), 2, 3, dtype=x.dtype, device=x.device)
        theta[:, 0, 0], theta[:, 1, 1] = 1, 1 / _REGIONS
        theta[:, :, 2] = offsets[:, i]
        grid = functional.affine_grid(theta, list(x.shape), align_corners=False)
        yield functional.grid_sample(x, grid, padding_mode=padding, align_corners=False)


class _Block(nn.Module):
    """One block of both branches: global map and local maps -> the next ones, and the regions."""

    def __init__(self, model: nn.Module, number: int) -> None:
        super().__init__()
        self.inception = model.get_submodule(f"inception{number}")
        self.attention = model.get_submodule(f"ha{number}")
        self.local = model.get_submodule(f"local_conv{number}")
        self.input = _INPUTS[number - 1]

    def forward(self, x: Tensor, local: tuple[Tensor, ...] = ()) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
        inner = self.inception(x)
        attention, offsets = self.attention(inner)
        seen = []
        for i, stripe in enumerate(_stripes(x, offsets)):
            region = functional.interpolate(stripe, self.input, mode="bilinear", align_corners=True)
            seen.append(self.local(region + local[i] if local else region))
        return inner * attention, tuple(seen), offsets


class _Stem(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.conv = model.get_submodule("conv")
        self.first, self.second = _Block(model, 1), _Block(model, 2)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        x, local, _ = self.first(self.conv(images))
        x, local, _ = self.second(x, local)
        return (x, *local)


class _Body(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.third = _Block(model, 3)

    def forward(self, early: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, local, offsets = self.third(early[0], early[1:])
        return (x, *local, offsets)


class _Trunk(nn.Module):
    """The global branch alone."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.inception = model.get_submodule("inception3")
        self.attention = model.get_submodule("ha3.soft_attn")

    def forward(self, early: tuple[Tensor, ...]) -> Tensor:
        inner = self.inception(early[0])
        return inner * self.attention(inner)


class _Join(nn.Module):
    def __init__(self, fc_global: nn.Module, fc_local: nn.Module) -> None:
        super().__init__()
        self.fc_global, self.fc_local = fc_global, fc_local

    def forward(self, branches: tuple[Tensor, ...]) -> Tensor:
        whole, *regions = (branch.mean((2, 3)) for branch in branches)
        ends = self.fc_global(whole), self.fc_local(torch.cat(regions, 1))
        return torch.cat([end / end.norm(p=2, dim=1, keepdim=True) for end in ends], 1)


class RegionTail(AveragePoolTail):
    """A tail of one global map and maps of four regions; features end with the regions' offsets."""

    def branches(self, features: Features) -> tuple[Tensor, ...]:
        """The global map and the four regions'."""
        return tuple(features[: 1 + _REGIONS])

    def place(self, maps: Tensor, features: Features) -> tuple[Tensor, ...]:
        """The maps over the whole image, and as each region shows them; at the edge they go on."""
        branches = self.branches(features)
        stripes = _stripes(maps, features[-1], padding="border")
        read = (
            functional.interpolate(stripe, branch.shape[2:], mode="bilinear", align_corners=True)
            for stripe, branch in zip(stripes, branches[1:], strict=True)
        )
        return (maps, *read)


@register_target("hacnn")
def hacnn(model: nn.Module) -> Target:
    """Li et al., CVPR 2018. The global branch's map and those of four regions; takes 160×64 only."""
    rest = _Join(*(model.get_submodule(n) for n in ("fc_global", "fc_local")))
    return Target(
        _Stem(model),
        _Body(model),
        RegionTail(rest),
        model=model,
        trunk=_Trunk(model),
        size=(160, 64),
        fixed_size=True,
        cut_point=CutPoint(
            "ha2", ("ha3", *(f"local_conv3 of region {i + 1}" for i in range(_REGIONS))), "by entry"
        ),
    )
