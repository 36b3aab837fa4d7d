"""``torchreid-amd list``: list what is registered."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from torchreid_amd.core import registry
from torchreid_amd.core.errors import InputError, unknown_name

KINDS = ("targets", "heads", "losses", "datasets", "attributes", "zoo")


def add(commands: Any) -> None:
    """The command's arguments."""
    listing = commands.add_parser("list", help="list what is registered")
    listing.add_argument("kind", metavar="{" + ",".join(KINDS) + "}", help="what to list")
    listing.add_argument("pattern", nargs="?", default="*", help="wildcards, e.g. 'osnet*'")
    listing.add_argument("--table", action="store_true", help="targets only: cut and sizes of each family")
    listing.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    if args.kind not in KINDS:
        raise unknown_name("kind", args.kind, KINDS)
    if args.kind == "zoo":
        from torchreid_amd.targets.model_zoo import list_zoo

        print(*list_zoo(args.pattern), sep="\n")
        return
    if args.table:
        if args.kind != "targets":
            raise InputError(f"--table shows targets, not {args.kind}: torchreid-amd list targets --table")
        from torchreid_amd.targets.table import targets_table

        print(targets_table())
        return
    if (args.kind, args.pattern) == ("targets", "*"):
        print("and timm's models: torchreid-amd list targets 'timm_*'", file=sys.stderr)
    for name in getattr(registry, f"list_{args.kind}")(args.pattern):
        print(name)
