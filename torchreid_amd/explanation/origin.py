"""What made an explanation: model, head, run and versions."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version

from torchreid_amd.interpreter.interpreter import Interpreter

_PACKAGES = ("torchreid_amd", "torchreid", "torch")


def made_by(interpreter: Interpreter, run: str | os.PathLike[str] = "") -> dict[str, str]:
    """What is known of where an explanation comes from: ``model``, ``head``, ``run``, versions of packages.

    Args:
        interpreter: what explains.
        run: its run folder, where it has one.
    """
    known = {"model": interpreter.target.name, "head": interpreter.head_name, "run": str(run)}
    known |= {package: _version(package) for package in _PACKAGES}
    return {key: value for key, value in known.items() if value}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a folder that is not installed
        return ""
