"""Finding the weights in what a checkpoint holds, whatever they were wrapped in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.safe_load import read_checkpoint

_USUAL = (  # names under which training code puts a model's weights, the likeliest first
    *("state_dict", "model_state_dict", "model", "net", "network", "module", "weights", "params"),
    *("net_state_dict", "model_state", "state", "backbone", "encoder", "model_dict", "ema", "model_ema"),
)
_NO_WEIGHTS = ("optim", "sched", "scaler", "hyper", "config", "args", "loss", "criterion")
_WRAPPERS = ("module.", "_orig_mod.")  # of DataParallel and torch.compile
_DEEPEST = 3


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The weights in a checkpoint, on the CPU, under the model's own names.

    Plain state dicts, torchreid's ``model.pth.tar-N``, other checkpoints that hold a state dict
    under some key, and safetensors files are read alike. What ``DataParallel``, ``torch.compile`` and
    ``AveragedModel`` put before the names is taken off.

    Args:
        path: the file; ``FILE#KEY`` for one of several sets of weights in it.

    Returns:
        Tensors by name, in the file's order and types.

    Raises:
        InputError: as :func:`read_checkpoint`, or the file holds no weights, none under that key, or
            several sets of them under unusual names.

    Example:
        >>> import tempfile, torch
        >>> from pathlib import Path
        >>> import torchreid_amd as amd
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "model.pth.tar-1"
        ...     torch.save({"state_dict": {"module.fc.bias": torch.zeros(2)}, "epoch": 1}, path)
        ...     amd.read_state_dict(path)
        {'fc.bias': tensor([0., 0.])}
    """
    return choose_weights(path)[0]


def choose_weights(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], str]:
    """As :func:`read_state_dict`, and which of several sets was taken in words, ``''`` where there is one."""
    file, wanted = split_key(path)
    content = read_checkpoint(file)
    sets = dict(weight_sets(content))
    if not sets:
        raise _no_weights(file, content)
    names = [name for name in sets if name]
    if wanted and wanted not in sets:
        held = f"holds {', '.join(map(repr, names))}" if names else "is one set of weights, without keys"
        raise InputError(
            f"no weights {wanted!r} in {str(file)!r}, which {held}; give FILE#KEY with one of them"
        )
    usual = _usual(sets)
    if not wanted and "" not in sets and not usual and len(sets) > 1:
        raise InputError(
            f"checkpoint {str(file)!r} holds several sets of weights ({', '.join(map(repr, sets))}); say "
            f"which is meant: {file}#{names[0]}"
        )
    chosen = wanted or ("" if "" in sets else usual or next(iter(sets)))
    others = [name for name in names if name != chosen]
    said = ""
    if others and not wanted:
        said = (
            f"the weights {chosen!r} are taken; {', '.join(map(repr, others))} would be chosen by FILE#KEY, "
            f"e.g. {file.name}#{others[0]}"
        )
    return _unwrapped(sets[chosen]), said


def other_sets(path: str | os.PathLike[str]) -> list[str]:
    """The keys of all sets of weights in a file that holds several and of which none was chosen."""
    file, wanted = split_key(path)
    names = [] if wanted else [name for name, _ in weight_sets(read_checkpoint(file)) if name]
    return names if len(names) > 1 else []


def split_key(path: str | os.PathLike[str]) -> tuple[Path, str]:
    """A file and the key of a set of weights in it: ``'w.pth#model_ema'``; a file may have # in its name."""
    whole = Path(path).expanduser()
    name, sign, key = str(whole).rpartition("#")
    if not sign or whole.exists() or not key or "/" in key:
        return whole, ""
    return Path(name), key


def _usual(sets: Mapping[str, Any]) -> str:
    """The set that the library which wrote the checkpoint would take, ``''`` where nothing tells.

    timm saves the moving average as ``state_dict_ema`` beside ``state_dict`` and takes it; others give
    the average a name of its own and take the model. (OpenMMLab's ``state_dict`` is the average itself.)
    """
    if {"state_dict", "state_dict_ema"} <= set(sets):
        return "state_dict_ema"
    return next((key for key in _USUAL if key in sets), "")


def weight_sets(content: Mapping[Any, Any], path: str = "") -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Every state dict in a checkpoint, by the keys that lead to it, e.g. ``'model.state_dict'``.

    One that is the checkpoint itself stands under ``''``. A key that stands alone on its level is named
    for the level above: ``{'model': {'state_dict': …}}`` is found under ``'model'``.
    """
    if content and all(_is_name(k) and isinstance(v, Tensor) for k, v in content.items()):
        yield path, dict(content)
        return
    if path.count(".") >= _DEEPEST:
        return
    inner = {k: v for k, v in content.items() if _is_name(k) and isinstance(v, Mapping) and not _is_other(k)}
    for key, value in inner.items():
        found = list(weight_sets(value, f"{path}.{key}" if path else key))
        if not path and len(found) == 1:
            found = [(key, found[0][1])]
        yield from found


def without_prefix(given: Mapping[str, Tensor], expected: Iterable[str]) -> tuple[dict[str, Tensor], str]:
    """Weights under a model's names, where all of theirs, or all of the model's, begin alike.

    Args:
        given: tensors by name.
        expected: the model's names.

    Returns:
        The weights, and in words what was done to their names, ``''`` for nothing.
    """
    names = set(expected)
    own = [name for name in names if not name.startswith("interpreter.")]
    for taken in _prefixes(given):
        for put in _prefixes(own):
            renamed = {put + key.removeprefix(taken): value for key, value in given.items()}
            if any(key in names for key in renamed):
                said = [f"{taken!r} taken off"] * bool(taken) + [f"{put!r} put before"] * bool(put)
                return renamed, " and ".join(said) + " all names" if said else ""
    return dict(given), ""


def _prefixes(names: Iterable[str]) -> list[str]:
    """What all names begin with, up to a point: ``''``, ``'a.'``, ``'a.b.'`` …"""
    parts = os.path.commonprefix([name.split(".")[:-1] for name in names])
    return [".".join([*parts[:end], ""]) if end else "" for end in range(len(parts) + 1)]


def _unwrapped(state: dict[str, Tensor]) -> dict[str, Tensor]:
    if all(key == "n_averaged" or key.startswith("module.") for key in state):  # AveragedModel's counter
        state = {key: value for key, value in state.items() if key != "n_averaged"}
    while wrapper := next((w for w in _WRAPPERS if state and all(k.startswith(w) for k in state)), ""):
        state = {key.removeprefix(wrapper): value for key, value in state.items()}
    return state


def _is_name(key: object) -> bool:
    return isinstance(key, str) and key.isprintable()


def _is_other(key: str) -> bool:
    return key.lower().startswith(_NO_WEIGHTS)


def _no_weights(path: str | os.PathLike[str], content: Mapping[Any, Any]) -> InputError:
    inner = next((content[key] for key in _USUAL if isinstance(content.get(key), Mapping)), content)
    odd = [key for key, value in inner.items() if not (_is_name(key) and isinstance(value, Tensor))]
    found = f"{odd[0]!r} is a {type(inner[odd[0]]).__name__}" if odd else "there is nothing in it"
    return InputError(
        f"checkpoint {str(path)!r} holds no state dict ({found}); expected tensors by name, "
        "as model.state_dict() gives them"
    )
