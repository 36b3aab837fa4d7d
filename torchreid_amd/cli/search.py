"""``torchreid-amd search``: find people by their attributes."""

from __future__ import annotations

import argparse
from typing import Any

from torchreid_amd.cli.given import check_exact, explainer_of, reranker_of, seen_or_photographs
from torchreid_amd.cli.options import gallery_options, language_option, learning_options
from torchreid_amd.cli.results import print_found


def add(commands: Any) -> None:
    """The command's arguments."""
    search = commands.add_parser("search", help="find people in a gallery by their attributes")
    search.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        help="RUN GALLERY ATTRIBUTE... -- -ATTRIBUTE...: those behind -- with a minus are to be missing",
    )
    learning_options(search)
    search.add_argument("--topk", type=int, default=10, help="how many to print (default: 10)")
    search.add_argument("--html", metavar="FILE", help="write a self-contained page")
    gallery_options(search)
    language_option(search)
    search.set_defaults(run=run, no_account=False)


def run(args: argparse.Namespace) -> None:
    check_exact(args, "search")
    explainer, given = explainer_of(args, "GALLERY ATTRIBUTE...", 1 if args.gallery else 2)
    from torchreid_amd.gallery.asked import search, wanted_by
    from torchreid_amd.gallery.stored_seen import names_of

    words = given if args.gallery else given[1:]
    reranker = reranker_of(explainer, args)
    wanted_by(words, reranker.schema, reranker.readouts.known.tolist())  # before anything is looked at
    gallery = seen_or_photographs(explainer, args, [] if args.gallery else given[:1])
    explainer.readouts = reranker.readouts
    print_found(search(explainer.attributes(gallery), names_of(gallery), words, reranker.schema), args)
