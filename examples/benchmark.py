"""Time and memory of what the package does, beside the literal way to do the same.

    python examples/benchmark.py                                       # every case
    python examples/benchmark.py --case 'components-*' --repeat 9

One JSON line a case: ours, the reference, and the ratio ours / reference of seconds, of seconds of
processor time (medians of the repeats; the latter is steadier where other jobs run) and of peak
memory. Each side has a process of its own; its peak is what the first call adds to the memory that
was in use before it, to a few MB. ``per_second`` counts the first of the sizes. Weights are random
and photographs are noise: time and memory do not depend on them. OMP_NUM_THREADS sets the threads.
"""

from __future__ import annotations

import argparse
import ctypes
import io
import json
import multiprocessing
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, redirect_stdout, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmark_cases import Case, cases
from torch import Tensor

import torchreid_amd as amd
from torchreid_amd.core.errors import unknown_name

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  #: of mallopt(3)
prepared: dict[str, Callable[[], Tensor]] = {}  #: what a process of one side calls


def first_call(case: Case, side: int, size: dict[str, Any], device: str) -> dict[str, Any] | None:
    """Peak memory, result and machine of one side; None where there is no reference."""
    torch.manual_seed(0)
    try:
        torch.zeros((), device=device)
    except (RuntimeError, AssertionError):
        raise amd.InputError(
            f"device {device!r} cannot be used; give one that this torch has, e.g. cpu"
        ) from None
    with redirect_stdout(io.StringIO()):
        call = case.prepare(device, **size)[side]
        if call is None:
            return None
        keep_freed(False)
        forget_peak(device)
        before = peak_bytes(device)
        result = call()
        peak = peak_bytes(device) - before
        keep_freed(True)
    prepared["call"] = call
    machine = {"cpu": cpu_name(), "threads": torch.get_num_threads(), "torch": torch.__version__}
    if torch.device(device).type == "cuda":
        machine["gpu"] = torch.cuda.get_device_name(device)
    return {"peak": peak, "result": result.detach().double().cpu().numpy(), "machine": machine}


def timed_call() -> tuple[float, float]:
    """Seconds until a result is there, and how long they kept processors busy."""
    with redirect_stdout(io.StringIO()):
        start, busy = time.perf_counter(), time.process_time()
        prepared["call"]().sum().item()
        return time.perf_counter() - start, time.process_time() - busy


def peak_bytes(device: str) -> int:
    """Most memory in use since :func:`forget_peak`."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def forget_peak(device: str) -> None:
    """Let the peak start from what is in use now; on other systems than Linux it cannot."""
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def keep_freed(kept: bool) -> None:
    """Whether freed memory is kept, for steady times, or given back, so that the peak is of what is used."""
    with suppress(AttributeError):  # not glibc
        libc = ctypes.CDLL(None)
        libc.malloc_trim(0)
        for option, bound in ((M_TRIM_THRESHOLD, 2**30), (M_MMAP_THRESHOLD, 2**25)):
            libc.mallopt(option, bound if kept else 2**16)


def cpu_name() -> str:
    """What the processor calls itself."""
    try:
        about = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        about = []
    named = [line.partition(":")[2].strip() for line in about if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def compared(name: str, case: Case, quick: bool, repeat: int, device: str) -> dict[str, Any]:
    """The line of one case. The sides take turns, so that what else the machine does meets both."""
    size = case.size | (case.quick if quick else {})
    # a fork has everything imported, and nothing computed yet
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with ExitStack() as stack:
        processes = [stack.enter_context(ProcessPoolExecutor(1, mp_context=context)) for _ in range(2)]
        first = [p.submit(first_call, case, n, size, device).result() for n, p in enumerate(processes)]
        used = [p for p, found in zip(processes, first, strict=True) if found]
        times = [[p.submit(timed_call).result() for p in used] for _ in range(repeat)]
    costs = []
    for found, taken in zip(first, zip(*times, strict=True), strict=False):  # one side may be missing
        seconds, busy = (statistics.median(t) for t in zip(*taken, strict=True))
        cost = {"seconds": seconds, "cpu_seconds": busy, "peak_mb": found["peak"] / 1e6}
        costs.append(cost | {"per_second": next(iter(size.values())) / seconds})
    line = {"case": name, "what": case.prepare.__doc__, "size": size, "ours": costs[0]}
    line |= dict.fromkeys(("reference", "ratio", "error", "agree"))
    if len(used) == 2:
        ours, reference = (found["result"] for found in first)
        error = float(np.abs(ours - reference).max() / np.abs(reference).max())
        ratio = {
            key: costs[0][key] / costs[1][key] if costs[1][key] else None
            for key in ("seconds", "cpu_seconds", "peak_mb")
        }
        line |= {"reference": costs[1], "ratio": ratio, "error": error, "agree": error <= case.tolerance}
    return line | {"tolerance": case.tolerance, "repeat": repeat, "device": device, **first[0]["machine"]}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--case", nargs="+", default=["*"], metavar="NAME", help="names; * and ? may stand in"
    )
    parser.add_argument("--repeat", type=int, default=5, help="timed calls of each side (default: 5)")
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that results agree")
    args = parser.parse_args(argv)
    known, agree = cases(), True
    try:
        if args.repeat < 1:
            raise amd.InputError(f"--repeat is {args.repeat}; give at least 1")
        for wanted in args.case:
            if not any(fnmatchcase(name, wanted) for name in known):
                raise unknown_name("case", wanted, known)
        for name, case in known.items():
            if any(fnmatchcase(name, wanted) for wanted in args.case):
                line = compared(name, case, args.quick, args.repeat, args.device)
                print(json.dumps(line), flush=True)
                agree &= line["agree"] is not False
    except amd.InputError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
