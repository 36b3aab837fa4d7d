"""A frozen ReID model cut in three: stem | body | tail.

Chen et al., *Explainable Person Re-Identification with Attribute-guided Metric Distillation*,
ICCV 2021, section 3: the interpreter shares the target's early stages, may own a copy of the
later ones, and puts its attention maps on the last feature map before the pooling.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from torchreid_amd.targets.embedding import check_embedding
from torchreid_amd.targets.precision import single
from torchreid_amd.targets.pyramid import is_map_of, pyramid_of
from torchreid_amd.targets.receptive_fields import Cells
from torchreid_amd.targets.tail import AveragePoolTail, Features, Tail, principal
from torchreid_amd.targets.tracing import device_of

__all__ = ["AveragePoolTail", "CutPoint", "Features", "Tail", "Target", "principal"]


@dataclass(frozen=True)
class CutPoint:
    """Where a target is cut, in words for people.

    Attributes:
        stem: the last module or computation of the stem.
        maps: those that give the feature map(s), the principal one first.
        how: ``'by entry'``, ``'traced'``, ``'named'``, ``'by running again'`` or ``'by hand'``.
    """

    stem: str = ""
    maps: tuple[str, ...] = ()
    how: str = "by hand"


class Target(nn.Module):
    """A ReID model whose decisions are explained; frozen and in eval mode for ever.

    The law: ``tail(body(stem(images)))`` equals the model's own embedding to 1e-5 relative.

    Args:
        stem: images (B, 3, H, W) -> shared early features (B, C', h', w'), or a tuple of them.
        body: early features -> the last feature map F (B, C, h, w) before the pooling, or a tuple
            of maps, the one that heads look at first.
        tail: F -> embedding (B, D), with a method ``components``; see :class:`Tail`.
        model: the model the three parts belong to; without it their composition is the model.
        name: the name it was built by, e.g. ``'osnet_x0_25'``.
        trunk: early features -> the principal map alone, where the body computes more than that; it
            is what an interpreter copies.
        size: (H, W) of the images it is made for, in pixels.
        fixed_size: whether it takes images of that size only.
        cut_point: where it was cut.

    Making a target freezes the model: parameters stop requiring gradients, dropout and batch
    normalisation stay in eval mode whatever ``train()`` is called around it.

    Example:
        >>> import torch, torchreid_amd as amd
        >>> target = amd.build_target("osnet_x0_25")
        >>> target.name, target.model.training, any(p.requires_grad for p in target.parameters())
        ('osnet_x0_25', False, False)
        >>> target.law_error(torch.rand(1, 3, 64, 32)) < 1e-5
        True
    """

    def __init__(
        self,
        stem: nn.Module,
        body: nn.Module,
        tail: Tail,
        *,
        model: nn.Module | None = None,
        name: str = "",
        trunk: nn.Module | None = None,
        size: tuple[int, int] = (256, 128),
        fixed_size: bool = False,
        cut_point: CutPoint | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.size, self.fixed_size = size, fixed_size
        self.cut_point = cut_point or CutPoint()
        self.model = nn.Sequential(stem, body, tail) if model is None else model
        # a tuple: they are the model's own modules, not more
        self._parts = (stem, body, tail, body if trunk is None else trunk)
        self._pyramid: tuple[nn.Module, ...] = ()
        self.model.requires_grad_(False)
        self.model.eval()
        for part in self._parts:
            part.requires_grad_(False).eval()

    @classmethod
    def from_callables(
        cls,
        stem: Callable[[Tensor], Any],
        body: Callable[[Any], Features],
        tail: Callable[[Features], Tensor],
        *,
        modules: Sequence[nn.Module] = (),
        average_pooling: bool = False,
        **options: Any,
    ) -> Target:
        """A target from three functions, for a model that has no modules to name.

        An interpreter's own copy of a function is the function itself, frozen modules and all; to
        let the ``'amd'`` head train a copy of the body, give the body as a module.

        Args:
            stem: images (B, 3, H, W) -> early features.
            body: early features -> feature map(s).
            tail: feature map(s) -> embedding (B, D).
            modules: modules the functions use, to be frozen with the target and to move with it; a
                function that is a module itself need not be named.
            average_pooling: the tail begins with a global average pooling and takes 1×1 maps too, so
                components are one product; else they are computed block by block.
            **options: ``name``, ``size``, ``fixed_size`` of :class:`Target`.

        Raises:
            InputError: they do not run on images of that size, or give no embedding (B, D).
        """
        model = _Composed(stem, body, tail, modules)
        make = AveragePoolTail if average_pooling else Tail
        target = cls(Function(stem), Function(body), make(Function(tail)), model=model, **options)
        check_embedding(model, target.size, target.name or "the composition of stem, body and tail")
        return target

    @property
    def stem(self) -> nn.Module:
        """Images -> shared early features; frozen."""
        return self._parts[0]

    @property
    def body(self) -> nn.Module:
        """Early features -> feature map(s); frozen."""
        return self._parts[1]

    @property
    def tail(self) -> Tail:
        """Feature map(s) -> embedding; frozen, but gradients flow through it to the maps."""
        return self._parts[2]

    @property
    def trunk(self) -> nn.Module:
        """Early features -> the principal map; the interpreter may own a trainable copy."""
        return self._parts[3]

    @property
    def device(self) -> torch.device:
        """Where its parameters are; the CPU where it has none."""
        return device_of(self)

    def train(self, mode: bool = True) -> Target:
        """Stays in eval mode, whatever ``mode``."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        """The target's own embedding (B, D), by the model's own forward."""
        embedding: Tensor = self.model(images)
        return embedding

    @torch.no_grad()
    def features(self, images: Tensor) -> tuple[Any, Any]:
        """Early features and the last feature map (B, C, h, w), or maps; without gradients."""
        early = self.stem(images)
        return early, self.body(early)

    @torch.no_grad()
    def levels(self, images: Tensor) -> tuple[tuple[Tensor, ...], Any]:
        """All the feature maps of the way, and those the tail takes; without gradients.

        Returns:
            Maps (B, C_i, h_i, w_i), the finest first and the principal feature map last, and the
            feature map(s) as :meth:`features` gives them.
        """
        return self._levels(images)

    def _levels(self, images: Tensor) -> tuple[tuple[Tensor, ...], Any]:
        *finer, early = self.pyramid(images)(images)
        features = self.body(early)
        between = [early] if is_map_of(early, images) else []
        return (*finer, *between, principal(features)), features

    @torch.no_grad()
    def levels_and_embedding(self, images: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """The maps of :meth:`levels`, and the embedding (B, D) in single precision; without gradients."""
        maps, features = self.levels(images)
        kind = self.device.type
        if torch.is_autocast_enabled(kind):
            features = single(features)
        with torch.autocast(kind, enabled=False):
            return maps, self.tail(features)

    def pyramid(self, images: Tensor) -> nn.Module:
        """The stem as a module that gives ``(finer maps …, early features)``; made on some images once."""
        if not self._pyramid:
            self._pyramid = (pyramid_of(self.stem, images[:1]).requires_grad_(False).eval(),)
        return self._pyramid[0]

    @cached_property
    def offset(self) -> tuple[float, float]:
        """By how much of a cell the principal feature map lies lower and further right than one that
        is spread evenly over the image; see :mod:`torchreid_amd.targets.receptive_fields`."""
        with torch.no_grad(), Cells(self.size) as cells:
            features = principal(self.features(torch.zeros(1, 3, *self.size, device=self.device))[1])
        return cells.offset(features.shape[2:])

    @torch.no_grad()
    def law_error(self, images: Tensor) -> float:
        """Largest error of the law, relative to the largest embedding value."""
        own = self.model(images.clone())  # a model may write into its images
        error = (self.tail(self.features(images.clone())[1]) - own).abs().max()
        return float(error / own.abs().max().clamp_min(1e-12))


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        """What the function gives."""
        return self.function(x)

    def __deepcopy__(self, memo: dict[int, Any]) -> Function:
        is_module = isinstance(self.function, nn.Module)
        return Function(copy.deepcopy(self.function, memo) if is_module else self.function)


class _Composed(nn.Module):
    def __init__(
        self,
        stem: Callable[[Any], Any],
        body: Callable[[Any], Any],
        tail: Callable[[Any], Any],
        modules: Sequence[nn.Module],
    ) -> None:
        super().__init__()
        self.functions = (stem, body, tail)
        self.used = nn.ModuleList([f for f in self.functions if isinstance(f, nn.Module)] + list(modules))

    def forward(self, x: Any) -> Any:
        for function in self.functions:
            x = function(x)
        return x
