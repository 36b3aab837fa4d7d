"""How a backbone of timm lays its features out, and the way to a map and back."""

from __future__ import annotations

from torch import Tensor, nn


class AsMap(nn.Module):
    """Channels-last features (B, h, w, C) or tokens (B, h·w, C) -> a map (B, C, h, w).

    Args:
        grid: (h, w) of the tokens; needed for tokens alone.
    """

    def __init__(self, grid: tuple[int, int] = (0, 0)) -> None:
        super().__init__()
        self.grid = grid

    def forward(self, features: Tensor) -> Tensor:
        """The map."""
        if features.ndim == 3:
            return to_map(features, self.grid)
        return features.permute(0, 3, 1, 2)


class FromMap(nn.Module):
    """The reverse of :class:`AsMap`.

    Args:
        tokens: whether to tokens (B, h·w, C) rather than (B, h, w, C).
    """

    def __init__(self, tokens: bool = False) -> None:
        super().__init__()
        self.tokens = tokens

    def forward(self, map_: Tensor) -> Tensor:
        """Features as the backbone lays them out."""
        return to_tokens(map_) if self.tokens else map_.permute(0, 2, 3, 1)


def to_map(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Tokens (B, h·w, C) -> map (B, C, h, w), row by row."""
    return tokens.transpose(1, 2).reshape(tokens.shape[0], tokens.shape[2], *grid)


def to_tokens(map_: Tensor) -> Tensor:
    """Map (B, C, h, w) -> tokens (B, h·w, C), row by row."""
    return map_.flatten(2).transpose(1, 2)
