"""A frozen target that computes the same in fewer steps, for training on it.

In eval mode a batch normalisation behind a convolution is part of that convolution: another weight and
another bias. After Jacob et al., *Quantization and Training of Neural Networks for
Efficient-Integer-Arithmetic-Only Inference*, CVPR 2018, https://arxiv.org/abs/1712.05877, section 3.2.
"""

from __future__ import annotations

import copy
from contextlib import redirect_stderr
from io import StringIO
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils import _pytree as tree

from torchreid_amd.targets.target import Target
from torchreid_amd.targets.tracing import noise

_TOLERANCE = 1e-4  #: relative error up to which a part with folded normalisations is taken for the same


class QuickTarget(Target):
    """Stem and body of a target with batch normalisations folded.

    Its weights are copies: the target itself stays as it is. The tail is the target's own.

    Args:
        target: frozen.
        layout: of maps in memory.

    Attributes:
        folded: how many batch normalisations are gone.
    """

    def __init__(self, target: Target, layout: torch.memory_format = torch.channels_last) -> None:
        images = noise(2, target.size, target.device)
        early, features = target.features(images)
        stem, in_stem = _quick(target.stem, images, early, layout)
        body, in_body = _quick(target.body, early, features, layout)
        super().__init__(
            stem, body, target.tail, name=target.name, size=target.size, fixed_size=target.fixed_size
        )
        self.folded = in_stem + in_body
        self.layout = layout
        self._of = (target,)  # a tuple: its weights are not this one's

    @torch.no_grad()
    def features(self, images: Tensor) -> tuple[Any, Any]:
        """As the target's, in this one's layout."""
        return super().features(images.contiguous(memory_format=self.layout))

    @torch.no_grad()
    def levels(self, images: Tensor) -> tuple[tuple[Tensor, ...], Any]:
        """As the target's, in this one's layout."""
        return super().levels(images.contiguous(memory_format=self.layout))

    @torch.no_grad()
    def pyramid(self, images: Tensor) -> nn.Module:
        """As the target's, folded; made when it is first asked for."""
        if not self._pyramid:
            plain = self._of[0].pyramid(images)
            quick, _ = _quick(plain, images[:2], plain(_copies(images[:2])), self.layout)
            self._pyramid = (quick.requires_grad_(False),)
        return self._pyramid[0]


def layout_for(model: nn.Module, half: bool) -> torch.memory_format:
    """The quicker layout: channels last in half precision and where convolutions go channel by channel.

    On CPUs with AMX the backward pass of a ResNet in single precision is a third slower in channels last.
    """
    depthwise = any(isinstance(m, nn.Conv2d) and m.groups == m.in_channels > 1 for m in model.modules())
    return torch.channels_last if half or depthwise else torch.contiguous_format


def _quick(part: nn.Module, given: Any, expected: Any, layout: torch.memory_format) -> tuple[nn.Module, int]:
    """A part with its normalisations folded, and how many; the part itself where that goes wrong."""
    try:
        with redirect_stderr(StringIO()), torch.no_grad():  # a traced module prints where it failed
            quick = copy.deepcopy(part).eval().to(memory_format=layout)  # type: ignore[call-overload]
            quick, count = folded(quick)
            same = _same(quick(_copies(given)), expected)
    except Exception:  # the model's own code: anything may come out of it
        return part, 0
    return (quick, count) if same else (part, 0)


def _copies(values: Any) -> Any:
    """The same values in memory of their own: a part may overwrite what it is given."""
    return tree.tree_map_only(Tensor, torch.clone, values)


def _same(found: Any, expected: Any) -> bool:
    pairs = zip(tree.tree_leaves(found), tree.tree_leaves(expected), strict=True)
    return all(
        a.shape == b.shape and bool((a - b).abs().max() <= _TOLERANCE * b.abs().max())
        for a, b in pairs
        if isinstance(b, Tensor)
    )


def folded(module: nn.Module) -> tuple[nn.Module, int]:
    """A module in eval mode whose batch normalisations are part of the convolutions before them.

    What cannot be traced is left as it is, and its children are looked at one by one.

    Args:
        module: in eval mode; it is changed, so give a copy.

    Returns:
        The module to use, and how many normalisations are gone.

    Example:
        >>> from torch import nn
        >>> module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()).eval()
        >>> quick, count = folded(module)
        >>> count, sum(isinstance(m, nn.BatchNorm2d) for m in quick.modules())
        (1, 0)
    """
    try:
        traced = fx.symbolic_trace(module)
    except Exception:  # control flow, or whatever else the module's own code does with symbols
        count = 0
        for name, child in module.named_children():
            quick, more = folded(child)
            setattr(module, name, quick)
            count += more
        return module, count
    steps = [n for n in traced.graph.nodes if n.op == "call_module"]
    uses = {path: sum(n.target == path for n in steps) for path in {n.target for n in steps}}
    count = 0
    for node in steps:
        before = node.args[0]
        if not (isinstance(before, fx.Node) and before.op == "call_module" and len(before.users) == 1):
            continue
        conv, norm = (traced.get_submodule(str(n.target)) for n in (before, node))
        if type(conv) is not nn.Conv2d or type(norm) is not nn.BatchNorm2d or norm.running_mean is None:
            continue
        if uses[before.target] > 1 or uses[node.target] > 1:  # shared with another place
            continue
        _put(traced, str(before.target), fuse_conv_bn_eval(conv, norm))
        node.replace_all_uses_with(before)
        traced.graph.erase_node(node)
        count += 1
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced, count


def _put(module: nn.Module, path: str, value: nn.Module) -> None:
    """Put a module in the place of the one at a dotted path."""
    parent, _, name = path.rpartition(".")
    setattr(module.get_submodule(parent), name, value)
