"""Output that nobody reads any more, as behind ``torchreid-amd rank … | head``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Outliving:
    """A text stream that goes on into nothing when whoever reads it has stopped."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except BrokenPipeError:
            self._go_on_into_nothing()
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._go_on_into_nothing()

    def _go_on_into_nothing(self) -> None:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self._stream.fileno())  # what is left in the stream's buffer goes there too
        os.close(nothing)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def outliving_the_reader() -> Iterator[None]:
    """The standard streams, whose reader may stop reading: the work goes on, and nothing is said."""
    given = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = outliving = _Outliving(given[0]), _Outliving(given[1])
    try:
        yield
    finally:
        sys.stdout, sys.stderr = given
        for stream in outliving:
            stream.flush()
