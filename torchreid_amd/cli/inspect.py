"""``torchreid-amd inspect``: where a model is cut."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    """The command's arguments."""
    inspect = commands.add_parser("inspect", help="show where a model is cut and what an interpreter adds")
    inspect.add_argument("model", metavar="MODEL", help="a model's name, or package.module:function")
    inspect.add_argument("--weights", default="", help="a checkpoint of the model")
    inspect.add_argument("--size", nargs=2, type=int, metavar=("H", "W"), help="image size in pixels")
    inspect.add_argument("--map", nargs="+", default=(), help="cut at the outputs of these modules")
    inspect.add_argument("--stem", nargs="+", default=(), help="modules that give the shared early features")
    inspect.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from torchreid_amd.interpreter.inspection import inspect_model

    print(inspect_model(args.model, args.weights, args.size, args.map, args.stem).summary())
