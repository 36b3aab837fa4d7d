"""``torchreid-amd explain``: explain two photographs."""

from __future__ import annotations

import argparse
from typing import Any

from torchreid_amd.cli.given import explainer_of
from torchreid_amd.cli.options import model_options, output_options
from torchreid_amd.cli.results import write
from torchreid_amd.core.errors import InputError


def add(commands: Any) -> None:
    """The command's arguments."""
    explain = commands.add_parser("explain", help="explain the distance of two photographs")
    explain.add_argument(
        "paths", metavar="PATH", nargs="+", help="RUN A B: run folder, two photographs; with --model A B"
    )
    model_options(explain)
    output_options(explain)
    explain.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    explainer, photographs = explainer_of(args, "A B", 2)
    if len(photographs) > 2:
        raise InputError(f"explain takes two photographs, not {len(photographs)}; rank takes many")
    explanation = explainer.explain(photographs[0], photographs[1])
    write(explanation, args)
