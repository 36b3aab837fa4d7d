"""Parts of a model whose code cannot be traced: the model itself, run again with values put in.

Everything happens inside one call: hooks are taken off and methods put back before it returns,
whatever it raises.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from torchreid_amd.targets.tracing import device_of, noise


class _Reached(Exception):
    """All wanted values are there."""


class Rerun(nn.Module):
    """From the outputs of some modules of a model to those of others, or to what it returns.

    Slower than a traced part where much runs before the given modules without being skipped. A
    trainable copy holds the whole model; only the modules in between learn.

    Args:
        model: the model.
        given: paths of the modules whose outputs are the input, in order; none for the images.
        wanted: paths of those whose outputs are wanted, in order; none for what the model returns.
        size: (H, W) of its images.
        skipped: outputs, for one image, of modules that need not run, by path.
        between: paths of the modules that do the work.
    """

    def __init__(
        self,
        model: nn.Module,
        given: Sequence[str],
        wanted: Sequence[str],
        size: tuple[int, int],
        skipped: Mapping[str, Any],
        between: Sequence[str],
    ) -> None:
        super().__init__()
        self.model = model
        self.given, self.wanted, self.size = tuple(given), tuple(wanted), size
        self.skipped, self.between = dict(skipped), tuple(between)

    def requires_grad_(self, requires_grad: bool = True) -> Rerun:
        """For the modules in between; the others do not take part."""
        self.model.requires_grad_(False)
        for path in self.between:
            self.model.get_submodule(path).requires_grad_(requires_grad)
        return self

    def forward(self, x: Any) -> Any:
        """Given values -> wanted values; a tuple where there are several."""
        values = x if isinstance(x, tuple) else (x,)
        first = values[0]
        images = first.new_zeros(len(first), 3, *self.size) if self.given else first.clone()
        found: dict[str, Tensor] = {}
        with ExitStack() as stack:
            for path, value in zip(self.given, values if self.given else (), strict=True):
                stack.enter_context(_giving(self.model.get_submodule(path), value.clone()))
            for path, kept in self.skipped.items():
                stack.enter_context(_giving(self.model.get_submodule(path), _rows(kept, first)))
            for path in self.wanted:
                stack.enter_context(_caught(self.model.get_submodule(path), path, found, len(self.wanted)))
            try:
                returned = self.model(images)
            except _Reached:
                returned = tuple(found[path] for path in self.wanted)
                return returned if len(returned) > 1 else returned[0]
        return returned


def _rows(kept: Any, like: Tensor) -> Any:
    """Values for one image as for so many; copies, which what follows may overwrite."""

    def rows(value: Any) -> Any:
        if not (isinstance(value, Tensor) and value.ndim):
            return value
        return value.to(like).expand(len(like), *value.shape[1:]).clone()

    return tree_map(rows, kept)


@contextmanager
def _giving(module: nn.Module, value: Any) -> Iterator[None]:
    """The module gives the value, whatever it is given."""
    own = vars(module).get("forward")
    vars(module)["forward"] = lambda *_, **__: value
    try:
        yield
    finally:
        if own is None:
            del vars(module)["forward"]
        else:
            vars(module)["forward"] = own


@contextmanager
def _caught(module: nn.Module, path: str, found: dict[str, Tensor], number: int) -> Iterator[None]:
    def catch(_: nn.Module, __: Any, output: Any) -> None:
        found[path] = output.clone()  # what follows may overwrite it
        if len(found) == number:
            raise _Reached

    handle = module.register_forward_hook(catch)
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def order_of_running(model: nn.Module, size: tuple[int, int]) -> list[tuple[str, Any]]:
    """Every module that runs on two images of noise and what it gave for one, in order of ending."""
    ended: list[tuple[str, Any]] = []
    handles = []

    def note(path: str) -> Any:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            one = tree_map(lambda v: v[:1].clone() if isinstance(v, Tensor) and v.ndim else v, output)
            ended.append((path, one))

        return hook

    try:
        for path, module in model.named_modules():
            handles.append(module.register_forward_hook(note(path)))
        model(noise(2, size, device_of(model)))
    finally:
        for handle in handles:
            handle.remove()
    return ended
