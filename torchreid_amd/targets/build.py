"""A target from a model or from the name of one."""

from __future__ import annotations

from typing import Any

from torch import nn

from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.host import unwrap
from torchreid_amd.core.registry import targets
from torchreid_amd.targets.cuts.automatic import automatic_cut
from torchreid_amd.targets.embedding import check_embedding
from torchreid_amd.targets.precision import in_single_precision
from torchreid_amd.targets.target import Target


def build_target(model: nn.Module | str, name: str = "", **kwargs: Any) -> Target:
    """A target from a model, or from the name of one.

    The cut is the one registered for the model's name, else the automatic one. A model that
    torchreid built is recognised by its class and the shapes of its weights; ``name`` need not
    be given.

    Args:
        model: a ReID model, possibly wrapped (see :func:`torchreid_amd.core.host.unwrap`), or a name of
            torchreid's factory.
        name: the name the model was built by.
        **kwargs: for a model given by name: ``num_classes``, ``loss``, ``pretrained``, ``use_gpu``.

    Raises:
        InputError: the name is unknown or the model cannot be cut.

    A model whose weights are not in single precision is left alone, and a copy of it that has them so
    becomes the target.

    Example:
        >>> import torchreid_amd as amd
        >>> target = amd.build_target("resnet18", num_classes=751)
        >>> target.cut_point.stem, target.cut_point.maps
        ('layer2', ('layer4',))
    """
    if isinstance(model, str):
        name = model
        model = host.build_model(name, **kwargs)
    if isinstance(model, Target):
        check_embedding(model.model, model.size, model.name)
        return model
    if not isinstance(model, nn.Module):
        raise InputError(
            f"a target is a model (torch.nn.Module) or a model's name, not {type(model).__name__}"
        )
    model = in_single_precision(unwrap(model))
    name = name or host.model_name(model)
    family = name.removeprefix(host.STRIDE1)
    target: Target = (targets[family] if family in targets else automatic_cut)(model)
    target.name = name
    check_embedding(target.model, target.size, name)
    return target
