"""Reading a checkpoint file without running code.

A pickle can run anything while it is read. Files are therefore read with PyTorch's
``weights_only`` reader, which builds tensors and plain containers and calls nothing else, plus
stand-ins for the few harmless things torchreid writes beside its weights (a NumPy number for
rank-1, the counters of a learning-rate scheduler).
"""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.file_kinds import kind_of_file

MODEL_ZOO = "https://kaiyangzhou.github.io/deep-person-reid/MODEL_ZOO"
_SUFFIXES = {".pth", ".pt", ".ckpt", ".bin", ".safetensors"}  # of checkpoints
_NUMBERS = "fiub"  # NumPy kinds a checkpoint may hold: floats, integers, booleans


class _NumberType:
    """Takes the place of ``numpy.dtype``: a kind of number and its byte order, nothing more."""

    def __init__(self, code: str, *_: object) -> None:
        self.code = np.dtype(str(code))
        if self.code.kind not in _NUMBERS:
            raise ValueError(f"NumPy values of type {code!r}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in ("<", ">"):
            self.code = self.code.newbyteorder(state[1])


def _number(kind: _NumberType, data: bytes) -> Any:
    """Takes the place of NumPy's own ``scalar``."""
    return np.frombuffer(data, dtype=kind.code, count=1)[0]


def _plain_dict(*_: object) -> dict[Any, Any]:
    """Takes the place of ``defaultdict``; what makes its missing values is forgotten."""
    return {}


_ALLOWED: list[Any] = [
    (_NumberType, "numpy.dtype"),
    (_number, "numpy.core.multiarray.scalar"),  # NumPy 1
    (_number, "numpy._core.multiarray.scalar"),  # NumPy 2
    (_plain_dict, "collections.defaultdict"),
    (dict, "builtins.dict"),
    (list, "builtins.list"),
    (Counter, "collections.Counter"),
]


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Everything a checkpoint holds, on the CPU, read without running code.

    Args:
        path: a file of ``torch.save`` (either format) or of safetensors.

    Returns:
        What was saved: a plain state dict, or torchreid's ``{'state_dict', 'epoch', 'rank1',
        'optimizer', 'scheduler'}``.

    Raises:
        InputError: the file is missing, empty, damaged, no checkpoint, or holds Python objects.
    """
    file = _existing_file(path)
    shown = repr(str(file))
    start = _first_bytes(file)
    try:
        if file.suffix == ".safetensors" or start[8:9] == b"{":
            return dict(safetensors.torch.load_file(file))
        with warnings.catch_warnings(), torch.serialization.safe_globals(_ALLOWED):
            warnings.simplefilter("ignore")
            content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can fail anywhere in the reader
        raise _unreadable(file, start, error) from None
    if not isinstance(content, Mapping):
        raise InputError(
            f"checkpoint {shown} holds a {type(content).__name__}, expected a state dict; "
            "save model.state_dict()"
        )
    return dict(content)


def _existing_file(path: str | os.PathLike[str]) -> Path:
    file = Path(path).expanduser()
    shown = repr(str(file))
    if not file.exists():
        raise InputError(
            f"no weights at {shown}; give the path of a checkpoint (torchreid's are at {MODEL_ZOO})"
        )
    if not file.is_file():
        raise InputError(f"weights {shown} is a folder, expected a file; {_in_folder(file)}")
    if file.stat().st_size == 0:
        raise InputError(f"weights {shown} is an empty file; download or save it again ({MODEL_ZOO})")
    return file


def _in_folder(folder: Path) -> str:
    """What to give instead of a folder: a checkpoint inside it, or the folder packed again."""
    inside = (
        [folder, *sorted(f for f in folder.iterdir() if f.is_dir())] if os.access(folder, os.R_OK) else []
    )
    unpacked = next((f for f in inside if (f / "data.pkl").is_file()), None)
    if unpacked is not None:
        return (
            f"it is an unpacked checkpoint: pack it again, cd {str(unpacked.parent)!r} && "
            f"zip -0 -r weights.pth {unpacked.name!r}, and give weights.pth"
        )
    names = [f.name for f in sorted(folder.iterdir()) if _SUFFIXES & set(f.suffixes)] if inside else []
    shown = ": " + ", ".join(map(repr, names[:5])) + (", …" if len(names) > 5 else "") if names else ""
    return f"name the checkpoint inside it{shown}"


def _first_bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(4096)
    except OSError as error:
        raise InputError(
            f"cannot read weights {str(file)!r}: {error.strerror or error}; check its permissions"
        ) from None


def _unreadable(file: Path, start: bytes, error: Exception) -> InputError:
    shown, kind = repr(str(file)), kind_of_file(file)
    if kind is not None:
        what, remedy = kind
        return InputError(
            f"weights {shown} is {what}; expected a file of torch.save or safetensors, {remedy}"
        )
    # the reader's own words: "GLOBAL posix.system was not an allowed global", "… is blocked"
    named = re.search(r"GLOBAL (\S+)", str(error))
    if named:
        return InputError(
            f"weights {shown} hold a Python object ({_printable(named[1])}), which could run code, and were "
            "not read; expected tensors alone: save model.state_dict()"
        )
    if all(byte in b"\t\r\n\f" or byte >= 32 for byte in start):
        what = "is a text file, not a checkpoint"
    else:
        reason = re.search(r"\S.*", str(error).split("WeightsUnpickler error:")[-1])
        said = f": {_printable(reason[0][:100])}" if reason else ""
        what = f"is damaged or no checkpoint ({type(error).__name__}{said})"
    return InputError(
        f"weights {shown} {what}; expected a file of torch.save or safetensors, download it again"
    )


def _printable(text: str) -> str:
    """Text out of a foreign file, fit for a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)
