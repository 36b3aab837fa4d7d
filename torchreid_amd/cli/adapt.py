"""``torchreid-amd adapt``: make an interpreter used to photographs without labels."""

from __future__ import annotations

import argparse
from typing import Any

from torchreid_amd.cli.host_options import configure, host_options
from torchreid_amd.core.errors import InputError


def add(commands: Any) -> None:
    """The command's arguments."""
    adapt = commands.add_parser(
        "adapt", help="make an interpreter used to a domain without labels; KEY VALUE pairs may follow"
    )
    adapt.add_argument("folder", metavar="RUN", help="run folder to begin with")
    host_options(adapt)
    adapt.add_argument("--out", required=True, metavar="RUN", help="run folder to write")
    adapt.add_argument("--weights", help="the target's weights, if they have moved")
    adapt.add_argument("--epochs", type=int, default=2, help="of self-training (default: 2; 0: none)")
    adapt.add_argument(
        "--statistics", action="store_true", help="take those of normalisation layers anew, before"
    )
    adapt.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    if not args.targets:
        raise InputError("adapt needs a new data set, whose training photographs are looked at: -t NAME")
    from torchreid_amd.engine.adapt import adapt

    adapt(
        args.folder,
        args.out,
        weights=args.weights,
        epochs=args.epochs,
        statistics=args.statistics,
        change=lambda cfg: configure(args, cfg),
    )
