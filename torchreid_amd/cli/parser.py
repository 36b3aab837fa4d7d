"""The parser of the command line: all commands, in the order of the help."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from torchreid_amd.cli import (
    adapt,
    audit,
    evaluate,
    explain,
    export,
    extract,
    inspect,
    list,
    maps,
    rank,
    rerank,
    scores,
    search,
    synth,
    train,
)

COMMANDS = (
    train,
    adapt,
    evaluate,
    scores,
    explain,
    rank,
    rerank,
    search,
    extract,
    audit,
    maps,
    export,
    synth,
    inspect,
    list,
)


def command_parser() -> argparse.ArgumentParser:
    """A parser whose ``run`` is the function of the command that was given."""
    parser = argparse.ArgumentParser(
        prog="torchreid-amd", description="Explain what the distances of torchreid models are made of."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser


def parsed(parser: argparse.ArgumentParser, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments of a command, wherever its options stand.

    argparse takes the first words in a row for a command's paths, and leaves over those behind an option;
    here they are paths, too, as is everything behind ``--``. What ``adapt`` and ``evaluate`` leave over are
    KEY VALUE pairs.
    """
    args, rest = parser.parse_known_args(argv)
    if args.run in (adapt.run, evaluate.run):
        args.opts, rest = rest, []
    elif hasattr(args, "paths"):
        end = rest.index("--") if "--" in rest else len(rest)
        if not any(word.startswith("-") for word in rest[:end]):
            args.paths, rest = [*args.paths, *rest[:end], *rest[end + 1 :]], []
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return args
