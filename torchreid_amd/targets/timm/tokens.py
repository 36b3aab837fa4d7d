"""Where transformers with class, distillation and register tokens are cut.

Dosovitskiy et al., *An Image is Worth 16×16 Words*, ICLR 2021; Touvron et al., *Training
data-efficient image transformers* (DeiT), ICML 2021; Darcet et al., *Vision Transformers Need
Registers*, ICLR 2024.

The patch tokens of an image are laid out as a map (B, C, h, w), row by row. The tokens before
them (class, distillation, registers) have no place in the image: where the embedding depends on
them, they are carried beside the map and no attribute's map multiplies them.

What a map A_k multiplies depends on what the embedding is made from:

- The mean of the patch tokens (``avg``): the patch tokens behind the last norm that stands before the
  mean. The tail begins with an average pooling, as a convolutional network's.
- A pooling by attention, maximum or the like: the same tokens; the tail is no product of maps and
  features and is computed block by block.
- The class token, which is no pool of patch tokens: what the class token looks at last, that is the
  patch tokens behind the first norm of the last block, where its attention takes keys and values from.
  (In front of that norm a factor would be divided out again.) The tail is the rest of the last block
  for the carried tokens, which also hold what earlier blocks have told the class token: a map says
  which positions the *last* look at the image counts, and at A = 0 the embedding is not 0.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from torchreid_amd.core.errors import InputError
from torchreid_amd.targets.tail import Features, Tail, tail_of
from torchreid_amd.targets.target import CutPoint, Target
from torchreid_amd.targets.timm.layout import to_map, to_tokens
from torchreid_amd.targets.timm.model import TimmModel, other_size
from torchreid_amd.targets.tracing import noise

_KINDS = {"VisionTransformer", "VisionTransformerRelPos", "Eva", "Beit"}
_FIRST_NORMS = ("norm1", "in_norm", "norm")  # of a block, by its make
_LAW = 1e-5


def has_tokens(backbone: nn.Module) -> bool:
    """Whether a backbone is a plain transformer on patches: timm's ViT, DeiT, EVA, BEiT, DINO."""
    return any(kind.__name__ in _KINDS for kind in type(backbone).__mro__)


class TokenTail(Tail):
    """The tail of a map with tokens beside it, ``(map, tokens)``: attributes' maps weigh the map alone.

    Args:
        rest: map (N, C, h, w) and tokens (N, P, C) -> embedding (N, D).
    """

    def branches(self, features: Features) -> tuple[Tensor, ...]:
        """The map."""
        return (features[0],)

    def forward(self, features: Features) -> Tensor:
        """Map (B, C, h, w) and tokens (B, P, C) -> embedding (B, D)."""
        embedding: Tensor = self.rest(features)
        return embedding


def token_cut(model: TimmModel) -> Target:
    """Cut a transformer on patches; where, stands in the head of this file.

    The stem ends in the middle of the blocks.

    Raises:
        InputError: its last block is of a make that this file does not know.
    """
    backbone: Any = model.backbone
    depth = len(backbone.blocks)
    stem = Embedding(model, depth // 2)
    last: nn.Module | None = None
    if backbone.global_pool == "token":
        norm, last = _first_norm(model, backbone.blocks[depth - 1], stem.beside)
        middle, keep, place = range(depth // 2, depth - 1), stem.beside, f"backbone.blocks.{depth - 1}"
    else:
        norm = backbone.norm
        keep = stem.beside if _reads_tokens(backbone) else 0
        middle, place = range(depth // 2, depth), "backbone.norm"
    body = Blocks(backbone, middle, norm, stem.beside, keep)
    rest = Rest(model, last, stem.beside)
    images = noise(2, model.size, model.neck.weight.device)
    with torch.no_grad():
        features = body(stem(images))
    target = Target(
        stem,
        body,
        TokenTail(rest) if isinstance(features, tuple) else tail_of(rest, features),
        model=model,
        size=model.size,
        fixed_size=stem.fixed,
        cut_point=CutPoint(f"backbone.blocks.{depth // 2 - 1}", (place,), "by entry"),
    )
    if target.law_error(images) > _LAW:
        raise _unknown(model, backbone.blocks[depth - 1])
    return target


def _first_norm(model: TimmModel, block: nn.Module, beside: int) -> tuple[nn.Module, nn.Module]:
    """The norm that patch tokens pass before a block's attention, and the rest of the block."""
    if "Post" in type(block).__name__:  # its norms come behind attention and MLP
        return nn.Identity(), block
    name = next((n for n in _FIRST_NORMS if isinstance(getattr(block, n, None), nn.Module)), "")
    if not name:
        raise _unknown(model, block)
    return getattr(block, name), _behind_first_norm(block, name, beside)


def _unknown(model: TimmModel, block: nn.Module) -> InputError:
    return InputError(
        f"{model.name} cannot be cut: the {type(block).__name__} that ends it is of no make this package "
        "knows; cut it by hand: Target.from_callables(stem, body, tail)"
    )


def _reads_tokens(backbone: Any) -> bool:
    """Whether a pooling of all patches takes the tokens before them in."""
    attention = getattr(backbone, "attn_pool", None) is not None
    return bool(getattr(backbone, "pool_include_prefix", attention))


class Embedding(nn.Module):
    """Images -> patch tokens as a map (B, C, h, w), and the tokens beside it (B, P, C) if there are any.

    Args:
        model: the model.
        depth: how many of its blocks belong to the stem.
    """

    def __init__(self, model: TimmModel, depth: int) -> None:
        super().__init__()
        backbone: Any = model.backbone
        self.name, self.size = model.name, model.size
        self.fixed = not getattr(backbone, "dynamic_img_size", False)
        self.beside = int(backbone.num_prefix_tokens)
        # the backbone with fewer blocks and no norm: the same weights, its own code
        self.start: Any = copy.copy(backbone)
        self.start._modules = dict(backbone._modules)
        self.start.blocks = backbone.blocks[:depth]  # a Sequential or a ModuleList, as it is
        self.start.norm = nn.Identity()

    def forward(self, images: Tensor) -> Features:
        """Tokens after the first blocks."""
        size = (images.shape[2], images.shape[3])
        if self.fixed and size != self.size:
            raise other_size(self.name, self.size, size)
        tokens = self.start.forward_features(images)
        grid = self.start.patch_embed.dynamic_feat_size(size)
        map_ = to_map(tokens[:, self.beside :], grid)
        return (map_, tokens[:, : self.beside]) if self.beside else map_


class Blocks(nn.Module):
    """Some of a transformer's blocks, and a norm for the patch tokens behind them.

    Args:
        backbone: the transformer.
        chosen: which blocks.
        norm: for the patch tokens that come out.
        beside: P, how many tokens stand before the patches.
        keep: P, to give these tokens on (before the norm), or 0.
    """

    def __init__(self, backbone: Any, chosen: range, norm: nn.Module, beside: int, keep: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(backbone.blocks[i] for i in chosen)
        self.position = Position(backbone)
        self.first, self.norm, self.beside, self.keep = chosen.start, norm, beside, keep

    def forward(self, early: Features) -> Features:
        """Tokens -> map (B, C, h, w), and the tokens beside it where they are kept."""
        map_, tokens = early if isinstance(early, tuple) else (early, None)
        grid = (map_.shape[2], map_.shape[3])
        x = _joined(tokens, map_)
        for i, block in enumerate(self.blocks, self.first):
            x = block(x, **self.position(grid, i))
        out = to_map(self.norm(x[:, self.beside :]), grid)
        return (out, x[:, : self.beside]) if self.keep else out


class Rest(nn.Module):
    """From map and tokens to the embedding.

    Args:
        model: the model.
        block: the last block, where the tokens have it still before them.
        beside: P, how many tokens the model's own pooling expects before the patches.
    """

    def __init__(self, model: TimmModel, block: nn.Module | None, beside: int) -> None:
        super().__init__()
        backbone: Any = model.backbone
        self.model, self.block, self.beside = model, block, beside
        self.norm = backbone.norm
        self.position, self.last = Position(backbone), len(backbone.blocks) - 1

    def forward(self, features: Features) -> Tensor:
        """Map (N, C, h, w), or it and tokens (N, P, C) -> embeddings (N, D)."""
        map_, tokens = features if isinstance(features, tuple) else (features, None)
        if tokens is None and self.beside:  # the pooling leaves them out: any will do
            tokens = map_.new_zeros(len(map_), self.beside, map_.shape[1])
        if self.block is None:  # the map has passed the norm, the tokens have not
            x = _joined(None if tokens is None else self.norm(tokens), map_)
        else:
            position = self.position((map_.shape[2], map_.shape[3]), self.last)
            x = self.norm(self.block(_joined(tokens, map_), **position))
        embedding: Tensor = self.model.neck(self.model.pooled(x))
        return embedding


class Position(nn.Module):
    """What a backbone tells each block about positions, beside the tokens."""

    def __init__(self, backbone: Any) -> None:
        super().__init__()
        self.rope = getattr(backbone, "rope", None)
        self.of_depth = bool(getattr(backbone, "rope_mixed", False))
        self.bias = getattr(backbone, "rel_pos_bias", None)
        self.shared = getattr(backbone, "shared_rel_pos", None)

    def forward(self, grid: tuple[int, int], block: int) -> dict[str, Any]:
        """Keywords for the block of a number, for tokens on an h×w grid."""
        if self.rope is not None:
            embedding = self.rope.get_embed(shape=list(grid))
            return {"rope": embedding[block] if self.of_depth else embedding}
        if self.bias is not None:
            return {"shared_rel_pos_bias": self.bias()}
        if self.shared is not None:
            return {"shared_rel_pos": self.shared.get_bias()}
        return {}


def _joined(tokens: Tensor | None, map_: Tensor) -> Tensor:
    """Tokens (B, P, C) before the patches' (B, h·w, C)."""
    patches = to_tokens(map_)
    return patches if tokens is None else torch.cat([tokens, patches], dim=1)


def _behind_first_norm(block: Any, name: str, beside: int) -> nn.Module:
    """A block that takes patch tokens which have passed its first norm already.

    It shares all weights with the block. What it gives for the tokens beside the patches is what
    the block gives; what it gives for the patches is not (they lack their own bypass).
    """
    behind = copy.copy(block)
    behind._modules = dict(block._modules)
    setattr(behind, name, _NormOfFirst(getattr(block, name), beside))
    return behind


class _NormOfFirst(nn.Module):
    """A norm for the first P tokens; the others pass."""

    def __init__(self, norm: nn.Module, first: int) -> None:
        super().__init__()
        self.norm, self.first = norm, first

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, P + N, C) -> the same shape."""
        return torch.cat([self.norm(tokens[:, : self.first]), tokens[:, self.first :]], dim=1)
