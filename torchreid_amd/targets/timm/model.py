"""A model of timm as a ReID model, by torchreid's constructor contract.

The neck between embedding and classifier is that of Luo et al., *Bag of Tricks and a Strong
Baseline for Deep Person Re-Identification*, CVPR Workshops 2019, section 3.5 (BNNeck).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

from torchreid_amd.config import active_config
from torchreid_amd.core.errors import InputError, unknown_name
from torchreid_amd.core.host import TIMM
from torchreid_amd.targets.timm.names import check_name, timm

_LOSSES = ("softmax", "triplet")
_NOT_TAKEN = (TypeError, ValueError, AssertionError)  # by a constructor that does not take an option


class TimmModel(nn.Module):
    """timm's backbone, a batch-normalisation neck and a classifier.

    In eval mode its forward gives embeddings: the backbone's pooled features behind the neck. In
    training mode it gives logits for ``loss='softmax'``, and logits and the features before the
    neck for ``loss='triplet'``, as torchreid's engines expect.

    Transformers take images of any size where timm can make them so: position embeddings are
    resampled, images are padded to whole patches, windows are laid out anew. The others are built
    for ``size`` and refuse images of another size. Images are to be normalised as torchreid does
    by default, whatever timm's own weights were trained with: set ``data.norm_mean`` and
    ``data.norm_std`` where that matters.

    Args:
        name: ``timm_<name>``, with timm's tag of weights or without.
        num_classes: identities to tell apart in training.
        loss: ``'softmax'`` or ``'triplet'``.
        pretrained: start from timm's weights; they are downloaded where timm does not have them.
        size: (H, W) of the images in pixels; default: the active configuration's.
        **options: of ``timm.create_model``, e.g. ``drop_path_rate``, or
            ``pretrained_cfg_overlay={'file': path}`` for weights in a local file.

    Raises:
        InputError: timm has no such model or weights, the weights cannot be loaded, or the model
            has no pooled features.
    """

    def __init__(
        self,
        name: str,
        num_classes: int,
        *,
        loss: str = "softmax",
        pretrained: bool = False,
        size: tuple[int, int] | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if loss not in _LOSSES:
            raise unknown_name("loss of a timm model", loss, _LOSSES)
        self.name = self.factory_name = name
        self.loss = loss
        data = active_config().data
        self.size: tuple[int, int] = (data.height, data.width) if size is None else (size[0], size[1])
        self.backbone: Any = self._build(check_name(name), pretrained, options)
        width = getattr(self.backbone, "head_hidden_size", getattr(self.backbone, "num_features", None))
        if not (hasattr(self.backbone, "forward_head") and isinstance(width, int)):
            raise InputError(f"{name} gives no pooled features; choose a model of timm for classification")
        self.feature_dim = width
        self.neck = nn.BatchNorm1d(width)
        self.neck.bias.requires_grad_(False)  # the classifier's hyperplanes pass through the origin
        self.classifier = nn.Linear(width, num_classes, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def _build(self, own_name: str, pretrained: bool, options: dict[str, Any]) -> nn.Module:
        """The backbone, made for images of any size, else for ``self.size``, else as timm makes it."""
        sizes: list[dict[str, Any]] = [
            {"dynamic_img_size": True, "dynamic_img_pad": True},
            {"dynamic_img_size": True},
            {"strict_img_size": False},
            {"img_size": self.size},
            {},
        ]
        if "img_size" in options:
            sizes = [{}]
        for more in sizes:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    model: nn.Module = timm().create_model(
                        own_name, pretrained=pretrained, **{"num_classes": 0} | more | options
                    )
            except Exception as error:  # timm and what it downloads with may raise anything
                if more is not sizes[-1] and isinstance(error, _NOT_TAKEN):
                    continue
                raise self._failure(error, pretrained) from None
            config = getattr(model, "pretrained_cfg", {})
            if not more and config.get("fixed_input_size"):
                height, width = config["input_size"][-2:]
                self.size = (height, width)
            return model
        raise AssertionError  # the last attempt returns or raises

    def _failure(self, error: Exception, pretrained: bool) -> InputError:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        if not pretrained:
            return InputError(f"timm cannot build {self.name}: {said}; check the options given with the name")
        return InputError(
            f"the pretrained weights of {self.name} could not be loaded ({said}); connect to the internet, "
            "pass pretrained_cfg_overlay={'file': PATH} for a local file, or start without them "
            "(model.pretrained False)"
        )

    def features(self, images: Tensor) -> Any:
        """Images (B, 3, H, W) -> the backbone's last features, in its own layout.

        Raises:
            InputError: the backbone takes images of its own size only, and these have another.
        """
        if isinstance(images, fx.Proxy):
            return self.backbone.forward_features(images)
        try:
            return self.backbone.forward_features(images)
        except (AssertionError, RuntimeError, ValueError) as error:
            if tuple(images.shape[-2:]) == self.size:
                raise
            said = " ".join(str(error).split())[:120]
            raise other_size(self.name, self.size, tuple(images.shape[-2:]), said) from None

    def pooled(self, features: Any) -> Tensor:
        """The backbone's last features -> pooled features (B, D)."""
        pooled: Tensor = self.backbone.forward_head(features, pre_logits=True)
        return pooled.flatten(1)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) -> embeddings (B, D), or what the loss needs; see the class."""
        pooled = self.pooled(self.features(images))
        embedding: Tensor = self.neck(pooled)
        if not self.training:
            return embedding
        logits: Tensor = self.classifier(embedding)
        return (logits, pooled) if self.loss == "triplet" else logits

    @torch.no_grad()
    def takes(self, size: tuple[int, int]) -> bool:
        """Whether images of a size (H, W) can be embedded; the model must be in eval mode."""
        try:
            self(torch.zeros(1, 3, *size, device=self.neck.weight.device))
        except (InputError, AssertionError, RuntimeError, ValueError):
            return False
        return True


def other_size(name: str, expected: tuple[int, int], given: tuple[int, ...], said: str = "") -> InputError:
    """The error for images of a size (H, W) that a model does not take."""
    pixels, size = "×".join(map(str, given)), "×".join(map(str, expected))
    return InputError(
        f"{name} is built for images of {size} pixels and does not take {pixels}"
        + (f" ({said})" if said else "")
        + f"; set data.height and data.width to {expected[0]} and {expected[1]}, or build it with size=(H, W)"
    )


def timm_factory(name: str) -> Callable[..., nn.Module]:
    """The constructor behind ``timm_<name>``: torchreid's four keywords, in its order.

    Any other keyword is :class:`~torchreid_amd.targets.timm.model.TimmModel`'s.

    Raises:
        InputError: timm has no model of that name.
    """
    check_name(name)

    def build(
        num_classes: int,
        loss: str = "softmax",
        pretrained: bool = True,
        use_gpu: bool = True,
        **options: Any,
    ) -> nn.Module:
        return TimmModel(name, num_classes, loss=loss, pretrained=pretrained, **options)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"timm's {name.removeprefix(TIMM)} as a ReID model."
    return build
