"""``torchreid-amd synth``: render the procedural pedestrians."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    """The command's arguments."""
    synth = commands.add_parser("synth", help="render the procedural pedestrians")
    synth.add_argument("--root", default="reid-data", help="folder of data sets (default: reid-data)")
    synth.add_argument("--domain", default="day", help="day (synthetic_attr) or night (synthetic_attr_night)")
    synth.add_argument("--train-ids", type=int, default=200, help="training identities (default: 200)")
    synth.add_argument("--test-ids", type=int, default=150, help="test identities (default: 150)")
    synth.add_argument(
        "--images-per-id", type=int, default=10, help="about how many images each (default: 10)"
    )
    synth.add_argument("--seed", type=int, default=0, help="another seed renders other people (default: 0)")
    synth.add_argument("--workers", type=int, default=None, help="processes (default: one a core)")
    synth.add_argument("--force", action="store_true", help="render again over what is there")
    synth.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from torchreid_amd.datasets.synthetic import render_dataset

    folder = render_dataset(
        args.root,
        train_ids=args.train_ids,
        test_ids=args.test_ids,
        images_per_id=args.images_per_id,
        seed=args.seed,
        domain=args.domain,
        workers=args.workers,
        force=args.force,
    )
    print(folder)
