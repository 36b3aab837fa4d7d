"""Errors that are said in one line: what was given cannot be used, or another process is gone."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from torchreid_amd.core.printable import printable

_SHOWN = 12  # names an error lists; of more, the nearest


class InputError(ValueError):
    """Bad input from the user.

    The message is one line: what was given, what was expected, what to do. The command
    line prints it without a traceback and exits with code 2. Line breaks and what no terminal can
    show, as names out of foreign files may hold them, are replaced.

    Example:
        >>> import torchreid_amd as amd
        >>> try:
        ...     amd.create_interpreter("osnet_x0_25", head="adm")
        ... except amd.InputError as error:
        ...     print(error)
        unknown head 'adm'; did you mean 'amd'? known: additive, amd, attrimeter
    """

    def __init__(self, message: str = "") -> None:
        if message.startswith("Caught InputError in"):  # PyTorch's wrapping, by a process that reads images
            message = message.strip().splitlines()[-1].partition("InputError: ")[2]
        super().__init__(printable(message))


class LostProcess(RuntimeError):
    """Another process of the job has ended, so this one cannot go on. The message is one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"another process of this job has ended ({reason}), so all of them stop; a training goes on with "
            "model.resume RUN, an extraction with the same command"
        )


def unknown_name(kind: str, given: str, known: Iterable[str]) -> InputError:
    """An error for a name that is not registered, with the nearest known name.

    Args:
        kind: what the name stands for, e.g. ``'attribute set'``.
        given: the unknown name.
        known: every name that would have been accepted.
    """
    names = list(known)
    near = difflib.get_close_matches(given, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ";"
    if len(names) > _SHOWN:
        closest = difflib.get_close_matches(given, names, n=_SHOWN, cutoff=0)
        shown = f"{', '.join(closest)}, … ({len(names)} in all)"
    else:
        shown = ", ".join(names) or "none"
    return InputError(f"unknown {kind} {given!r}{hint} known: {shown}")
