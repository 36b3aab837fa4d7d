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
from torchreid_amd.core.safe_load import MODEL_ZOO, read_checkpoint
from torchreid_amd.targets.model_zoo import where_to_get

_log = logging.getLogger(__name__)
_NESTED = ("state_dict", "model_state_dict", "model")


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The weights in a checkpoint, on the CPU, under the model's own names.

    Plain state dicts, torchreid's ``model.pth.tar-N`` and safetensors files are read alike; the
    ``module.`` that ``DataParallel`` puts before names is taken off.

    Args:
        path: the file.

    Returns:
        Tensors by name, in the file's order and types.

    Raises:
        InputError: as :func:`read_checkpoint`, or the file holds no weights.
    """
    content = read_checkpoint(path)
    for key in _NESTED:
        if isinstance(content.get(key), Mapping):
            content = dict(content[key])
            break
    odd = [k for k, v in content.items() if not (_is_name(k) and isinstance(v, Tensor))]
    if odd or not content:
        found = f"{odd[0]!r} is a {type(content[odd[0]]).__name__}" if odd else "there is nothing in it"
        raise InputError(
            f"checkpoint {str(path)!r} holds no state dict ({found}); expected tensors by name, "
            "as model.state_dict() gives them"
        )
    if all(key.startswith("module.") for key in content):
        content = {key.removeprefix("module."): value for key, value in content.items()}
    return content


def write_checkpoint(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Write what :func:`read_checkpoint` reads back; whole, or what stood there stays.

    ``torch.save`` itself reports a full disk as an internal error, so it writes to memory here.

    Raises:
        InputError: the folder cannot be written to or the disk is full.
    """
    memory = io.BytesIO()
    torch.save(dict(content), memory)
    with atomic_path(path) as temporary:
        temporary.write_bytes(memory.getbuffer())


def _is_name(key: object) -> bool:
    return isinstance(key, str) and key.isprintable()


def is_classifier(key: str) -> bool:
    """Whether a parameter belongs to an identity classifier, which no embedding depends on."""
    return any(part == "classifier" or part.startswith("classifier_") for part in key.split("."))


@dataclass(frozen=True)
class LoadReport:
    """What :func:`load_weights` did.

    Attributes:
        path: the file.
        loaded: names whose values were taken from it.
        skipped: classifier names left as they were, because the file's classifier has another size.
    """

    path: str
    loaded: tuple[str, ...]
    skipped: tuple[str, ...]


def load_weights(model: nn.Module, path: str | os.PathLike[str], *, quiet: bool = False) -> LoadReport:
    """Load a checkpoint into a model, all of it or nothing.

    A classifier for another number of identities is skipped, with one logged line. Any other
    difference is an error, and the model is then as it was. Half-precision weights are cast to
    the model's type. Tolerated as missing: ``num_batches_tracked`` (old checkpoints) and an
    interpreter grafted on the model (``interpreter.*``), when the file knows nothing of it.

    Args:
        model: a model, possibly wrapped; see :func:`torchreid_amd.core.host.unwrap`.
        path: see :func:`read_state_dict`.
        quiet: do not log the line.

    Returns:
        What was loaded and skipped.

    Raises:
        InputError: the file cannot be read, or does not fit the model.
    """
    model = unwrap(model)
    if not Path(path).expanduser().exists():
        raise InputError(_where_else(model, str(path)))
    given, expected = read_state_dict(path), model.state_dict()
    both = [k for k in given if k in expected]
    skipped = tuple(k for k in both if is_classifier(k) and _resized(given[k], expected[k]))
    grafted = any(k.startswith("interpreter.") for k in given)
    missing = [
        k
        for k in expected
        if k not in given
        and not k.endswith("num_batches_tracked")
        and (grafted or not k.startswith("interpreter."))
    ]
    unexpected = [k for k in given if k not in expected]
    other = [
        f"{k} {_form(given[k])} where the model has {_form(expected[k])}"
        for k in both
        if k not in skipped and not _fits(given[k], expected[k])
    ]
    if missing or unexpected or other:
        found = {"missing": missing, "unexpected": unexpected, "of another shape": other}
        raise InputError(
            f"weights {str(path)!r} do not fit this {type(model).__name__} of {len(expected)} tensors: "
            + "; ".join(_count(names, what) for what, names in found.items() if names)
            + "; is this a checkpoint of another model? build the one it was trained as"
        )
    chosen = {k: v for k, v in given.items() if k not in skipped}
    model.load_state_dict(chosen, strict=False)
    if skipped and not quiet:
        rows = given[skipped[0]].shape[0], expected[skipped[0]].shape[0]
        _log.info(
            f"{Path(path).name}: classifier of {rows[0]} identities skipped, the model has {rows[1]} "
            f"({', '.join(skipped)})"
        )
    return LoadReport(str(path), tuple(chosen), skipped)


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
        weights: a model, possibly wrapped, or its state dict.

    Returns:
        64 hexadecimal digits.
    """
    state = unwrap(weights).state_dict() if isinstance(weights, nn.Module) else weights
    named = {key.removeprefix("module."): value for key, value in state.items()}
    digest = hashlib.sha256()
    for key in sorted(named):
        if is_classifier(key) or key.endswith("num_batches_tracked") or key.startswith("interpreter."):
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
