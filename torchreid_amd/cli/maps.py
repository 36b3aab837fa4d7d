"""``torchreid-amd maps``: mean maps of attributes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from torchreid_amd.cli.options import language_option

if TYPE_CHECKING:
    pass


def add(commands: Any) -> None:
    """The command's arguments."""
    maps = commands.add_parser("maps", help="draw each attribute's mean map, on persons with it and without")
    maps.add_argument("folder", metavar="RUN", help="run folder")
    maps.add_argument("photographs", metavar="FOLDER", help="of photographs of its data sets")
    maps.add_argument("--figure", metavar="FILE", required=True, help="write it (.png, .pdf, .svg)")
    maps.add_argument("--weights", help="the target's weights, if they have moved")
    language_option(maps)
    maps.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from torchreid_amd.explanation.explainer import Explainer
    from torchreid_amd.explanation.mean_maps import mean_maps
    from torchreid_amd.explanation.report.contact_sheet import contact_sheet

    explainer = Explainer.from_pretrained(args.folder, weights=args.weights)
    contact_sheet(mean_maps(explainer, args.photographs), args.figure)
    print(f"Written: {args.figure}")
