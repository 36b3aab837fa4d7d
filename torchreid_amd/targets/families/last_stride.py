"""ResNets whose last stage keeps its resolution: ``stride1_<name>``, e.g. ``stride1_resnet50``.

Last maps have four times the cells (24×8 of 384×128, as the interpreted models of the paper have), and
weights are those of the plain network: a checkpoint of one loads into the other. After Luo et al., *Bag of
Tricks and A Strong Baseline for Deep Person Re-identification*, CVPR workshops 2019,
https://arxiv.org/abs/1903.07071, section 3.5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from torch import nn

from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError


def keep_last_resolution(model: nn.Module) -> nn.Module:
    """Take the stride out of a ResNet's ``layer4``, in place; gives the model.

    Raises:
        InputError: it has no ``layer4`` with a stride in it.
    """
    stage = getattr(model, "layer4", None)
    moving = (nn.Conv2d, nn.AvgPool2d, nn.MaxPool2d)
    steps = [m for m in stage.modules() if isinstance(m, moving)] if isinstance(stage, nn.Module) else []
    strided = [m for m in steps if _strides(m)]
    if not strided:
        raise InputError(
            f"{type(model).__name__} has no stage layer4 with a stride, so its last stride cannot be 1; "
            "expected a ResNet of torchreid, e.g. stride1_resnet50"
        )
    for step in strided:
        step.stride = (1, 1) if isinstance(step, nn.Conv2d) else 1
    return model


def _strides(step: nn.Module) -> bool:
    stride: Any = step.stride
    return max(stride if isinstance(stride, tuple) else (stride,)) > 1


def stride1_factory(name: str) -> Callable[..., nn.Module]:
    """The constructor behind ``stride1_<name>``; its keywords are those of ``<name>``."""

    def build(*args: Any, **kwargs: Any) -> nn.Module:
        plain = name.removeprefix(host.STRIDE1)
        given = dict(zip(("num_classes", "loss", "pretrained", "use_gpu"), args, strict=False))
        model: Any = keep_last_resolution(host.build_model(plain, **(given | kwargs)))
        model.factory_name = name
        return cast(nn.Module, model)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"{name.removeprefix(host.STRIDE1)} whose last stage keeps its resolution."
    return build
