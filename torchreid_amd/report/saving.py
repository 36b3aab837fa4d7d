"""Writing figures and pages, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from torchreid_amd.errors import InputError
from torchreid_amd.files import atomic_path

DPI = 160


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure in the format its ending names.

    Raises:
        InputError: no such format, or the file cannot be written.
    """
    known = figure.canvas.get_supported_filetypes()
    ending = Path(path).suffix.lower().lstrip(".")
    if ending not in known:
        raise InputError(
            f"a figure cannot be written to {str(path)!r}: its ending names no known format; "
            f"use one of {', '.join('.' + k for k in sorted(known))}"
        )
    with atomic_path(path) as temporary:
        options: dict[str, Any] = {"pil_kwargs": {"compress_level": 3}} if ending == "png" else {}
        figure.savefig(temporary, dpi=DPI, format=ending, **options)


def save_text(text: str, path: str | os.PathLike[str]) -> None:
    """Write UTF-8 text.

    Raises:
        InputError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
