"""``torchreid-amd rank``: rank a gallery and explain the nearest."""

from __future__ import annotations

import argparse
from typing import Any

from torchreid_amd.cli.given import config_tree, explainer_of, reranker_of, seen_or_photographs
from torchreid_amd.cli.options import gallery_options, learnt_options, model_options, output_options
from torchreid_amd.cli.results import write


def add(commands: Any) -> None:
    """The command's arguments."""
    rank = commands.add_parser("rank", help="rank a gallery and explain the nearest photographs")
    rank.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        help="RUN QUERY GALLERY: run folder, a photograph, then photographs or folders; with --model no RUN",
    )
    model_options(rank)
    rank.add_argument("--rerank", action="store_true", help="order by what is seen, too; see rerank")
    rank.add_argument("--topk", type=int, default=10, help="how many to explain (default: 10)")
    output_options(rank)
    learnt_options(rank)
    rank.set_defaults(run=run)
    gallery_options(rank)


def run(args: argparse.Namespace) -> None:
    explainer, (query, *given) = explainer_of(args, "QUERY GALLERY...", 1 if args.gallery else 2)
    from torchreid_amd.gallery.given import gallery_of

    if args.rerank:
        found, reranker = seen_or_photographs(explainer, args, given), reranker_of(explainer, args)
        options = {"topk": args.topk, "search": args.search, "reranker": reranker}
        write(explainer.explain_ranking(query, found, **options), args)
        return
    gallery = gallery_of(
        [*given, *args.gallery], config_tree(explainer, args), args.split, args.skip_broken, args.photographs
    )
    write(explainer.explain_ranking(query, gallery, topk=args.topk, search=args.search), args)
