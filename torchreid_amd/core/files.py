"""Writing files so that nothing is ever half-written."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torchreid_amd.core.errors import InputError


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place once the block ends well.

    If the block raises, the temporary file is removed and what stood at ``path`` is untouched.
    The suffix is kept, so writers that look at it work.

    Raises:
        InputError: the folder cannot be written to or the disk is full.
    """
    final = Path(path)
    temporary = None
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{final.stem}-", suffix=final.suffix, dir=final.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, final)
    except OSError as error:
        raise InputError(
            f"cannot write {str(final)!r}: {error.strerror or error}; nothing was changed there, "
            "free some space or choose another folder"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def json_text(data: Mapping[str, Any]) -> str:
    """A dictionary as JSON, in lines."""
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def write_json(data: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write :func:`json_text`, whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    save_text(json_text(data), path)


def save_text(text: str, path: str | os.PathLike[str]) -> None:
    """Write UTF-8 text.

    Raises:
        InputError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
