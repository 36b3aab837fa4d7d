"""The attribute annotations of Market-1501 and DukeMTMC-reID, from their .mat files.

Lin et al., *Improving Person Re-identification by Attribute and Identity Learning*, Pattern
Recognition 2019. Each file is one struct with ``train`` and ``test``; each of these is a struct
of arrays, one entry an identity, plus ``image_index``, the identities as strings. The order of
the fields differs between ``train`` and ``test``, so they are read by name.

1 means no and 2 means yes; 0 (DukeMTMC-reID's ``top`` for two training identities) means nobody can
tell and becomes unknown, and so does NaN. A file that was recoded to 0 and 1, or to −1 and 1, is read
as such if the whole file agrees; any other code is refused.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from torchreid_amd.attributes.schema import UNKNOWN, AttributeSchema
from torchreid_amd.attributes.table import AttributeTable
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.file_kinds import kind_of_file

SPLITS = ("train", "test")
_INDEX = "image_index"


def read_mat(path: str | os.PathLike[str], schema: AttributeSchema, split: str) -> AttributeTable:
    """Labels of the identities of one split.

    Args:
        path: ``market_attribute.mat`` or ``duke_attribute.mat``.
        schema: the attributes wanted; fields that are not among them (``age``) are left out.
        split: ``'train'`` or ``'test'``.

    Returns:
        A table by pid; identities without a row (junk, distractors) are unknown.

    Raises:
        InputError: the file is missing, truncated or not such a file; a field is missing or has
            another length than ``image_index``.
    """
    if split not in SPLITS:
        raise InputError(f"unknown split {split!r}; expected 'train' or 'test'")
    file = Path(path)
    struct = _struct(file)
    fields = _fields(struct, split, file)
    missing = [name for name in (_INDEX, *schema.attributes) if name not in fields]
    if missing:
        raise InputError(
            f"{str(file)!r}, {split}: no field {', '.join(missing[:5])}"
            f"{f' … ({len(missing)} in all)' if len(missing) > 5 else ''}; "
            f"expected the attributes of {schema.name!r} and {_INDEX}"
        )
    pids = [_pid(text, split, file) for text in np.atleast_1d(fields[_INDEX])]
    labels = np.full((len(pids), len(schema)), UNKNOWN, np.int8)
    for name in schema.attributes:
        values = np.atleast_1d(fields[name])
        if values.shape != (len(pids),) or not _is_numeric(values):
            raise InputError(
                f"{str(file)!r}, {split}: field {name} has shape {values.shape} and type {values.dtype}; "
                f"expected {len(pids)} numbers, one for each identity of {_INDEX}"
            )
    no, yes = _code(struct, schema, file)
    for column, name in enumerate(schema.attributes):
        values = np.atleast_1d(fields[name])
        labels[values == no, column] = 0
        labels[values == yes, column] = 1
    return AttributeTable(schema, pids, labels, "pid", f"{file} ({split})")


def _code(struct: Any, schema: AttributeSchema, file: Path) -> tuple[int, int]:
    """Which values mean no and yes in all of a file.

    Raises:
        InputError: no code that the whole file agrees on.
    """
    held = {
        (split, name): {float(v) for v in np.unique(np.atleast_1d(values)) if v == v}
        for split in SPLITS
        for name, values in _fields(struct, split, file).items()
        if name in schema.attributes and _is_numeric(np.asarray(values))
    }
    whole = set[float]().union(*held.values())
    codes = {(1, 2): whole <= {0, 1, 2} and {1, 2} <= whole, (0, 1): whole == {0, 1}}
    codes[-1, 1] = whole <= {-1, 0, 1} and {-1, 1} <= whole
    code = next((pair for pair, fits in codes.items() if fits), None)
    help_ = (
        "expected 1 no, 2 yes and 0 unknown in all fields; see how it was made, or give a table of your own"
    )
    if code is None:
        odd = next((name for (_, name), v in held.items() if not v <= {0, 1, 2}), "")
        where = f" (field {odd})" if odd else ""
        raise InputError(f"{str(file)!r} holds {_said(whole) or 'no number'}{where}; {help_}")
    if code == (1, 2):
        parts = {s: set[float]().union(*(v for (of, _), v in held.items() if of == s)) for s in SPLITS}
        parts |= {f"field {n}": held.get(("train", n), set()) | held.get(("test", n), set()) for _, n in held}
        mixed = next((part for part, v in parts.items() if 0 in v and len(v) == 2), "")
        if mixed:
            raise InputError(
                f"{str(file)!r}: {mixed} holds {_said(parts[mixed])}, the rest of the file 1 and 2; {help_}"
            )
    return code


def _is_numeric(values: np.ndarray) -> bool:
    return bool(np.issubdtype(values.dtype, np.number) or values.dtype == bool)


def _said(values: set[float]) -> str:
    return ", ".join(f"{value:g}" for value in sorted(values)[:6])


def _struct(file: Path) -> Any:
    """The one variable of the file that has ``train`` and ``test``."""
    if not file.is_file():
        raise InputError(f"{str(file)!r} is not a file; expected an attribute annotation (.mat)")
    from scipy.io import loadmat  # 0.3 s, which every command would wait for

    try:
        _check_survivable(str(file), file.stat().st_mtime_ns)
        variables = loadmat(str(file), squeeze_me=True, struct_as_record=False)
    except Exception as error:  # the reader answers damaged bytes with many kinds of error
        what, remedy = kind_of_file(file) or ("", "")
        if "7.3" in what:
            remedy = "save it again in MATLAB: save(file, 'name', '-v7')"
        if what and what != "a MATLAB file":
            raise InputError(
                f"{str(file)!r} is {what}; expected a MATLAB file of version 5 to 7.2, {remedy}"
            ) from None
        raise InputError(
            f"{str(file)!r} cannot be read as a MATLAB file ({type(error).__name__}: "
            f"{' '.join(str(error).split())}); it may be truncated: fetch it again"
        ) from error
    for value in variables.values():
        if all(split in getattr(value, "_fieldnames", ()) for split in SPLITS):
            return value
    names = [name for name in variables if not name.startswith("__")]
    raise InputError(
        f"{str(file)!r} holds {', '.join(names) or 'nothing'}; expected one struct with 'train' and 'test'"
    )


@cache
def _check_survivable(path: str, changed: int) -> None:
    """Let another process read the file first: damaged sizes can end scipy's reader, process and all.

    Raises:
        ValueError: it was ended.
    """
    command = [sys.executable, "-c", "import sys, scipy.io; scipy.io.loadmat(sys.argv[1])", path]
    if subprocess.run(command, capture_output=True).returncode < 0:  # by a signal; errors come up again here
        raise ValueError("sizes in it are wrong")


def _fields(struct: Any, split: str, file: Path) -> dict[str, Any]:
    part = getattr(struct, split)
    names = getattr(part, "_fieldnames", None)
    if names is None:
        raise InputError(f"{str(file)!r}: {split} is not a struct; expected one array for each attribute")
    return {name: getattr(part, name) for name in names}


def _pid(text: Any, split: str, file: Path) -> int:
    try:
        return int(str(text).strip())
    except ValueError:
        raise InputError(
            f"{str(file)!r}, {split}: {_INDEX} has {str(text)!r}; expected identities such as '0002'"
        ) from None
