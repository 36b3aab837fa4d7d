"""``torchreid-amd export``: write an interpreter as ONNX."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    """The command's arguments."""
    export = commands.add_parser("export", help="write an interpreter as ONNX, checked against PyTorch")
    export.add_argument("folder", metavar="RUN", help="run folder")
    export.add_argument("file", metavar="FILE", help="the file to write (.onnx)")
    export.add_argument("--weights", help="the target's weights, if they have moved")
    export.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from torchreid_amd.interpreter.decomposer import Decomposer
    from torchreid_amd.interpreter.export import export
    from torchreid_amd.interpreter.run_folder import load_run

    run = load_run(args.folder, args.weights)
    error = export(Decomposer(run.interpreter, run.size, run.norm_mean, run.norm_std), args.file)
    print(f"Written: {args.file} (largest difference from PyTorch: {error:.1e} of the largest number)")
