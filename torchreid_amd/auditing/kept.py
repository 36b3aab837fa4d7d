"""Accounts of an audit, written down as they are made, so that one that is cut off goes on.

A line each: a fingerprint of all that the account depends on (model, interpreter, input, both photographs
and what is known of them), and its numbers. Lines of others are left alone, a line cut short is not read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torchreid_amd.core.errors import InputError
from torchreid_amd.explanation.explainer import Explainer
from torchreid_amd.gallery.mark import Mark

FORMAT = '{"format": "torchreid_amd accounts 1"}'
VERSION = 1  #: rises when the same photographs would give another account


class KeptAccounts:
    """Numbers of accounts by fingerprint, and in a file.

    Args:
        path: of the file, which is made with the first account; None for none.

    Raises:
        InputError: it is something else, or cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._found: dict[str, list[float]] = {}
        if self.path is None or not self.path.exists():
            return
        try:
            first, *lines = self.path.read_text(encoding="utf-8").split("\n")
            if first != FORMAT:
                raise ValueError(first)
            self._found.update(json.loads(line) for line in lines[:-1])  # behind the last end: cut short
        except (OSError, ValueError, TypeError):
            raise InputError(
                f"{str(self.path)!r} is not what an audit left that was cut off; move it: "
                "accounts are kept there"
            ) from None
        if lines[-1:] != [""]:
            self.path.write_text("\n".join([first, *lines[:-1], ""]), encoding="utf-8")

    def __contains__(self, key: str) -> bool:
        return key in self._found

    def __getitem__(self, key: str) -> list[float]:
        return self._found[key]

    def add(self, key: str, numbers: Sequence[float]) -> None:
        """Keep an account.

        Raises:
            InputError: the file cannot be written.
        """
        self._found[key] = list(numbers)
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            begun = self.path.exists()
            with self.path.open("a", encoding="utf-8") as file:
                file.write(("" if begun else f"{FORMAT}\n") + json.dumps([key, self._found[key]]) + "\n")
        except OSError as error:
            raise InputError(f"cannot write {str(self.path)!r}: {error.strerror or error}") from None


def keys_of(explainer: Explainer, asked: Sequence[tuple[str, str, Any, Any]]) -> list[str]:
    """The fingerprint of each account.

    Args:
        explainer: makes them.
        asked: two photographs and what is known of either.
    """
    metric = explainer.interpreter.metric
    of_model = f"{VERSION} {metric} {explainer.interpreter.form} {Mark.of(explainer.decomposer).to_json()}"

    def key(pair: tuple[str, str, Any, Any]) -> str:
        files = [(path, *_changed(path)) for path in pair[:2]]
        labels = [known.tolist() for known in pair[2:]]
        return hashlib.sha256(json.dumps([of_model, files, labels]).encode()).hexdigest()

    return [key(pair) for pair in asked]


def _changed(path: str) -> tuple[int, int]:
    stat = Path(path).stat()
    return stat.st_size, stat.st_mtime_ns
