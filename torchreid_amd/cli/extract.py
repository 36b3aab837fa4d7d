"""``torchreid-amd extract``: store features in a file."""

from __future__ import annotations

import argparse
from typing import Any

from torchreid_amd.cli.given import explainer_of
from torchreid_amd.cli.options import dataset_options, model_options
from torchreid_amd.core.errors import InputError


def add(commands: Any) -> None:
    """The command's arguments."""
    extract = commands.add_parser("extract", help="store the features of photographs in a file")
    extract.add_argument("paths", metavar="RUN", nargs="*", help="run folder; none with --model")
    model_options(extract)
    extract.add_argument("--weights", help="the target's weights, if they have moved")
    extract.add_argument("--data", required=True, help="a folder of photographs, or a data set's name")
    extract.add_argument("--store", required=True, metavar="FILE", help="the file to write (.h5)")
    dataset_options(extract)
    extract.add_argument("--maps", action="store_true", help="also store the head's maps")
    extract.add_argument(
        "--seen", action="store_true", help="also store what re-ranking and search by attributes need"
    )
    extract.add_argument("--no-components", action="store_true", help="store embeddings alone")
    extract.add_argument(
        "--verify", action="store_true", help="check what is stored already, and make again what is damaged"
    )
    extract.set_defaults(run=run, no_account=False)


def run(args: argparse.Namespace) -> None:
    if not args.paths and not args.model:
        raise InputError("got no run folder; expected RUN, or --model NAME --weights FILE")
    explainer, more = explainer_of(args, "", 0)
    if more:
        raise InputError(
            f"extract takes one run folder, not also {more[0]!r}; photographs are given by --data"
        )
    from torchreid_amd.gallery.extract import extract

    store = extract(
        explainer,
        args.data,
        args.store,
        root=args.root,
        splits=args.split,
        components=not args.no_components,
        maps=args.maps,
        seen=args.seen,
        skip_broken=args.skip_broken,
        verify=args.verify,
    )
    print(f"Written: {store.path} ({len(store)} photographs)")
