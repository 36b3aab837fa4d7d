"""From the feature map to the embedding: pooling, neck and fc, with the head's maps in between.

Chen et al., ICCV 2021, section 3: e_k(x) = T(A_k(x) ⊙ F(x)). A target with several feature maps
keeps them: A_k multiplies each, at its own resolution.
"""

from __future__ import annotations

from contextlib import redirect_stderr
from io import StringIO

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from torchreid_amd.targets.receptive_fields import resized

Features = Tensor | tuple[Tensor, ...]

BLOCK = 2**24  #: numbers in a block of weighted maps, where pooling is not linear (64 MB)


def principal(features: Features) -> Tensor:
    """The map (B, C, h, w) that a head looks at: the only one, or the first of several."""
    return features if isinstance(features, Tensor) else features[0]


class Tail(nn.Module):
    """Everything from the feature map, or maps, to the embedding.

    Args:
        rest: the target's own code, ``(N, C, h, w) -> (N, D)``, or from a tuple of maps.
    """

    linear = False  #: whether the maps enter by weighted sums, so that components are one product

    def __init__(self, rest: nn.Module) -> None:
        super().__init__()
        self.rest = rest

    def forward(self, features: Features) -> Tensor:
        """Feature map(s) -> embedding (B, D)."""
        branches = self.branches(features)
        embedding: Tensor = self.rest(features if isinstance(features, Tensor) else branches)
        return embedding

    def branches(self, features: Features) -> tuple[Tensor, ...]:
        """The feature maps (B, C_i, h_i, w_i) on the way to the embedding."""
        return (features,) if isinstance(features, Tensor) else features

    def place(self, maps: Tensor, features: Features) -> tuple[Tensor, ...]:
        """Maps (B, M, h, w) as they lie over each feature map: (B, M, h_i, w_i)."""
        return tuple(resized(maps, branch.shape[2:]) for branch in self.branches(features))

    def weighted(self, map_: Tensor, features: Features) -> Features:
        """A ⊙ F for one attribute: map (B, 1, h, w) on every feature map."""
        if isinstance(features, Tensor):
            return self.place(map_, features)[0] * features
        branches, placed = self.branches(features), self.place(map_, features)
        return tuple(a * f for a, f in zip(placed, branches, strict=True)) + features[len(branches) :]

    def components(self, maps: Tensor, features: Features) -> Tensor:
        """Attribute components e_k = T(A_k ⊙ F) of the embedding.

        By the definition, for blocks of (image, attribute) pairs: at most :data:`BLOCK` numbers of
        a weighted map exist at a time. Where gradients are wanted, a block is computed again in
        the backward pass instead of being kept.

        Args:
            maps: attribute-guided attention maps (B, M, h, w).
            features: the target's feature map(s).

        Returns:
            (B, M, D).
        """
        batch, attributes = maps.shape[:2]
        per_pair = sum(f[0].numel() for f in self.branches(features))
        step = max(1, BLOCK // per_pair)
        rows = torch.arange(batch, device=maps.device).repeat_interleave(attributes)
        flat = maps.flatten(0, 1).unsqueeze(1)  # (B·M, 1, h, w)
        blocks = []
        for a, row in zip(flat.split(step), rows.split(step), strict=True):
            if torch.is_grad_enabled() and maps.requires_grad:
                blocks.append(checkpoint(self._block, a, row, features, use_reentrant=False))
            else:
                blocks.append(self._block(a, row, features))
        return torch.cat(blocks).reshape(batch, attributes, -1)

    def _block(self, map_: Tensor, row: Tensor, features: Features) -> Tensor:
        chosen = features[row] if isinstance(features, Tensor) else tuple(f[row] for f in features)
        embedding: Tensor = self(self.weighted(map_, chosen))
        return embedding


class AveragePoolTail(Tail):
    """A tail that begins with an average pooling: over everything, or over parts.

    Args:
        rest: the target's own code from the map(s) to the embedding; it must work for maps that
            are pooled already.
        grid: rows and columns of the pooled map; (1, 1) for a global average, (6, 1) for six
            stripes, by the bins of adaptive average pooling.
    """

    linear = True

    def __init__(self, rest: nn.Module, grid: tuple[int, int] = (1, 1)) -> None:
        super().__init__(rest)
        self.grid = grid

    def components(self, maps: Tensor, features: Features) -> Tensor:
        """Attribute components e_k = T(A_k ⊙ F) of the embedding.

        Averaging is linear, so the M weighted averages are one batched product of maps and
        features; no B×M×C×h×w tensor comes up.

        Args:
            maps: attribute-guided attention maps (B, M, h, w).
            features: the target's feature map(s).

        Returns:
            (B, M, D).
        """
        branches, placed = self.branches(features), self.place(maps, features)
        pooled = tuple(self._pooled(a, f) for a, f in zip(placed, branches, strict=True))
        components: Tensor = self.rest(pooled[0] if isinstance(features, Tensor) else pooled)
        return components.reshape(*maps.shape[:2], -1)

    def _pooled(self, maps: Tensor, features: Tensor) -> Tensor:
        """Averages of A_k ⊙ F: (B, M, h, w) and (B, C, h, w) -> (B·M, C, rows, columns)."""
        columns = features.flatten(2).transpose(1, 2)  # (B, h·w, C)
        if self.grid == (1, 1):
            pooled = maps.flatten(2) @ columns / columns.shape[1]  # (B, M, C)
            return pooled.flatten(0, 1)[:, :, None, None]
        bins = pooling_bins(maps, self.grid)
        weights = maps.flatten(2).unsqueeze(2) * bins  # (B, M, bins, h·w)
        pooled = weights.flatten(1, 2) @ columns  # (B, M·bins, C)
        return pooled.reshape(-1, *self.grid, features.shape[1]).permute(0, 3, 1, 2)


def pooling_bins(like: Tensor, grid: tuple[int, int]) -> Tensor:
    """Weights (rows·columns, h·w) by which adaptive average pooling of an h×w map sums its positions."""
    height, width = like.shape[2:]
    unit = torch.eye(height * width, dtype=like.dtype, device=like.device)
    return functional.adaptive_avg_pool2d(unit.reshape(-1, 1, height, width), grid).flatten(1).T


@torch.no_grad()
def tail_of(rest: nn.Module, features: Features) -> Tail:
    """The tail for ``rest``: by products where it begins with a global average pooling.

    That it does is tried on the features, weighted at random: the embedding of the weighted map
    and that of its average must agree.

    Args:
        rest: feature map(s) -> embedding.
        features: feature map(s) of some images.
    """
    generator = torch.Generator().manual_seed(0)
    tail, average = Tail(rest), AveragePoolTail(rest)
    first = principal(features)
    maps = torch.rand(len(first), 2, *first.shape[2:], generator=generator).to(first) * 2
    if not all(torch.isfinite(f).all() for f in tail.branches(features)):
        drawn = (torch.rand(f.shape, generator=generator).to(f) for f in tail.branches(features))
        features = tuple(drawn) if isinstance(features, tuple) else next(drawn)
    full = tail.components(maps, features)
    try:
        with redirect_stderr(StringIO()):  # a traced module prints where it failed
            pooled = average.components(maps, features)
    except (RuntimeError, ValueError):  # the model's code needs the whole map
        return tail
    same = full.shape == pooled.shape and bool((full - pooled).abs().max() <= 1e-4 * full.abs().max())
    return average if same else tail
