"""The command ``torchreid-amd``: a file for each of its commands, which loads what it needs when it runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO

from torchreid_amd.cli import evaluate, extract, train
from torchreid_amd.cli.parser import command_parser, parsed
from torchreid_amd.core.closed_pipe import outliving_the_reader
from torchreid_amd.core.errors import InputError, LostProcess
from torchreid_amd.core.language import ENGLISH, set_language
from torchreid_amd.core.messages import printed, show_progress
from torchreid_amd.core.printable import forgiving_streams
from torchreid_amd.core.torchrun import is_first, many

__all__ = ["SPINS", "main"]

#: rounds that a thread of OpenMP (GNU's) waits awake before it sleeps. By default 300,000, in which the
#: threads of two programs on the same cores hold each other up
SPINS = "30000"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0 when it went well, 2 for bad input (one line on the error stream)."""
    forgiving_streams()
    parser = command_parser()
    with redirect_stderr(sys.stderr if is_first() else StringIO()):  # all would say the same of arguments
        args = parsed(parser, argv)
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & set(os.environ):
        os.environ["GOMP_SPINCOUNT"] = SPINS  # read when torch is imported, which is now to come
    try:
        with outliving_the_reader(), printed(), show_progress():
            set_language(getattr(args, "language", ENGLISH))
            _run(args)
    except InputError as error:
        print(f"torchreid-amd: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f" {error.filename!r}" if error.filename else ""
        print(
            f"torchreid-amd: {error.strerror or error}{where}; free space or check the path", file=sys.stderr
        )
        return 2
    except LostProcess as error:
        print(f"torchreid-amd: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("torchreid-amd: interrupted", file=sys.stderr)
        return 130
    return 0


def _run(args: argparse.Namespace) -> None:
    """Run a command, together with the other processes where torchrun started several."""
    if not many():
        args.run(args)
        return
    if args.run not in (train.run, evaluate.run, extract.run):
        if not is_first():
            raise SystemExit(2)
        raise InputError(
            "torchrun shares the work of train, evaluate and extract; run other commands without it"
        )
    from torchreid_amd.core.processes import joined

    with joined():
        args.run(args)
