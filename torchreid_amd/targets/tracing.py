"""A model's computation as a torch.fx graph, and parts of it as modules of their own."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stderr
from io import StringIO
from typing import Any

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from torchreid_amd.core.errors import InputError

_IN_PLACE = (operator.iadd, operator.imul, operator.isub, operator.itruediv)


class _Tracer(fx.Tracer):
    """Follows modules made on the fly, and goes no deeper than it is told to."""

    def __init__(self, whole: Callable[[str], bool] | None) -> None:
        super().__init__()
        self.whole = whole

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if self.whole is not None:
            return self.whole(module_qualified_name)
        return super().is_leaf_module(m, module_qualified_name)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        try:
            self.path_of_module(m)
        except NameError:  # no module of the model's: torchreid's NASNet makes its padding as it goes
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)


def trace(model: nn.Module, whole: Callable[[str], bool] | None = None) -> fx.GraphModule:
    """A model's eval computation; arguments after the images are held at their defaults.

    Args:
        model: any module; it is put into eval mode.
        whole: which modules, by path, are single steps of the graph; torch.fx's own choice if None.

    Raises:
        Exception: whatever the model's own code raises when it meets symbols.
    """
    model.eval()
    parameters = list(inspect.signature(model.forward).parameters.values())[1:]
    defaults = {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}
    graph = _Tracer(whole).trace(model, concrete_args=defaults or None)
    _follow_overwriting(graph, model)
    return fx.GraphModule(model, graph)


def _follow_overwriting(graph: fx.Graph, model: nn.Module) -> None:
    """Who reads a value behind a step that overwrites it reads what that step gives.

    ``f.clamp_(0)`` alone in a line changes ``f`` and is read by nobody. The images are the caller's: a
    step that overwrites them gets a copy.
    """
    position = {node: i for i, node in enumerate(graph.nodes)}
    for node in list(graph.nodes):
        if not (writes_in_place(node, model) and node.args and isinstance(node.args[0], fx.Node)):
            continue
        over = node.args[0]
        over.replace_all_uses_with(node, lambda user, at=position[node]: position[user] > at)  # type: ignore[misc]
        if over.op == "placeholder":
            with graph.inserting_before(node):
                node.replace_input_with(over, graph.call_method("clone", (over,)))


def run_through(traced: fx.GraphModule, size: tuple[int, int]) -> None:
    """Note the shape of every value, on two images of noise (H, W).

    Raises:
        Exception: whatever the model's own code raises.
    """
    try:
        with torch.no_grad(), redirect_stderr(StringIO()):  # it prints where it failed
            ShapeProp(traced).propagate(noise(2, size, device_of(traced)))
    except RuntimeError as error:
        raise error.__cause__ or error from None


def device_of(model: nn.Module) -> torch.device:
    """Where a model's parameters are; the CPU where it has none."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def precision_of(model: nn.Module) -> torch.dtype:
    """In what a model computes: the type of its first parameter that is a float; float32 without any."""
    return next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)


def noise(batch: int, size: tuple[int, int], device: torch.device | str = "cpu") -> torch.Tensor:
    """The same images (B, 3, H, W) of noise every time."""
    return torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(0)).to(device)


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """The shape of a node's value, () where it is no tensor."""
    return tuple(getattr(node.meta.get("tensor_meta"), "shape", ()))


def place_of(node: fx.Node) -> str:
    """A node in words: the path of the module that gives it, or what is computed in which module."""
    if node.op == "call_module":
        return str(node.target)
    inside = [path for path in node.meta.get("nn_module_stack", {}) if path]
    return f"{inside[-1]}: {node.name}" if inside else node.name


def first_line(error: Exception) -> str:
    """An exception in at most 160 characters."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:160]


def writes_in_place(node: fx.Node, model: nn.Module) -> bool:
    """Whether a step of a model, or of its traced form, overwrites what it is given."""
    if node.op not in ("call_module", "call_method", "call_function"):
        return False
    if node.op == "call_module":
        return bool(getattr(model.get_submodule(str(node.target)), "inplace", False))
    name = getattr(node.target, "__name__", str(node.target))
    in_place = name.endswith("_") and not name.endswith("__")
    return in_place or bool(node.kwargs.get("inplace", False)) or node.target in _IN_PLACE


def extract(model: nn.Module, start: Sequence[fx.Node], end: Sequence[fx.Node]) -> fx.GraphModule:
    """The computation from the values of some nodes to those of others, as a module.

    Its input is the value of the one start node, or the tuple of the values of several; its output
    likewise. Modules and parameters are shared with the model, not copied.

    Args:
        model: the traced model.
        start: where it begins.
        end: where it stops; a graph's output node stands for what the model returns.

    Raises:
        InputError: something between start and end needs the images.
    """
    wanted = [n.all_input_nodes[0] if n.op == "output" else n for n in end]
    needed = _needed(wanted, set(start))
    graph = fx.Graph()
    given = graph.placeholder("x")
    values: dict[fx.Node, fx.Node] = {}
    for i, node in enumerate(start):
        values[node] = given if len(start) == 1 else graph.call_function(operator.getitem, (given, i))
    for node in start[0].graph.nodes:
        if node in needed:
            values[node] = graph.node_copy(node, lambda n: values[n])
    graph.output(values[wanted[0]] if len(wanted) == 1 else tuple(values[n] for n in wanted))
    part = fx.GraphModule(model, graph)
    part.delete_all_unused_submodules()
    return part


def _needed(wanted: Iterable[fx.Node], given: set[fx.Node]) -> set[fx.Node]:
    """The steps from the given values to the wanted ones, without the given."""
    needed: set[fx.Node] = set()
    waiting = [n for n in wanted if n not in given]
    while waiting:
        node = waiting.pop()
        if node in needed:
            continue
        if node.op == "placeholder":
            raise InputError("part of it is computed from the images on a way round")
        needed.add(node)
        waiting += [n for n in node.all_input_nodes if n not in given]
    return needed
