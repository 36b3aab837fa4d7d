"""Where to cut a model that nobody described: found by tracing it with torch.fx.

The feature map is the last 4-D tensor with more than one position through which every path to
the output runs; the stem ends at the last such tensor at an eighth of the input's resolution (the
end of "stage 2" in the paper's ResNets).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import fx, nn

from torchreid_amd.core.errors import InputError
from torchreid_amd.targets.embedding import check_embedding
from torchreid_amd.targets.precision import in_single_precision
from torchreid_amd.targets.tail import tail_of
from torchreid_amd.targets.target import CutPoint, Target
from torchreid_amd.targets.tracing import (
    device_of,
    extract,
    first_line,
    noise,
    place_of,
    run_through,
    shape_of,
    trace,
    writes_in_place,
)

_TOLERANCE = 1e-5  # of the law: relative error of the parts' embedding
_STAGE_2 = 12  # up to this reduction a map counts as an eighth: unpadded convolutions lose some rows


def automatic_cut(model: nn.Module, size: tuple[int, int] = (256, 128)) -> Target:
    """Cut a model by following its computation.

    Args:
        model: any module whose eval forward takes images and returns embeddings.
        size: height and width of the images it is made for, in pixels.

    Raises:
        InputError: the model cannot be traced, or has no place to cut; the message says which
            step failed and what to do.
    """
    model = in_single_precision(model)
    name = type(model).__name__
    by_hand = (
        "name the cut by hand: torchreid_amd.cut(model, map='…', stem='…') with its modules "
        f"({_children(model)}), or Target.from_callables(stem, body, tail)"
    )
    _check(model, size)
    try:
        traced = trace(model)
    except Exception as error:  # tracing runs the model's own code: anything may come out of it
        raise InputError(
            f"{name} cannot be cut automatically: tracing stopped ({first_line(error)}); {by_hand}"
        ) from None
    try:
        run_through(traced, size)
    except Exception as error:
        raise InputError(
            f"{name} cannot be cut automatically: it does not run on {size[0]}×{size[1]} images "
            f"({first_line(error)}); {by_hand}"
        ) from None
    nodes = _from_images(list(traced.graph.nodes))
    cuts = [n for n in _bottlenecks(nodes, traced) if shape_of(n)[2] * shape_of(n)[3] > 1]
    early = [n for n in cuts[:-1] if size[0] / shape_of(n)[2] < _STAGE_2]
    if not early:
        raise InputError(
            f"{name} cannot be cut automatically: {len(cuts)} map(s) carry every path to its output, "
            f"and a stem and a feature map are needed; {by_hand}"
        )
    behind = [n for n in nodes[nodes.index(cuts[-1]) + 1 :] if _reads_neighbours(n, traced)]
    if behind:
        raise InputError(
            f"{name} cannot be cut automatically: behind {place_of(cuts[-1])}, the last map that carries "
            f"every path to its output, there are still convolutions ({place_of(behind[-1])}): its output is "
            f"made of several maps; {by_hand}"
        )
    stem = extract(model, nodes[:1], early[-1:])
    body = extract(model, early[-1:], cuts[-1:])
    rest = extract(model, cuts[-1:], nodes[-1:])
    with torch.no_grad():
        features = body(stem(noise(2, size, device_of(model))))
    cut_point = CutPoint(place_of(early[-1]), (place_of(cuts[-1]),), "traced")
    target = Target(stem, body, tail_of(rest, features), model=model, size=size, cut_point=cut_point)
    off = target.law_error(noise(2, size, device_of(model)))
    if not off <= _TOLERANCE:
        raise InputError(
            f"{name} cannot be cut automatically: the parts do not give its own embedding back (relative "
            f"error {off:.0e}), as where code writes into a map through a view of it; {by_hand}"
        )
    return target


def _check(model: nn.Module, size: tuple[int, int]) -> None:
    """That it gives one embedding, where it runs at all; why it does not is said later."""
    try:
        with torch.no_grad():
            model.eval()(noise(1, size, device_of(model)))
    except Exception:
        return
    check_embedding(model, size)


def _children(model: nn.Module) -> str:
    names = [name for name, _ in model.named_children()]
    return ", ".join(names[:12]) + (", …" if len(names) > 12 else "") or "it has none"


def _reads_neighbours(node: fx.Node, traced: fx.GraphModule) -> bool:
    """Whether a step is a convolution of a map of more than one position."""
    if node.op != "call_module" or not shape_of(node)[2:]:
        return False
    is_convolution = isinstance(traced.get_submodule(str(node.target)), nn.Conv2d)
    return is_convolution and shape_of(node)[2:] != (1, 1)


def _from_images(nodes: Sequence[fx.Node]) -> list[fx.Node]:
    """Without the other arguments of forward, held at their defaults, and the checks on them."""
    extra = {n for n in nodes[1:] if n.op == "placeholder"}
    for node in nodes:
        if node.op != "output" and extra.intersection(node.all_input_nodes):
            extra.add(node)
    return [n for n in nodes if n not in extra]


def _bottlenecks(nodes: Sequence[fx.Node], traced: fx.GraphModule) -> list[fx.Node]:
    """The 4-D tensors through which every path to the output runs."""
    position = {node: i for i, node in enumerate(nodes)}
    found = []
    furthest = 0  # the last use of anything computed so far
    for i, node in enumerate(nodes):
        if node.op == "get_attr":
            continue
        in_place = any(writes_in_place(user, traced) for user in node.users)
        if furthest <= i and len(shape_of(node)) == 4 and node.op != "placeholder" and not in_place:
            found.append(node)
        furthest = max([furthest, *(position[u] for u in node.users)])
    return found
