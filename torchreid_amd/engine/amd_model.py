"""A torchreid model with its interpreter, behind torchreid's own model interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from torchreid_amd.attributes.configured import has_own_labels
from torchreid_amd.attributes.datamanager_labels import schema_of
from torchreid_amd.config import active_config, amd_kwargs
from torchreid_amd.core import host
from torchreid_amd.interpreter.decomposition import Decomposition
from torchreid_amd.interpreter.interpreter import Interpreter, create_interpreter

_INSIDE = "interpreter.target.model."


class InterpretedModel(nn.Module):
    """What the factory entry ``amd_<model>`` builds.

    In eval mode its forward is the target's own forward, bit by bit, so torchreid's test code,
    feature extractor and complexity counter take it as they take the target. In training mode it
    returns a :class:`~torchreid_amd.interpreter.decomposition.Decomposition` for the AMD engine.

    Its state dict holds the target's keys unchanged, plus ``interpreter.*``: a checkpoint of
    the plain model loads into it. When the target's weights change by loading and the head's do
    not come with them, a head that starts from the target starts again.

    Args:
        interpreter: the interpreter, target included.
    """

    def __init__(self, interpreter: Interpreter) -> None:
        super().__init__()
        self.interpreter = interpreter
        self._register_state_dict_hook(_outside)
        self._register_load_state_dict_pre_hook(_inside)

    def forward(self, images: Tensor) -> Tensor | Decomposition:
        """Images (B, 3, H, W) -> embeddings (B, D) in eval mode, a decomposition in training."""
        if self.training:
            decomposition: Decomposition = self.interpreter(images)
            return decomposition
        embedding: Tensor = self.interpreter.target(images)
        return embedding

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """As torch's; see the class for what becomes of the head."""
        now = self.state_dict()
        changed = {k for k, v in state_dict.items() if k in now and not _same(now[k], v)}
        head = {k for k in changed if k.startswith("interpreter.")}
        keys = super().load_state_dict(state_dict, strict=strict, assign=assign)
        start = getattr(self.interpreter.head, "start", None)
        if changed and not head and callable(start):
            start(self.interpreter.target)
        return keys


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a.cpu(), b.cpu())


def _outside(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    """The target's keys as the target alone would name them."""
    for key in [k for k in state if k.startswith(prefix + _INSIDE)]:
        state[prefix + key[len(prefix + _INSIDE) :]] = state.pop(key)


def _inside(state: dict[str, Any], prefix: str, *_: Any) -> None:
    """The reverse of :func:`_outside`."""
    for key in [k for k in state if k.startswith(prefix) and not k.startswith(prefix + "interpreter.")]:
        state[prefix + _INSIDE + key[len(prefix) :]] = state.pop(key)


def graft(target: nn.Module, cfg: Any, name: str = "") -> Interpreter:
    """An interpreter on a model, as a configuration's ``amd`` node asks for it.

    Attributes are those of the configured set, table or sources; Market-1501's where none is known.
    """
    options = amd_kwargs(cfg)
    known = cfg.amd.attributes.file or any(map(has_own_labels, cfg.data.sources))
    if known and "attributes" not in options:
        options["attributes"] = schema_of(cfg)
    return create_interpreter(target, name=name, **options)


def interpreted_factory(name: str) -> Callable[..., InterpretedModel]:
    """The constructor behind ``amd_<name>``: torchreid's four keywords, in its order.

    Head, attributes and metric are those of the active configuration's ``amd`` node.
    """

    def build(
        num_classes: int, loss: str = "softmax", pretrained: bool = True, use_gpu: bool = True
    ) -> InterpretedModel:
        target = host.build_model(
            name, num_classes=num_classes, loss=loss, pretrained=pretrained, use_gpu=use_gpu
        )
        return InterpretedModel(graft(target, active_config(), name))

    build.__name__ = build.__qualname__ = host.PREFIX + name
    build.__doc__ = f"{name} with its interpreter."
    return build
