"""Weights from a file into a model, all of them or none, and telling whose weights they are."""

from __future__ import annotations

import hashlib
import io
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.files import atomic_path
from torchreid_amd.core.host import model_name, unwrap
from torchreid_amd.core.safe_load import MODEL_ZOO
from torchreid_amd.targets.classifier import classifier_keys, is_named_classifier
from torchreid_amd.targets.model_zoo import where_to_get
from torchreid_amd.targets.state_dicts import choose_weights, split_key, without_prefix

_log = logging.getLogger(__name__)


def write_checkpoint(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Write what :mod:`torchreid_amd.core.safe_load` reads back; whole, or what stood there stays.

    ``torch.save`` itself reports a full disk as an internal error, so it writes to memory here.

    Raises:
        InputError: the folder cannot be written to or the disk is full.
    """
    memory = io.BytesIO()
    torch.save(dict(content), memory)
    with atomic_path(path) as temporary:
        temporary.write_bytes(memory.getbuffer())


@dataclass(frozen=True)
class LoadReport:
    """What :func:`load_weights` did.

    Attributes:
        path: the file.
        loaded: names whose values were taken from it.
        skipped: classifier names left as they were, because the file's classifier has another size or
            the file has none.
    """

    path: str
    loaded: tuple[str, ...]
    skipped: tuple[str, ...]


def load_weights(model: nn.Module, path: str | os.PathLike[str], *, quiet: bool = False) -> LoadReport:
    """Load a checkpoint into a model, all of it or nothing.

    A classifier for another number of identities, or none, is left as it is, with one logged line; a
    classifier is what embeddings do not depend on, whatever its name. A
    prefix that all names of the file, or all names of the model, have in common is bridged, with one
    logged line. Any other difference is an error, and the model is then as it was. Half-precision
    weights are cast to the model's type. ``num_batches_tracked`` (old checkpoints) may be missing or
    of any form, and an interpreter grafted on the model (``interpreter.*``) may be missing when the
    file knows nothing of it.

    Args:
        model: a model, possibly wrapped; see :func:`torchreid_amd.core.host.unwrap`.
        path: see :func:`~torchreid_amd.targets.state_dicts.read_state_dict`; ``FILE#KEY`` chooses one
            of several sets of weights.
        quiet: do not log the lines.

    Returns:
        What was loaded and skipped.

    Raises:
        InputError: the file cannot be read, does not fit the model, or holds NaN or infinity.

    Example:
        >>> import tempfile, torch, torchreid_amd as amd
        >>> from torchreid import models
        >>> target = models.build_model("osnet_x0_25", num_classes=751, pretrained=False)
        >>> other = models.build_model("osnet_x0_25", num_classes=702, pretrained=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     torch.save(other.state_dict(), f"{folder}/osnet.pth")
        ...     amd.load_weights(target, f"{folder}/osnet.pth", quiet=True).skipped
        ('classifier.weight', 'classifier.bias')
        >>> amd.fingerprint(target) == amd.fingerprint(other)
        True
    """
    model = unwrap(model)
    if not split_key(path)[0].exists():
        raise InputError(_where_else(model, str(path)))
    expected = model.state_dict()
    held, choice = choose_weights(path)
    given, renamed = without_prefix(held, expected)
    for k in [k for k in given if k in expected and _is_counter(k)]:  # some wrote it as (1,), or as a float
        given[k] = given[k].reshape(-1)[:1].sum().to(expected[k].dtype)
    both = [k for k in given if k in expected]
    grafted = any(k.startswith("interpreter.") for k in given)
    missing = [
        k
        for k in expected
        if k not in given and not _is_counter(k) and (grafted or not k.startswith("interpreter."))
    ]
    other = [k for k in both if _resized(given[k], expected[k])]
    classifier = classifier_keys(model, [*other, *missing]) if both else set()
    resized, absent = ([k for k in keys if k in classifier] for keys in (other, missing))
    skipped = tuple(resized + absent)
    differences = {
        "missing": [k for k in missing if k not in skipped],
        "unexpected": [k for k in given if k not in expected],
        "of another shape": [
            f"{k} {_form(given[k])} where the model has {_form(expected[k])}"
            for k in both
            if k not in skipped and not _fits(given[k], expected[k])
        ],
    }
    if any(differences.values()):
        raise InputError(
            f"weights {str(path)!r} do not fit this {type(model).__name__} of {len(expected)} tensors: "
            + "; ".join(_count(names, what) for what, names in differences.items() if names)
            + "; is this a checkpoint of another model? build the one it was trained as"
        )
    chosen = {k: given[k].to(expected[k].dtype) for k in both if k not in skipped}
    _check_finite(path, model, chosen)
    model.load_state_dict(chosen, strict=False)
    if not quiet:
        name = Path(path).name
        if choice:
            _log.info(f"{name}: {choice}")
        if renamed:
            _log.info(f"{name}: {renamed}")
        if resized:
            rows = given[resized[0]].shape[0], expected[resized[0]].shape[0]
            _log.info(
                f"{name}: classifier of {rows[0]} identities skipped, the model has {rows[1]} "
                f"({', '.join(resized)})"
            )
        if absent:
            _log.info(f"{name}: there is no classifier in it; the model keeps its own ({', '.join(absent)})")
    return LoadReport(str(path), tuple(chosen), skipped)


def _is_counter(key: str) -> bool:
    """Whether a buffer counts batches, which nothing in eval mode reads."""
    return key.endswith("num_batches_tracked")


def _check_finite(path: str | os.PathLike[str], model: nn.Module, chosen: Mapping[str, Tensor]) -> None:
    """A training that diverged leaves NaN; infinity is at home in masks alone, which are buffers."""
    masks = {k for k, _ in model.named_buffers() if not k.endswith(("running_mean", "running_var"))}
    bad = [
        k
        for k, v in chosen.items()
        if v.is_floating_point() and bool((v.isnan() if k in masks else ~v.isfinite()).any())
    ]
    if bad:
        raise InputError(
            f"weights {str(path)!r} hold NaN or infinity in {_count(bad, 'tensors')}; every distance would "
            "be NaN: the training diverged or the file is damaged, give an earlier checkpoint"
        )


def _where_else(model: nn.Module, path: str) -> str:
    published = where_to_get(model_name(model), path)
    known = f"{published}; all are shown by" if published else f"torchreid's are at {MODEL_ZOO}, or see"
    return f"no weights at {path!r}; give the path of a checkpoint ({known} torchreid-amd list zoo)"


def fingerprint(weights: nn.Module | Mapping[str, Tensor]) -> str:
    """A SHA-256 of the weights that an embedding depends on; another model has another.

    It covers name, type, shape and bytes of every entry of the state dict, in the order of the
    names. Left out are what no embedding depends on: classifiers, ``num_batches_tracked`` and a
    grafted interpreter. The device does not matter; the type does: the fingerprint of a model
    loaded from a half-precision file is that of its single-precision copy.

    Args:
        weights: a model, possibly wrapped, or its state dict. Of a model a classifier is what has the
            name of one and does not reach the embeddings; of a state dict, what has the name.

    Returns:
        64 hexadecimal digits.

    Example:
        >>> import torch, torchreid_amd as amd
        >>> layer = torch.nn.Linear(3, 2)
        >>> before = amd.fingerprint(layer)
        >>> len(before), amd.fingerprint(layer.state_dict()) == before
        (64, True)
        >>> with torch.no_grad():
        ...     _ = layer.bias.add_(1)
        >>> amd.fingerprint(layer) == before
        False
    """
    if not isinstance(weights, nn.Module):
        return _digest(weights, {key for key in weights if is_named_classifier(key)})
    model = unwrap(weights)
    state = model.state_dict()
    return _digest(state, classifier_keys(model, [key for key in state if is_named_classifier(key)]))


def has_fingerprint(model: nn.Module, expected: str) -> bool:
    """Whether a model has the fingerprint that a run remembers.

    Older versions left out every entry with the name of a classifier, even one that embeddings depend on.
    """
    return expected in (fingerprint(model), fingerprint(unwrap(model).state_dict()))


def _digest(state: Mapping[str, Tensor], left_out: set[str]) -> str:
    named = {key.removeprefix("module."): value for key, value in state.items() if key not in left_out}
    digest = hashlib.sha256()
    for key in sorted(named):
        if _is_counter(key) or key.startswith("interpreter."):
            continue
        value = named[key].detach().cpu().contiguous()
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _resized(given: Tensor, expected: Tensor) -> bool:
    return given.shape != expected.shape and given.shape[1:] == expected.shape[1:] and given.ndim > 0


def _fits(given: Tensor, expected: Tensor) -> bool:
    same_kind = given.is_floating_point() == expected.is_floating_point()
    return given.shape == expected.shape and same_kind


def _form(value: Tensor) -> str:
    kind = str(value.dtype).removeprefix("torch.")
    return f"{'×'.join(str(n) for n in value.shape) or 'scalar'} {kind}"


def _count(names: list[str], what: str) -> str:
    return f"{len(names)} {what} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
