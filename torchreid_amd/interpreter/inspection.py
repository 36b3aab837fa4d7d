"""What a cut looks like: where it falls, how large its maps are, what an interpreter adds."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.registry import heads
from torchreid_amd.interpreter.interpreter import create_interpreter
from torchreid_amd.targets.build import build_target
from torchreid_amd.targets.cuts.automatic import automatic_cut
from torchreid_amd.targets.cuts.by_path import cut
from torchreid_amd.targets.target import Target
from torchreid_amd.targets.tracing import first_line, noise
from torchreid_amd.targets.weights import load_weights


@dataclass(frozen=True)
class HeadSize:
    """Parameters of an interpreter with one kind of head.

    Attributes:
        head: its name.
        shared: of the target, computed once for both.
        copied: a trainable copy of the target's.
        new: of the head's own.
    """

    head: str
    shared: int
    copied: int
    new: int


@dataclass(frozen=True)
class Inspection:
    """A target in numbers.

    Attributes:
        name: the model's name, or its class.
        size: (H, W) of the images tried, in pixels.
        stem: where the stem ends.
        maps: where the feature map(s) come from, the principal one first.
        how: how the cut was found.
        shapes: of the feature maps, (C, h, w).
        embedding: D.
        linear: whether components are one batched product.
        fixed_size: whether images of this size only are taken.
        heads: parameters, by head.
        law_error: largest error of tail(body(stem(images))), relative to the largest value.
    """

    name: str
    size: tuple[int, int]
    stem: str
    maps: tuple[str, ...]
    how: str
    shapes: tuple[tuple[int, ...], ...]
    embedding: int
    linear: bool
    fixed_size: bool
    heads: tuple[HeadSize, ...]
    law_error: float

    def summary(self) -> str:
        """All of it in lines for a terminal."""
        lines = [
            f"{self.name} at {self.size[0]}×{self.size[1]}" + (" (the only size)" if self.fixed_size else ""),
            f"  cut {self.how}",
            f"  stem ends at   {self.stem or 'the images: nothing is shared'}",
        ]
        maps = self.maps or ("the body",) * len(self.shapes)
        for i, (place, shape) in enumerate(zip(maps, self.shapes, strict=False)):
            what = "feature map" if i == 0 else "and"
            lines.append(f"  {what:<13}  {place}  {'×'.join(map(str, shape))}")
        tail = "linear: one product for all attributes" if self.linear else "not linear: block by block"
        lines.append(f"  tail           {tail}")
        lines.append(f"  embedding      one of {self.embedding} numbers for each image")
        lines.append("  parameters     " + "".join(f"{w:>14}" for w in ("shared", "copied", "new")))
        for head in self.heads:
            numbers = (head.shared, head.copied, head.new)
            lines.append(f"    {head.head:<13}" + "".join(f"{n:>14,}" for n in numbers))
        lines.append(f"  law            relative error {self.law_error:.1e}")
        return "\n".join(lines)


def inspect_target(
    target: Target, size: tuple[int, int] | None = None, attributes: str = "market1501"
) -> Inspection:
    """Measure a target.

    Args:
        target: the target.
        size: (H, W) to try; the target's own by default.
        attributes: the registered set an interpreter would have.

    Raises:
        InputError: the target does not run on images of that size.
    """
    size = size or target.size
    images = noise(2, size, target.device)
    try:
        error = target.law_error(images)
        features = target.features(images)[1]
    except Exception as failed:  # the model's own code: anything may come out of it
        raise InputError(
            f"{target.name or type(target.model).__name__} does not run on {size[0]}×{size[1]} images "
            f"({first_line(failed)}); try --size {target.size[0]} {target.size[1]}"
        ) from None
    with torch.no_grad():
        embedding = target.tail(features).shape[1]
    return Inspection(
        name=target.name or type(target.model).__name__,
        size=size,
        stem=target.cut_point.stem,
        maps=target.cut_point.maps,
        how=target.cut_point.how,
        shapes=tuple(tuple(f.shape[1:]) for f in target.tail.branches(features)),
        embedding=embedding,
        linear=target.tail.linear,
        fixed_size=target.fixed_size,
        heads=tuple(_head_size(target, name, attributes) for name in heads.list()),
        law_error=error,
    )


def _head_size(target: Target, name: str, attributes: str) -> HeadSize:
    head = create_interpreter(target, head=name, attributes=attributes).head
    body = getattr(head, "body", None)
    copied = _count(p for p in body.parameters() if p.requires_grad) if isinstance(body, nn.Module) else 0
    shared: list[nn.Module] = [target.stem] if copied else [target.stem, target.body]
    return HeadSize(
        name,
        _count(p for module in shared for p in module.parameters()),
        copied,
        _count(p for p in head.parameters() if p.requires_grad) - copied,
    )


def _count(parameters: Iterable[Tensor]) -> int:
    return sum(p.numel() for p in {id(p): p for p in parameters}.values())


def inspect_model(
    model: str,
    weights: str = "",
    size: Sequence[int] | None = None,
    map: str | Sequence[str] = (),  # noqa: A002
    stem: str | Sequence[str] = (),
) -> Inspection:
    """Build a model, load its weights, cut it and measure the cut.

    Args:
        model: a name of torchreid's factory, or ``'package.module:function'`` (a function or class
            without arguments that gives a model), found from the present folder too.
        weights: a checkpoint of the model.
        size: (H, W) in pixels.
        map: paths of modules to cut at instead; see :func:`torchreid_amd.cut`.
        stem: as ``map``.

    Raises:
        InputError: which step failed and what to do.
    """
    own = ":" in model
    module = _own_model(model) if own else host.build_model(model)
    if weights:
        load_weights(module, weights)
    name = model.split(":")[1] if own else model
    wanted = (size[0], size[1]) if size else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old calls in the models' own code
        return _inspected(module, name, own, wanted, map, stem)


def _inspected(
    module: nn.Module,
    name: str,
    own: bool,
    wanted: tuple[int, int] | None,
    map: str | Sequence[str],  # noqa: A002
    stem: str | Sequence[str],
) -> Inspection:
    if map:
        target = cut(module, map=map, stem=stem, size=wanted or (256, 128), name=name)
    elif own:
        target = automatic_cut(module, size=wanted or (256, 128))
        target.name = name
    else:
        target = build_target(module, name=name)
    return inspect_target(target, wanted)


def _own_model(path: str) -> nn.Module:
    where, _, what = path.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        make: Any = getattr(importlib.import_module(where), what)
        model = make()
    except Exception as error:  # the user's own code: anything may come out of it
        raise InputError(
            f"{path!r} gives no model ({first_line(error)}); expected package.module:function, a function "
            "without arguments that returns a torch.nn.Module"
        ) from None
    finally:
        sys.path.remove(str(Path.cwd()))
    if not isinstance(model, nn.Module):
        raise InputError(f"{path!r} gives a {type(model).__name__}, expected a torch.nn.Module")
    return model
