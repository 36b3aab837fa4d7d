"""``torchreid-amd rerank``: rank by the distance and what is seen."""

from __future__ import annotations

import argparse
from typing import Any

from torchreid_amd.cli.given import check_exact, explainer_of, reranker_of, seen_or_photographs
from torchreid_amd.cli.options import gallery_options, learning_options
from torchreid_amd.cli.results import print_found


def add(commands: Any) -> None:
    """The command's arguments."""
    rerank = commands.add_parser("rerank", help="rank a gallery by the target's distance and what is seen")
    rerank.add_argument(
        "paths", metavar="PATH", nargs="+", help="RUN QUERY GALLERY, as rank; with --model no RUN"
    )
    learning_options(rerank)
    rerank.add_argument("--topk", type=int, default=10, help="how many to print (default: 10)")
    rerank.add_argument(
        "--strength",
        type=float,
        help="λ instead of the chosen one; 0: the target alone, inf: attributes alone",
    )
    rerank.add_argument(
        "--k-reciprocal", action="store_true", help="torchreid's k-reciprocal re-ranking on top"
    )
    gallery_options(rerank)
    rerank.set_defaults(run=run, no_account=False)


def run(args: argparse.Namespace) -> None:
    check_exact(args, "rerank")
    explainer, (query, *given) = explainer_of(args, "QUERY GALLERY...", 1 if args.gallery else 2)
    from torchreid_amd.gallery.ranked import rank

    reranker = reranker_of(explainer, args)
    gallery = seen_or_photographs(explainer, args, given)
    print_found(rank(reranker, explainer, query, gallery, args.strength, args.k_reciprocal), args)
