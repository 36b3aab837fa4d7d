"""What stands in ``run.json``: everything about a run but the weights of its head."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from torchreid_amd.core.errors import InputError

FORMAT = 1
JSON_NAME = "run.json"
_PACKAGES = ("torch", "torchvision", "torchreid", "timm", "numpy", "torchreid_amd")


def run_json(record: Mapping[str, Any]) -> str:
    """The text of ``run.json``: a record, the format's number and the versions of packages.

    Numbers that are not finite become null, and what JSON does not know becomes text.
    """
    versions = {package: _version(package) for package in _PACKAGES}
    whole = {"format": FORMAT, **record, "versions": versions}
    return json.dumps(_plain(whole), indent=2, ensure_ascii=False) + "\n"


def read_run(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The contents of ``run.json``, without building anything.

    Raises:
        InputError: no folder, no ``run.json``, or not one that this version understands.
    """
    path = Path(folder).expanduser() / JSON_NAME
    if not path.parent.is_dir():
        raise InputError(f"no run folder at {str(folder)!r}; give the folder that training wrote")
    if not path.is_file():
        raise InputError(f"{str(folder)!r} has no {JSON_NAME}, so it is no finished run; train it first")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        number = record["format"]
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror}; check its permissions") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{str(path)!r} is damaged ({type(error).__name__}: {error}); train again or restore the file"
        ) from None
    if number != FORMAT:
        raise InputError(
            f"{str(path)!r} has format {number!r}, this version reads {FORMAT}; update torchreid_amd"
        )
    return dict(record)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _plain(value: Any) -> Any:
    """The value with nothing in it but what JSON knows."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if hasattr(value, "tolist"):  # NumPy and torch, numbers and arrays
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int, bool)):
        return value
    return str(value)
