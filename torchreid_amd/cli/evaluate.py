"""``torchreid-amd evaluate``: score a trained interpreter."""

from __future__ import annotations

import argparse
from typing import Any

from torchreid_amd.cli.host_options import configure, host_options


def add(commands: Any) -> None:
    """The command's arguments."""
    evaluate = commands.add_parser("evaluate", help="score a trained interpreter; KEY VALUE pairs may follow")
    evaluate.add_argument("folder", metavar="RUN", help="run folder")
    host_options(evaluate)
    evaluate.add_argument("--weights", help="the target's weights, if they have moved")
    evaluate.add_argument(
        "--skip",
        action="append",
        default=[],
        metavar="PART",
        help="leave out probe, place, account, effect, removal, sanity, reweight, rerank or attributes"
        "; may be repeated",
    )
    evaluate.add_argument("--pairs", type=int, default=100, help="pairs that are re-rendered (default: 100)")
    evaluate.add_argument("--images", type=int, default=400, help="photographs for places (default: 400)")
    evaluate.add_argument(
        "--removal-pairs", type=int, default=20, help="pairs whose pixels are removed (default: 20)"
    )
    evaluate.add_argument("--seed", type=int, default=0, help="of every sample (default: 0)")
    evaluate.add_argument(
        "--distractors-as-no",
        action="store_true",
        help='label distractors all "no", to reproduce published numbers',
    )
    evaluate.add_argument(
        "--store", action="append", default=[], metavar="FILE", help="what extract wrote; may be repeated"
    )
    evaluate.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from torchreid_amd.engine.evaluate import evaluate
    from torchreid_amd.evaluation.questions import Settings

    settings = Settings(
        skip=tuple(args.skip),
        pairs=args.pairs,
        images=args.images,
        removal_pairs=args.removal_pairs,
        seed=args.seed,
        distractors_as_no=args.distractors_as_no,
    )
    evaluate(args.folder, lambda cfg: configure(args, cfg), args.weights, settings, args.store)
