"""``torchreid-amd audit``: what a model relies on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchreid_amd.cli.options import model_options, output_options
from torchreid_amd.cli.results import write
from torchreid_amd.core.errors import InputError

if TYPE_CHECKING:
    from torchreid_amd.explanation.explainer import Explainer


def add(commands: Any) -> None:
    """The command's arguments."""
    audit = commands.add_parser("audit", help="what a model relies on, over a test set")
    audit.add_argument("folder", metavar="RUN", nargs="?", help="run folder; none with --model")
    model_options(audit)
    audit.add_argument("-t", "--targets", nargs="+", help="test sets (default: the run's)")
    audit.add_argument("--root", default="", help="path to data root (default: the run's, or reid-data)")
    audit.add_argument("--pairs", type=int, default=200, help="of each kind, at most (default: 200)")
    audit.add_argument("--seed", type=int, default=0, help="of the pairs (default: 0)")
    audit.add_argument(
        "--compare",
        metavar="RUN2",
        help="another run, or with --model another checkpoint of it, side by side",
    )
    audit.add_argument(
        "--store", action="append", default=[], metavar="FILE", help="what extract wrote; may be repeated"
    )
    output_options(audit, of_pairs=False)
    audit.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    if (args.folder is None) == (args.model is None):
        given = "neither" if args.folder is None else "both"
        raise InputError(f"got {given}; expected RUN, or --model NAME --weights FILE")
    if args.model and not args.weights:
        raise InputError(
            f"--model {args.model} has random weights alone; give a checkpoint of it (--weights)"
        )
    if args.pairs < 2:
        raise InputError(f"--pairs is {args.pairs}; give at least 2 of each kind, better 100")
    if args.folder and args.size is not None:
        raise InputError("--size belongs to --model; a run folder knows its own")
    from torchreid_amd.auditing.audit import audit
    from torchreid_amd.explanation.explainer import Explainer
    from torchreid_amd.explanation.report.layout import format_of

    if args.figure:
        format_of(args.figure)  # said now and not after minutes

    def explainer(weights: str | None, folder: str | None) -> Explainer:
        if args.model:
            return Explainer.from_target(args.model, weights, args.size and tuple(args.size))
        return Explainer.from_pretrained(str(folder), weights=weights)

    first = explainer(args.weights, args.folder)
    second = explainer(args.compare if args.model else None, args.compare) if args.compare else None
    root = args.root or ("reid-data" if args.model else "")
    options = {"root": root, "pairs": args.pairs, "seed": args.seed, "stores": args.store}
    output = args.json or args.html or args.figure
    keep = Path(f"{output}.part") if output else None  # accounts take minutes: a second try goes on
    write(audit(first, args.targets, compare_with=second, keep=keep, **options), args)
    if keep is not None:
        keep.unlink(missing_ok=True)
