"""The parser of the command line: all commands, in the order of the help."""

from __future__ import annotations

import argparse

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
