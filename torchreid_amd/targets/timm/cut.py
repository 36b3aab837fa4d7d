"""Where models of timm are cut.

Convolutional networks, and transformers that pool all they have, are chains of modules: the chain
is found by watching one forward pass. The map F is what the backbone pools (in front of the pooling,
behind the last norm or activation); the stem ends with the last map at an eighth of the input's
resolution, or in the middle of a chain that has but one resolution. What comes behind the pooling
(ConvNeXt's norm, MobileNetV3's last convolution) is part of the tail.

Transformers with class or register tokens are cut in :mod:`torchreid_amd.targets.timm.tokens`.
What is neither goes the automatic way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.host import TIMM
from torchreid_amd.core.registry import targets
from torchreid_amd.targets.cuts.automatic import automatic_cut
from torchreid_amd.targets.tail import principal, tail_of
from torchreid_amd.targets.target import CutPoint, Target
from torchreid_amd.targets.timm.layout import AsMap, FromMap
from torchreid_amd.targets.timm.model import TimmModel, other_size
from torchreid_amd.targets.timm.names import timm_names
from torchreid_amd.targets.timm.tokens import has_tokens, token_cut
from torchreid_amd.targets.tracing import first_line, noise

_STAGE_2 = 12  # up to this reduction a map counts as an eighth: unpadded convolutions lose some rows


def timm_cut(model: nn.Module) -> Target:
    """Cut a model of timm.

    Raises:
        InputError: it is none, or has no map to cut at.
    """
    if not isinstance(model, TimmModel):
        raise InputError(
            f"this cut is for models built as 'timm_<name>', not for a {type(model).__name__}; "
            "build it by that name, or cut it by hand: torchreid_amd.cut(model, map='…', stem='…')"
        )
    model.eval()
    images = noise(2, model.size, model.neck.weight.device)
    try:
        with torch.no_grad():
            model(images)
    except (AssertionError, RuntimeError, ValueError) as error:
        own = model.backbone.pretrained_cfg["input_size"][-2:]
        raise InputError(
            f"{model.name} cannot be cut: it does not run on images of {_pixels(model.size)} "
            f"({first_line(error)}); build it with another size=(H, W), timm's own is {_pixels(own)}"
        ) from None
    if has_tokens(model.backbone):
        target = token_cut(model)
    else:
        steps = _chain(model, images)
        target = _cut_chain(model, steps) if steps else _traced_cut(model, images)
    target.name = model.name
    return target


@dataclass(frozen=True)
class _Step:
    """One module of a chain and what it gave for some images."""

    path: str
    module: nn.Module
    value: Tensor


def _chain(model: TimmModel, images: Tensor) -> list[_Step]:
    """The modules that lead from the images to the features, one after the other; [] if they do not."""
    calls: list[tuple[str, nn.Module, tuple[Any, ...], Any]] = []

    def note(path: str) -> Any:
        return lambda module, given, value: calls.append((path, module, given, value))

    handles = [m.register_forward_hook(note(path)) for path, m in _links(model.backbone, "backbone")]
    try:
        with torch.no_grad():
            features = model.features(images)
    finally:
        for handle in handles:
            handle.remove()
    steps = []
    last: Any = images
    for path, module, given, value in calls:
        if len(given) != 1 or given[0] is not last or not isinstance(value, Tensor):
            return []
        steps.append(_Step(path, module, value))
        last = value
    once = len({id(step.module) for step in steps}) == len(steps)
    return steps if once and last is features and features.ndim in (3, 4) else []


def _links(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    """The children of a module; of a sequence or list among them, its children."""
    for name, child in module.named_children():
        below = f"{path}.{name}"
        if isinstance(child, nn.ModuleList) or type(child).forward is nn.Sequential.forward:
            yield from _links(child, below)
        else:
            yield below, child


def _cut_chain(model: TimmModel, steps: list[_Step]) -> Target:
    final, width = steps[-1].value, getattr(model.backbone, "num_features", 0)
    tokens = final.ndim == 3
    last = bool(not tokens and final.shape[-1] == width != final.shape[1])
    grids = [_grid(step.value, model.size, channels_last=last) for step in steps]
    end = _stem_end(steps, grids, model.size[0])
    if end < 0 or grids[-1] is None or grids[-1][0] * grids[-1][1] < 2:
        shape = "×".join(map(str, final.shape[1:]))
        raise InputError(
            f"{model.name} has no map to cut at: its features are {shape} for an image of "
            f"{_pixels(model.size)}; choose another model, or larger images"
        )

    def into(i: int) -> list[nn.Module]:
        value = steps[i].value
        return [AsMap(grids[i] or (0, 0))] if value.ndim == 3 or last else []

    def out_of(i: int) -> list[nn.Module]:
        value = steps[i].value
        return [FromMap(value.ndim == 3)] if value.ndim == 3 or last else []

    modules = [step.module for step in steps]
    fixed = tokens or not model.takes((model.size[0] + 64, model.size[1] + 64))
    check = [SizeCheck(model)] if fixed else []
    stem = nn.Sequential(*check, *modules[: end + 1], *into(end))
    body = nn.Sequential(*out_of(end), *modules[end + 1 :], *into(len(steps) - 1))
    rest = nn.Sequential(*out_of(len(steps) - 1), Pooling(model))
    with torch.no_grad():
        features = body(stem(noise(2, model.size, final.device)))
    return Target(
        stem,
        body,
        tail_of(rest, features),
        model=model,
        size=model.size,
        fixed_size=fixed,
        cut_point=CutPoint(steps[end].path, (steps[-1].path,), "by entry"),
    )


def _grid(value: Tensor, size: tuple[int, int], channels_last: bool) -> tuple[int, int] | None:
    """(h, w) of a value of the chain; of tokens, the one of the images' own proportion."""
    if value.ndim == 4:
        height, width = value.shape[1:3] if channels_last else value.shape[2:]
        return height, width
    if value.ndim != 3:
        return None
    height = round((value.shape[1] * size[0] / size[1]) ** 0.5)
    return (height, value.shape[1] // height) if height and value.shape[1] % height == 0 else None


def _stem_end(steps: list[_Step], grids: list[tuple[int, int] | None], height: int) -> int:
    """The step that the stem ends with; −1 where there is none."""
    free = [
        i
        for i, grid in enumerate(grids[:-1])
        if grid is not None and not getattr(steps[i + 1].module, "inplace", False)
    ]
    final = grids[-1] or (1, 1)
    early = [i for i in free if final[0] < (grids[i] or final)[0] > height / _STAGE_2]
    if early:
        return early[-1]
    alike = [i for i in free if grids[i] == final] or free
    return alike[(len(alike) - 1) // 2] if alike else -1


def _traced_cut(model: TimmModel, images: Tensor) -> Target:
    """The automatic cut, where it gives a map of the image from late in the network."""
    target = automatic_cut(model, model.size)
    map_ = principal(target.features(images)[1])
    proportion = map_.shape[2] / map_.shape[3] / (model.size[0] / model.size[1])
    shape = "×".join(map(str, map_.shape[1:]))
    if not 0.5 < proportion < 2:
        why = f"its last tensor of four dimensions, {shape}, is no map of the image"
    elif _size(target.tail) > _size(target.stem) + _size(target.body):
        why = f"its last map, {shape}, comes before most of the network"
    else:
        return target
    raise InputError(
        f"{model.name} cannot be cut automatically: {why}; cut it by hand: torchreid_amd.cut(model, map='…', "
        "stem='…'), or Target.from_callables(stem, body, tail)"
    )


def _pixels(size: Sequence[int]) -> str:
    return f"{size[0]}×{size[1]} pixels"


def _size(part: nn.Module) -> int:
    """How many weights a part has."""
    return sum(p.numel() for p in part.parameters())


class Pooling(nn.Module):
    """From the backbone's last features to the embedding, by the model's own code."""

    def __init__(self, model: TimmModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor) -> Tensor:
        """Features in the backbone's layout -> embeddings (B, D)."""
        embedding: Tensor = self.model.neck(self.model.pooled(features))
        return embedding


class SizeCheck(nn.Module):
    """Lets images of the model's size through.

    Raises:
        InputError: images of another size.
    """

    def __init__(self, model: TimmModel) -> None:
        super().__init__()
        self.name, self.size = model.name, model.size

    def forward(self, images: Tensor) -> Tensor:
        """The same images (B, 3, H, W)."""
        if tuple(images.shape[-2:]) != self.size:
            raise other_size(self.name, self.size, tuple(images.shape[-2:]))
        return images


targets.add_family(TIMM, timm_cut, timm_names)
