"""The options of torchreid's own training script, and what they make of its configuration."""

from __future__ import annotations

import argparse
from typing import Any


def host_options(parser: argparse.ArgumentParser) -> None:
    """The options of torchreid's own training script."""
    parser.add_argument("--config-file", default="", help="path to config file")
    parser.add_argument("-s", "--sources", nargs="+", help="source datasets (delimited by space)")
    parser.add_argument("-t", "--targets", nargs="+", help="target datasets (delimited by space)")
    parser.add_argument("--transforms", nargs="+", help="data augmentation")
    parser.add_argument("--root", default="", help="path to data root")
    parser.add_argument(
        "--skip-broken", action="store_true", help="go on without photographs that are broken"
    )


def configure(args: argparse.Namespace, cfg: Any) -> Any:
    import torch

    from torchreid_amd.config import merge

    cfg.use_gpu = torch.cuda.is_available()
    lists, pairs = {}, list(args.opts)
    for key in ("sources", "targets", "transforms"):
        lists[key], stray = _split(getattr(args, key) or [])
        pairs = stray + pairs
    merge(cfg, args.config_file, pairs)
    for key, value in lists.items():
        if value:
            cfg.data[key] = value
    cfg.data.root = args.root or cfg.data.root
    cfg.amd.skip_broken = args.skip_broken or cfg.amd.skip_broken
    return cfg


def _split(values: list[str]) -> tuple[list[str], list[str]]:
    """A list option that swallowed the ``KEY VALUE`` pairs behind it, and those pairs."""
    end = next((i for i, value in enumerate(values) if "." in value), len(values))
    return values[:end], values[end:]
