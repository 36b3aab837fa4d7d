"""Cutting any model at modules named by path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from torchreid_amd.core.errors import InputError, unknown_name
from torchreid_amd.core.host import unwrap
from torchreid_amd.targets.cuts.rerun import Rerun, order_of_running
from torchreid_amd.targets.embedding import check_embedding
from torchreid_amd.targets.precision import in_single_precision
from torchreid_amd.targets.tail import Features, principal, tail_of
from torchreid_amd.targets.target import CutPoint, Target
from torchreid_amd.targets.tracing import device_of, extract, noise, place_of, trace, writes_in_place

_TOLERANCE = 1e-5

Parts = tuple[nn.Module, nn.Module, nn.Module, CutPoint]


def cut(
    model: nn.Module,
    map: str | Sequence[str],  # noqa: A002
    stem: str | Sequence[str] = (),
    *,
    size: tuple[int, int] = (256, 128),
    fixed_size: bool = False,
    name: str = "",
) -> Target:
    """A target from the paths of the modules that give its early features and its feature map.

    The model's code is traced only as deep as the named modules lie. Where it cannot be traced even
    so, the parts run the model again with the named modules' outputs put in: slower, and for
    images of ``size`` only.
    Where an operation overwrites a named module's output (``ReLU(inplace=True)``), the operation's
    result is taken instead.

    Args:
        model: any module whose eval forward takes images and returns embeddings (B, D), possibly
            wrapped in ``DataParallel``, ``DistributedDataParallel`` or ``torch.compile``.
        map: path of the module that gives the last feature map before the pooling, e.g.
            ``'backbone.layer4'``; several for a network of several branches, the one that heads
            look at first.
        stem: path of the module that gives the early features, or several; without one, nothing is
            shared with the interpreter and its copy is everything up to the map.
        size: (H, W) of the images it is made for, in pixels.
        fixed_size: whether it takes images of that size only.
        name: a name for the target.

    Raises:
        InputError: no such module, or the modules named do not cut the model in three.

    Example:
        >>> import torch, torchreid_amd as amd
        >>> from torch import nn
        >>> early, late = nn.Conv2d(3, 8, 3, stride=2), nn.Conv2d(8, 16, 3, stride=2)
        >>> model = nn.Sequential(early, nn.ReLU(), late, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        >>> target = amd.cut(model, map="2", stem="0", size=(64, 32))
        >>> target(torch.rand(1, 3, 64, 32)).shape
        torch.Size([1, 16])
    """
    model = in_single_precision(unwrap(model)).eval()
    maps, stems = ([p] if isinstance(p, str) else list(p) for p in (map, stem))
    kind = type(model).__name__
    if not maps:
        raise InputError(f"no map named for {kind}; cut it at map='…', one of its modules")
    known = [path for path, _ in model.named_modules() if path]
    for path in (*maps, *stems):
        if path not in known:
            raise unknown_name(f"module of {kind}", path, known)
    images = noise(2, size, device_of(model))
    check_embedding(model, size)
    options = {"size": size, "fixed_size": fixed_size, "name": name}
    traced = _traced(model, (*maps, *stems))
    if traced is not None:
        target = _whole(model, _by_tracing(model, traced, stems, maps), maps, options)
        if target.law_error(images) <= _TOLERANCE:
            return target
    # its code cannot be traced, or writes into a map through a view of it, which a trace does not follow
    options["fixed_size"] = True
    target = _whole(model, _by_running_again(model, stems, maps, size), maps, options)
    error = target.law_error(images)
    if not error <= _TOLERANCE:
        raise InputError(
            f"{kind} cut at map {', '.join(maps)} does not give its own embedding back (relative error "
            f"{error:.0e}): its output depends on more than these maps; name every map it is made of"
        )
    return target


def _traced(model: nn.Module, named: Sequence[str]) -> fx.GraphModule | None:
    """The model's computation, as deep as the named modules lie; None where it cannot be followed."""
    try:
        return trace(model, lambda path: not any(p.startswith(path + ".") for p in named))
    except Exception:  # tracing runs the model's own code: anything may come out of it
        return None


def _whole(model: nn.Module, parts: Parts, maps: Sequence[str], options: dict[str, Any]) -> Target:
    stem, body, rest, cut_point = parts
    with torch.no_grad():
        features = body(stem(noise(2, options["size"], device_of(model))))
    _check_maps(features, maps)
    return Target(stem, body, tail_of(rest, features), model=model, cut_point=cut_point, **options)


def _by_tracing(model: nn.Module, traced: fx.GraphModule, stems: list[str], maps: list[str]) -> Parts:
    nodes = list(traced.graph.nodes)
    ends = [_node(p, nodes, traced) for p in maps]
    starts = [_node(p, nodes, traced) for p in stems] or nodes[:1]
    kind, named = type(model).__name__, ", ".join(maps)
    stem = extract(model, nodes[:1], starts) if stems else nn.Identity()
    try:
        body = extract(model, starts, ends)
    except InputError as error:
        raise InputError(
            f"{kind} cannot be cut between stem {', '.join(stems)} and map {named}: {error}; name a stem "
            "that every path to the map goes through, or several"
        ) from None
    try:
        rest = extract(model, ends, nodes[-1:])
    except InputError as error:
        raise InputError(
            f"{kind} cannot be cut at map {named}: {error}; name a later module, or every map the "
            "embedding is made of: map=('…', '…')"
        ) from None
    cut_point = CutPoint(
        ", ".join(place_of(n) for n in starts if stems), tuple(place_of(n) for n in ends), "named"
    )
    return stem, body, rest, cut_point


def _node(path: str, nodes: Sequence[fx.Node], traced: fx.GraphModule) -> fx.Node:
    found = [n for n in nodes if n.op == "call_module" and n.target == path]
    _check_once(path, len(found))
    node = found[0]
    while over := [user for user in node.users if writes_in_place(user, traced)]:
        node = over[0]
    return node


def _by_running_again(model: nn.Module, stems: list[str], maps: list[str], size: tuple[int, int]) -> Parts:
    ended = order_of_running(model, size)
    order = [path for path, _ in ended]
    for path in (*maps, *stems):
        _check_once(path, order.count(path))

    def apart(path: str) -> bool:
        """Neither named, nor around or inside what is named."""
        return bool(path) and not any(
            path == p or p.startswith(path + ".") or path.startswith(p + ".") for p in (*maps, *stems)
        )

    def part(given: list[str], wanted: list[str]) -> Rerun:
        begin = min((order.index(p) for p in given), default=-1)
        end = max((order.index(p) for p in wanted), default=len(order))
        before = {p: o for p, o in ended[: max(begin, 0)] if apart(p) and order.count(p) == 1}
        outermost = {p: o for p, o in before.items() if not any(p.startswith(q + ".") for q in before)}
        between = [p for p in order[begin + 1 : end] if apart(p) and p not in before]
        return Rerun(model, given, wanted, size, outermost, [*between, *wanted])

    cut_point = CutPoint(", ".join(stems), tuple(maps), "by running again")
    stem: nn.Module = part([], stems) if stems else nn.Identity()
    return stem, part(stems, maps), part(maps, []), cut_point


def _check_once(path: str, times: int) -> None:
    if times != 1:
        raise InputError(f"module {path!r} runs {times} times; name one that runs once")


def _check_maps(features: Features, maps: Sequence[str]) -> None:
    branches = (features,) if isinstance(features, Tensor) else features
    for path, branch in zip(maps, branches, strict=True):
        if not isinstance(branch, Tensor) or branch.ndim != 4:
            found = f"shape {tuple(branch.shape)}" if isinstance(branch, Tensor) else type(branch).__name__
            raise InputError(
                f"module {path!r} gives no feature map (B, C, h, w) but {found}; name another, or use "
                "Target.from_callables(stem, body, tail)"
            )
    if principal(features).shape[2:].numel() == 1:
        raise InputError(
            f"module {maps[0]!r} gives a map of one position: it lies behind the pooling; name one before it"
        )
