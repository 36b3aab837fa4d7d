"""What a command prints and writes."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from torchreid_amd.core.errors import InputError


def write(result: Any, args: argparse.Namespace) -> None:
    if getattr(args, "threshold", None) is not None:
        result = result.with_threshold(args.threshold)
    if args.blur_heads:
        result = result.blur_heads()
    if args.anonymous:
        result = result.anonymous()
    print(result.summary())
    for path, save in (
        (args.figure, partial(result.plot, layout=args.layout) if hasattr(args, "layout") else result.plot),
        (args.html, result.save_html),
        (args.json, result.to_json),
    ):
        if path:
            save(path)
            print(f"Written: {path}")


def print_found(result: Any, args: argparse.Namespace) -> None:
    from torchreid_amd.core.files import write_json

    if args.topk < 1:
        raise InputError(f"--topk is {args.topk}; print at least 1 photograph")
    print(result.summary(args.topk))
    if args.json:
        write_json(result.to_dict(), args.json)
        print(f"Written: {args.json}")
    if getattr(args, "html", None):
        from torchreid_amd.explanation.report.search_page import save_search_page

        save_search_page(result, args.html, args.topk)
        print(f"Written: {args.html}")
