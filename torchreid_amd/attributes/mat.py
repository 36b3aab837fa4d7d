"""The attribute annotations of Market-1501 and DukeMTMC-reID, from their .mat files.

Lin et al., *Improving Person Re-identification by Attribute and Identity Learning*, Pattern
Recognition 2019. Each file is one struct with ``train`` and ``test``; each of these is a struct
of arrays, one entry an identity, plus ``image_index``, the identities as strings. The order of
the fields differs between ``train`` and ``test``, so they are read by name.

1 means no and 2 means yes; anything else (DukeMTMC-reID's ``top`` is 0 for two training
identities) means nobody can tell and becomes unknown.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from torchreid_amd.attributes.schema import UNKNOWN, AttributeSchema
from torchreid_amd.attributes.table import AttributeTable
from torchreid_amd.core.errors import InputError

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
    fields = _fields(_struct(file), split, file)
    missing = [name for name in (_INDEX, *schema.attributes) if name not in fields]
    if missing:
        raise InputError(
            f"{str(file)!r}, {split}: no field {', '.join(missing[:5])}"
            f"{f' … ({len(missing)} in all)' if len(missing) > 5 else ''}; "
            f"expected the attributes of {schema.name!r} and {_INDEX}"
        )
    pids = [_pid(text, split, file) for text in np.atleast_1d(fields[_INDEX])]
    labels = np.full((len(pids), len(schema)), UNKNOWN, np.int8)
    for column, name in enumerate(schema.attributes):
        values = np.atleast_1d(fields[name])
        if values.shape != (len(pids),) or not np.issubdtype(values.dtype, np.number):
            raise InputError(
                f"{str(file)!r}, {split}: field {name} has shape {values.shape} and type {values.dtype}; "
                f"expected {len(pids)} numbers, one for each identity of {_INDEX}"
            )
        labels[values == 1, column] = 0
        labels[values == 2, column] = 1
    return AttributeTable(schema, pids, labels, "pid", f"{file} ({split})")


def _struct(file: Path) -> Any:
    """The one variable of the file that has ``train`` and ``test``."""
    if not file.is_file():
        raise InputError(f"{str(file)!r} is not a file; expected an attribute annotation (.mat)")
    from scipy.io import loadmat  # 0.3 s, which every command would wait for

    try:
        variables = loadmat(str(file), squeeze_me=True, struct_as_record=False)
    except Exception as error:  # the reader answers damaged bytes with many kinds of error
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
