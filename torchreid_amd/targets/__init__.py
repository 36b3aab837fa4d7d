"""Targets: ReID models cut into stem | body | tail."""

from __future__ import annotations

from typing import Any

from torch import nn

from torchreid_amd import host
from torchreid_amd.errors import InputError
from torchreid_amd.registry import list_targets, targets
from torchreid_amd.targets import hacnn, mlfn, mudeep, nasnet, pcb, resnetmid, timm_cut  # noqa: F401
from torchreid_amd.targets.automatic import automatic_cut
from torchreid_amd.targets.by_name import cut_by_name
from torchreid_amd.targets.families import register_target
from torchreid_amd.targets.named_cut import cut
from torchreid_amd.targets.tail import AveragePoolTail, Tail
from torchreid_amd.targets.target import Target
from torchreid_amd.targets.unwrapping import unwrap

__all__ = [
    "AveragePoolTail",
    "Tail",
    "Target",
    "automatic_cut",
    "build_target",
    "cut",
    "cut_by_name",
    "list_targets",
    "register_target",
    "unwrap",
]


def build_target(model: nn.Module | str, name: str = "", **kwargs: Any) -> Target:
    """A target from a model, or from the name of one.

    The cut is the one registered for the model's name, else the automatic one. A model that
    torchreid built is recognised by its class and the shapes of its weights; ``name`` need not
    be given.

    Args:
        model: a ReID model, possibly wrapped (see :func:`unwrap`), or a name of torchreid's factory.
        name: the name the model was built by.
        **kwargs: for a model given by name: ``num_classes``, ``loss``, ``pretrained``, ``use_gpu``.

    Raises:
        InputError: the name is unknown or the model cannot be cut.
    """
    if isinstance(model, str):
        name = model
        model = host.build_model(name, **kwargs)
    if isinstance(model, Target):
        return model
    if not isinstance(model, nn.Module):
        raise InputError(
            f"a target is a model (torch.nn.Module) or a model's name, not {type(model).__name__}"
        )
    model = unwrap(model)
    name = name or host.model_name(model)
    target: Target = (targets[name] if name in targets else automatic_cut)(model)
    target.name = name
    return target
