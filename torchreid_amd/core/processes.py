"""Several processes that do one job together: started by torchrun, joined here.

All of them run the same program. Inside :func:`joined` each has its share of the work, the first one
writes and prints, and what was found is put together again; outside of it a process is alone, even where
it belongs to a group of somebody else.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from torchreid_amd.core.errors import InputError, LostProcess
from torchreid_amd.core.messages import Waiting
from torchreid_amd.core.torchrun import many

TIMEOUT = timedelta(minutes=30)  #: that a process waits for the others in the middle of a common step
_POLL = 0.02  #: seconds between two looks at what the first process has done
_SAID = "said"  #: where it is kept that the end of the job has been explained

Value = TypeVar("Value")


class _Job:
    """This process's place in the job.

    Attributes:
        store: what all processes can read and write, by name.
        rank: of this process, from 0.
        count: how many there are.
        numbers: of the times that processes waited for each other.
    """

    def __init__(self, store: Any, rank: int, count: int) -> None:
        self.store, self.rank, self.count = store, rank, count
        self.numbers = itertools.count()


_jobs: list[_Job] = []
_stores: list[Any] = []  # of this program, once it is connected
_numbers = itertools.count()  # of its jobs: each has its own part of the store


def count() -> int:
    """How many processes do this job; 1 outside of :func:`joined`."""
    return _jobs[-1].count if _jobs else 1


def rank() -> int:
    """Which of them this is, from 0."""
    return _jobs[-1].rank if _jobs else 0


def is_first() -> bool:
    """Whether this is the one that writes and prints."""
    return rank() == 0


@contextmanager
def joined(use_gpu: bool | None = None) -> Iterator[None]:
    """As long as the block runs, the processes that torchrun started do one job; one alone stays alone.

    All but the first print nothing. The backend is gloo, and NCCL for what lies on GPUs, where each
    process has one of its own. What ends the job is said by the process that says it first; the others
    end without a word.

    Args:
        use_gpu: whether GPUs are used; where there are some, if not given.

    Raises:
        InputError: there are fewer GPUs here than processes.
        LostProcess: another process has ended.
    """
    if not many() or _jobs:
        yield
        return
    with_gpu = torch.cuda.is_available() if use_gpu is None else use_gpu
    if not _stores:
        _stores.append(next(dist.rendezvous("env://", timeout=TIMEOUT))[0])
    number, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    store = dist.PrefixStore(f"torchreid_amd {next(_numbers)}", _stores[0])
    job = _Job(store, number, size)
    _jobs.append(job)
    before = signal.signal(signal.SIGTERM, _told_to_stop)
    try:
        with _quiet(number > 0):
            if with_gpu:
                _take_gpu()
            backend = "cpu:gloo,cuda:nccl" if with_gpu else "gloo"
            dist.init_process_group(
                backend, store=dist.PrefixStore("group", store), rank=number, world_size=size, timeout=TIMEOUT
            )
            yield
            _wait_for_all(job)
    except BaseException as error:
        ending = _lost(error)
        if isinstance(ending, Exception) and not _first_to_say(job):
            raise SystemExit(1) from None
        if ending is error:
            raise
        raise ending from None
    finally:
        signal.signal(signal.SIGTERM, before)
        _jobs.remove(job)
        if dist.is_initialized():
            dist.destroy_process_group()


def _take_gpu() -> None:
    """Let ``cuda`` mean this process's own GPU."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", os.environ["WORLD_SIZE"]))
    if here > torch.cuda.device_count():
        raise InputError(
            f"{here} processes were started where there are {torch.cuda.device_count()} GPUs; expected one "
            "each: give --nproc-per-node that number, or CUDA_VISIBLE_DEVICES= to compute on the CPU"
        )
    torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))


@contextmanager
def _quiet(wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    shown, Waiting.shown = Waiting.shown, False
    try:
        with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
            yield
    finally:
        Waiting.shown = shown


def _told_to_stop(number: int, frame: FrameType | None) -> None:
    raise LostProcess("or somebody stopped the job")


def _lost(error: BaseException) -> BaseException:
    """An error as it is, or what it means where it says that another process is gone."""
    said = " ".join(str(error).split())
    if isinstance(error, LostProcess) or not isinstance(error, RuntimeError):
        return error
    if isinstance(error, dist.DistError) or "gloo" in said:
        known = re.search(r"Connection \w+ by peer|[Tt]imed out|Broken pipe", said)
        return LostProcess(known[0].lower() if known else said[:80])
    return error


def _first_to_say(job: _Job) -> bool:
    try:
        return int(job.store.add(_SAID, 1)) == 1
    except RuntimeError:  # whoever kept the store is gone
        return True


@contextmanager
def alone() -> Iterator[None]:
    """As long as the block runs, this process works by itself: all there is to do is its own."""
    _jobs.append(_Job(None, 0, 1))
    try:
        yield
    finally:
        _jobs.pop()


def share(items: Sequence[Value]) -> Sequence[Value]:
    """This process's part of some items: those of all processes, one behind the other, are all of them."""
    edges = [len(items) * n // count() for n in range(count() + 1)]
    return items[edges[rank()] : edges[rank() + 1]]


def together(mine: Value) -> list[Value]:
    """What each process has, in their order, in all of them."""
    if count() == 1:
        return [mine]
    _wait_for_all(_jobs[-1])
    found: list[Any] = [None] * count()
    dist.all_gather_object(found, mine)
    return found


def _wait_for_all(job: _Job) -> None:
    """Until every process is here, however long their work takes."""
    key = f"here/{next(job.numbers)}"
    job.store.add(key, 1)
    while job.store.add(key, 0) < job.count:
        time.sleep(_POLL)


def by_first(make: Callable[[], Value]) -> Value:
    """What the first process makes, in all of them; the others wait for it, however long it takes.

    Raises:
        LostProcess: the first process could not.
    """
    if count() == 1:
        return make()
    job = _jobs[-1]
    key = f"made/{next(job.numbers)}"
    value: list[Any] = [None]
    if job.rank == 0:
        try:
            value = [make()]
        except BaseException:
            job.store.set(key, "failed")
            raise
        job.store.set(key, "made")
    while not job.store.check([key]):
        time.sleep(_POLL)
    if job.store.get(key) != b"made":
        raise LostProcess("the first one failed")
    dist.broadcast_object_list(value, 0)
    made: Value = value[0]
    return made
