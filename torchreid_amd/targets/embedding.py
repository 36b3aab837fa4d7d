"""What a target gives must be one embedding (B, D), each row that of its own image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from torchreid_amd.core.errors import InputError
from torchreid_amd.targets.tracing import device_of, first_line, noise, precision_of

_TOLERANCE = 1e-3  #: of the largest value; batches of another size are summed in another order
_WRAP = "wrap it in a module whose eval forward returns the embeddings (B, D) that are compared"


@torch.no_grad()
def check_embedding(model: nn.Module, size: tuple[int, int], name: str = "") -> None:
    """Run a model on one image and on two.

    Args:
        model: in eval mode.
        size: (H, W) of its images, in pixels.
        name: what a message calls it; its class by default.

    Raises:
        InputError: it does not run, or does not give one embedding (B, D) for both; in words what
            it gives.
    """
    kind = name or type(model).__name__
    images = noise(2, size, device_of(model)).to(precision_of(model))
    two, one = _run(model, images, kind), _run(model, images[:1], kind)
    for batch, given in ((2, two), (1, one)):
        if not isinstance(given, Tensor) or given.ndim != 2 or len(given) != batch:
            images_ = "two images" if batch == 2 else "one image"
            raise InputError(
                f"{kind} returns {describe(given)} for {images_} in eval mode; a target returns one "
                f"embedding for each image, {batch}×D numbers: {_WRAP}"
            )
    if one.shape[1] != two.shape[1]:
        raise InputError(
            f"{kind} returns embeddings of {one.shape[1]} numbers for one image and of {two.shape[1]} for "
            f"two; they cannot be compared: {_WRAP}"
        )
    scale = two.abs().max()
    if (one[0] - two[0]).abs().max() > _TOLERANCE * scale:
        again = _run(model, images[:1], kind)
        why = (
            "gives the same image another embedding each time (dropout that is never switched off?)"
            if (again - one).abs().max() > _TOLERANCE * scale
            else "gives an image another embedding when another image is beside it in the batch"
        )
        raise InputError(f"{kind} {why}; its distances cannot be explained: {_WRAP}")


def describe(given: Any) -> str:
    """What a model returned, in words."""
    if isinstance(given, Tensor):
        return f"a tensor of shape {'×'.join(map(str, given.shape)) or '() (one number)'}"
    if isinstance(given, Mapping):
        inside = ", ".join(f"{key}: {_short(value)}" for key, value in list(given.items())[:6])
        return f"a {type(given).__name__} of {len(given)} ({inside})"
    if isinstance(given, (tuple, list)):
        inside = ", ".join(_short(value) for value in given[:6])
        return f"a {type(given).__name__} of {len(given)} ({inside}{', …' if len(given) > 6 else ''})"
    return f"a {type(given).__name__}"


def _short(value: Any) -> str:
    return "×".join(map(str, value.shape)) if isinstance(value, Tensor) else type(value).__name__


def _run(model: nn.Module, images: Tensor, kind: str) -> Any:
    try:
        return model(images.clone())  # a model may write into its images
    except InputError:
        raise
    except Exception as error:  # the model's own code: anything may come out of it
        number = "one image" if len(images) == 1 else f"{images.shape[2]}×{images.shape[3]} images"
        raise InputError(
            f"{kind} does not run on {number} ({first_line(error)}); "
            "give the size it is made for: size=(H, W)"
        ) from None
