"""Which weights are an identity classifier's: those that no embedding depends on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from torchreid_amd.targets.tracing import noise

_SIZES = ((256, 128), (160, 64), (224, 224), (299, 299))  #: (H, W) that ReID models are made for


def is_named_classifier(key: str) -> bool:
    """Whether a name is one that identity classifiers have in torchreid."""
    return any(part == "classifier" or part.startswith("classifier_") for part in key.split("."))


def classes_of(state: Mapping[str, Tensor]) -> int:
    """How many identities the classifier of a state dict tells apart, by its name; 0 where there is none."""
    found = [v.shape[0] for k, v in state.items() if is_named_classifier(k) and k.endswith("weight")]
    return found[-1] if found else 0


def classifier_keys(model: nn.Module, keys: Iterable[str]) -> set[str]:
    """Those of some entries of a model's state dict that its embeddings do not depend on.

    The model is run on an image in eval mode, and what it gives is followed back to the parameters. Where
    it does not run, names decide. A buffer belongs with the parameters of its module.

    Args:
        model: not wrapped.
        keys: names of entries.
    """
    wanted = set(keys)
    if not wanted:
        return set()
    values = {k: v for k, v in model.state_dict(keep_vars=True).items() if k in wanted}
    parameters = {k: v for k, v in values.items() if isinstance(v, nn.Parameter) and v.is_floating_point()}
    try:
        reached = _reached(model, parameters)
    except Exception:  # the model's own code: anything may come out of it
        return {k for k in wanted if is_named_classifier(k)}
    modules = {k.rpartition(".")[0] for k in reached}
    apart = set(parameters) - reached
    alone = {k.rpartition(".")[0] for k in apart} - modules
    return apart | {k for k in values if k not in parameters and k.rpartition(".")[0] in alone}


def _reached(model: nn.Module, parameters: dict[str, nn.Parameter]) -> set[str]:
    """The parameters on the way to what the model gives in eval mode."""
    modes = [(module, module.training) for module in model.modules()]
    before = {p: p.requires_grad for p in model.parameters()}
    try:
        model.eval()
        for parameter in before:
            parameter.requires_grad_(False)
        for parameter in parameters.values():
            parameter.requires_grad_(True)
        with torch.enable_grad():
            ends = [t for t in _run(model) if isinstance(t, Tensor) and t.requires_grad]
        if not ends:
            return set()
        total = torch.stack([end.float().sum() for end in ends]).sum()
        try:
            found = torch.autograd.grad(total, list(parameters.values()), allow_unused=True)
        except RuntimeError:  # overwritten values cannot be followed; something was reached
            return set(parameters)
        return {key for key, gradient in zip(parameters, found, strict=True) if gradient is not None}
    finally:
        for module, training in modes:
            module.training = training
        for parameter, wanted in before.items():
            parameter.requires_grad_(wanted)


def _run(model: nn.Module) -> list[Any]:
    """All that the model gives for one image of a size it takes."""
    weight = next(p for p in model.parameters() if p.is_floating_point())
    own = getattr(model, "size", None)
    sizes = [own] if isinstance(own, tuple) and len(own) == 2 else []
    for size in [*sizes, *_SIZES]:
        try:
            return tree_leaves(model(noise(1, size).to(weight.device, weight.dtype)))
        except Exception as error:  # another size may do
            last = error
    raise last
