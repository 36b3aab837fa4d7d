"""``torchreid-amd scores``: scores of evaluated runs side by side."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    """The command's arguments."""
    scores = commands.add_parser("scores", help="scores of evaluated runs of one target, side by side")
    scores.add_argument("folders", metavar="RUN", nargs="+", help="run folders that were evaluated")
    scores.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from torchreid_amd.evaluation.report.markdown import compare_runs

    print(compare_runs(args.folders))
