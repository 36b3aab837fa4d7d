"""Where to cut a model that nobody described: found by tracing it with torch.fx.

The feature map is the last 4-D tensor with more than one position through which every path to
the output runs; the stem ends at the last such tensor at an eighth of the input's resolution (the
end of "stage 2" in the paper's ResNets).
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from torchreid_amd.errors import InputError
from torchreid_amd.targets.target import Target, average_pool_tail

_STAGE_2 = 12  # up to this reduction a map counts as an eighth: unpadded convolutions lose some rows


def automatic_cut(model: nn.Module, size: tuple[int, int] = (256, 128)) -> Target:
    """Cut a model by following its computation.

    Args:
        model: any module whose eval forward takes images and returns embeddings.
        size: height and width of the images to try, in pixels.

    Raises:
        InputError: the model cannot be traced, or has no place to cut; the message says which
            step failed and what to do.
    """
    name = type(model).__name__
    by_hand = "name the cut by hand: Target(stem, body, tail, model=model)"
    model.eval()
    defaults = {
        p.name: p.default
        for p in list(inspect.signature(model.forward).parameters.values())[1:]
        if p.default is not inspect.Parameter.empty
    }
    try:
        graph = fx.Tracer().trace(model, concrete_args=defaults or None)
        traced = fx.GraphModule(model, graph)
    except Exception as error:  # tracing runs the model's own code: anything may come out of it
        raise InputError(
            f"{name} cannot be cut automatically: tracing stopped ({_first_line(error)}); {by_hand}"
        ) from None
    try:
        device = next((p.device for p in model.parameters()), torch.device("cpu"))
        with torch.no_grad():
            ShapeProp(traced).propagate(torch.zeros(2, 3, *size, device=device))
    except Exception as error:
        raise InputError(
            f"{name} cannot be cut automatically: it does not run on {size[0]}×{size[1]} images "
            f"({_first_line(error)}); {by_hand}"
        ) from None
    nodes = _from_images(list(graph.nodes))
    cuts = [(i, shape) for i, shape in _bottlenecks(nodes, traced) if shape[2] * shape[3] > 1]
    early = [i for i, shape in cuts[:-1] if size[0] / shape[2] < _STAGE_2]
    if not early:
        raise InputError(
            f"{name} cannot be cut automatically: {len(cuts)} map(s) carry every path to its output, "
            f"and a stem and a feature map are needed; {by_hand}"
        )
    end, shape = cuts[-1]
    body_start = early[-1]
    rest = _part(model, nodes, end, len(nodes) - 1)
    return Target(
        _part(model, nodes, 0, body_start),
        _part(model, nodes, body_start, end),
        average_pool_tail(rest, shape[1], (shape[2], shape[3]), name),
        model=model,
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:160]


def _from_images(nodes: Sequence[fx.Node]) -> list[fx.Node]:
    """Without the other arguments of forward, held at their defaults, and the checks on them."""
    extra = {n for n in nodes[1:] if n.op == "placeholder"}
    for node in nodes:
        if node.op != "output" and extra.intersection(node.all_input_nodes):
            extra.add(node)
    return [n for n in nodes if n not in extra]


def _bottlenecks(nodes: Sequence[fx.Node], traced: fx.GraphModule) -> list[tuple[int, tuple[int, ...]]]:
    """Positions and shapes of the 4-D tensors through which every path to the output runs."""
    position = {node: i for i, node in enumerate(nodes)}
    found = []
    furthest = 0  # the last use of anything computed so far
    for i, node in enumerate(nodes):
        if node.op == "get_attr":
            continue
        shape = getattr(node.meta.get("tensor_meta"), "shape", ())
        in_place = any(_writes_in_place(user, traced) for user in node.users)
        if furthest <= i and len(shape) == 4 and node.op != "placeholder" and not in_place:
            found.append((i, tuple(shape)))
        furthest = max([furthest, *(position[u] for u in node.users)])
    return found


def _writes_in_place(node: fx.Node, traced: fx.GraphModule) -> bool:
    if node.op == "call_module":
        return bool(getattr(traced.get_submodule(str(node.target)), "inplace", False))
    return bool(node.kwargs.get("inplace", False)) or str(node.target).endswith("_")


def _part(model: nn.Module, nodes: Sequence[fx.Node], start: int, end: int) -> fx.GraphModule:
    """The computation from the value of node ``start`` to that of node ``end``.

    Modules are shared with the model, not copied.
    """
    graph = fx.Graph()
    values: dict[fx.Node, fx.Node] = {nodes[start]: graph.placeholder("x")}
    for node in nodes[start + 1 : end + 1]:
        if node.op != "output":
            values[node] = graph.node_copy(node, lambda n: _value(n, values, graph))
    last = nodes[end]
    graph.output(values[last.all_input_nodes[0] if last.op == "output" else last])
    part = fx.GraphModule(model, graph)
    graph.eliminate_dead_code()
    part.recompile()
    part.delete_all_unused_submodules()
    return part


def _value(node: fx.Node, values: dict[fx.Node, fx.Node], graph: fx.Graph) -> fx.Node:
    if node not in values:  # a constant or parameter read before this part begins
        values[node] = graph.node_copy(node, lambda n: _value(n, values, graph))
    return values[node]
