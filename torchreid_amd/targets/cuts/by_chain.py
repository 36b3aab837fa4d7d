"""Cutting a model at modules named by hand."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from torchreid_amd.core.errors import InputError
from torchreid_amd.targets.precision import in_single_precision
from torchreid_amd.targets.tail import AveragePoolTail
from torchreid_amd.targets.target import CutPoint, Target


def submodule(model: nn.Module, path: str) -> nn.Module:
    """The module at a dotted path.

    Raises:
        InputError: the model has no module there.
    """
    try:
        return model.get_submodule(path)
    except AttributeError:
        children = ", ".join(n for n, _ in model.named_children())
        raise InputError(
            f"{type(model).__name__} has no module {path!r}; its modules are {children}"
        ) from None


def chain(model: nn.Module, paths: Sequence[str]) -> nn.Sequential:
    """Modules that run one after the other, by path."""
    return nn.Sequential(*(submodule(model, path) for path in paths))


def cut_by_name(
    model: nn.Module,
    stem: Sequence[str],
    body: Sequence[str],
    pool: str,
    neck: Sequence[str] = (),
) -> Target:
    """A target from the names of the modules that run one after the other.

    Args:
        model: the ReID model.
        stem: modules from the image to the shared early features.
        body: modules from there to the last feature map.
        pool: the global average pooling.
        neck: modules from the pooled vector to the embedding; a module the model holds as
            ``None`` (torchreid's optional ``fc``) is left out.

    Example:
        >>> import torch, torchreid_amd as amd
        >>> from torchreid import models
        >>> model = models.build_model("resnet18", num_classes=751, pretrained=False)
        >>> stem = ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2"]
        >>> target = amd.cut_by_name(model, stem, ["layer3", "layer4"], "global_avgpool")
        >>> target.law_error(torch.rand(1, 3, 64, 32)) < 1e-5
        True
    """
    model = in_single_precision(model)
    present = [n for n in neck if getattr(model, n, None) is not None]
    tail = nn.Sequential(submodule(model, pool), nn.Flatten(1), *(submodule(model, n) for n in present))
    cut_point = CutPoint(stem[-1], (body[-1],), "by entry")
    parts = chain(model, stem), chain(model, body), AveragePoolTail(tail)
    return Target(*parts, model=model, cut_point=cut_point)
