"""How far a long loop is: a bar on a terminal, plain lines elsewhere, nothing for what is soon done."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from tqdm import tqdm

from torchreid_amd.core.messages import Waiting

AFTER = 2.0  #: seconds until anything is shown
EVERY = 10.0  #: seconds between two plain lines

Item = TypeVar("Item")


class _Bar(tqdm):
    monitor_interval = 0  # no thread beside ours, which forks


def progress(items: Iterable[Item], what: str, total: int | None = None, each: int = 1) -> Iterator[Item]:
    """Go through items; say on standard error how far that is, where it is to be shown.

    Shown it is inside :func:`~torchreid_amd.core.messages.show_progress` once :data:`AFTER` seconds
    have passed, unless another loop that says so is around this one.

    Args:
        items: what is gone through.
        what: what is being done, for readers: ``'embedding the gallery'``.
        total: how many there are to do; the number of items where that is known, if not given.
        each: how many an item stands for; a last one may be smaller.
    """
    if not Waiting.shown or Waiting.inside:
        yield from items
        return
    if total is None and isinstance(items, Sized):
        total = len(items) * each
    Waiting.inside = True
    try:
        if sys.stderr.isatty():
            yield from _with_bar(items, what, total, each)
        else:
            yield from _with_lines(items, what, total, each)
    finally:
        Waiting.inside = False


def _with_bar(items: Iterable[Item], what: str, total: int | None, each: int) -> Iterator[Item]:
    options = {"delay": AFTER, "leave": False, "dynamic_ncols": True, "unit": "", "miniters": 1}
    with _Bar(desc=what, total=total, file=sys.stderr, **options) as bar:
        Waiting.bar = bar
        try:
            for item in items:
                yield item
                bar.update(each if total is None else min(each, total - bar.n))
        finally:
            Waiting.bar = None


def _with_lines(items: Iterable[Item], what: str, total: int | None, each: int) -> Iterator[Item]:
    start = time.monotonic()
    due, done = start + AFTER, 0
    for item in items:
        yield item
        done += each if total is None else min(each, total - done)
        now = time.monotonic()
        if now < due or done == total:
            continue
        due = now + EVERY
        said = f"{what}: {done:,}"
        if total is not None:
            left = (now - start) / done * (total - done)
            said += f" of {total:,}, about {tqdm.format_interval(left)} left"
        print(said, file=sys.stderr, flush=True)
