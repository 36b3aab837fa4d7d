"""Telling which files cannot be read as photographs, before anything is computed with the others."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.images import read_image
from torchreid_amd.core.progress_bar import progress

_log = logging.getLogger(__name__)


def broken_photographs(paths: Iterable[str]) -> dict[str, str]:
    """The files that cannot be read as photographs, in the order given, each with the reason in one line."""
    wanted = list(dict.fromkeys(paths))
    with ThreadPoolExecutor() as pool:
        reasons = progress(pool.map(_reason, wanted, chunksize=64), "reading photographs", len(wanted))
        return {path: reason for path, reason in zip(wanted, reasons, strict=True) if reason}


def _reason(path: str) -> str:
    try:
        read_image(path)
    except InputError as error:
        return str(error)
    return ""


def say_broken(found: Mapping[str, str], skip: bool) -> None:
    """List the broken ones, or stop because of them.

    Args:
        found: what :func:`broken_photographs` gave.
        skip: whether to go on without them.

    Raises:
        InputError: there are some, and they are not to be skipped.
    """
    if found and not skip:
        more = f", and {len(found) - 1} more cannot be read" if len(found) > 1 else ""
        raise InputError(
            f"{next(iter(found.values()))}{more}; --skip-broken (amd.skip_broken True) goes on without them"
        )
    if found:
        _log.info(f"{len(found)} photographs cannot be read and are left out:")
        for reason in found.values():
            _log.info(f"  {reason}")
