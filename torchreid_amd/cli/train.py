"""``torchreid-amd train``: train an interpreter."""

from __future__ import annotations

import argparse
from typing import Any

from torchreid_amd.cli.host_options import configure, host_options


def add(commands: Any) -> None:
    """The command's arguments."""
    train = commands.add_parser("train", help="train an interpreter; torchreid's own options plus amd.*")
    host_options(train)
    train.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs, e.g. amd.head attrimeter")
    train.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from torchreid_amd.config import get_default_config
    from torchreid_amd.engine.train import train

    train(configure(args, get_default_config()))
