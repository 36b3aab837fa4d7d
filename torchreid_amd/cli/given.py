"""What a command is given: a run or a model, a gallery, people to learn from."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torchreid_amd.core.errors import InputError

if TYPE_CHECKING:
    from torchreid_amd.explanation.explainer import Explainer
    from torchreid_amd.gallery.store import Store


def explainer_of(args: argparse.Namespace, photographs: str, least: int) -> tuple[Explainer, list[str]]:
    """The explainer of a run folder or of a model alone, and the photographs that were given."""
    given = list(args.paths)
    folder = None if args.model else given.pop(0)
    if len(given) < least:
        what = "" if args.model else "RUN "
        raise InputError(f"got {len(args.paths)} paths; expected {what}{photographs}")
    if args.model and args.no_account:
        raise InputError("--model with --no-account leaves nothing to explain; drop one of them")
    from torchreid_amd.explanation.explainer import Explainer

    if folder is None:
        size = None if args.size is None else (args.size[0], args.size[1])
        metric = getattr(args, "metric", "euclidean")
        return Explainer.from_target(args.model, args.weights, size, metric), given
    if args.size is not None:
        raise InputError("--size belongs to --model; a run folder knows its own")
    explainer = Explainer.from_pretrained(folder, weights=args.weights)
    explainer.account = not args.no_account
    return explainer, given


def config_tree(explainer: Explainer, args: argparse.Namespace) -> Any:
    """torchreid's tree of the run, with the folder of data sets that was given."""
    from torchreid_amd.config import config_of_run, get_default_config

    cfg = config_of_run(explainer.config) if explainer.config else get_default_config()
    cfg.data.root = args.root or cfg.data.root
    return cfg


def seen_or_photographs(
    explainer: Explainer, args: argparse.Namespace, given: Sequence[str]
) -> list[str] | list[Store]:
    """A gallery to be re-ranked or searched: stores that have what is seen, else photographs."""
    from torchreid_amd.gallery.given import gallery_of
    from torchreid_amd.gallery.store import Store

    found = gallery_of(
        [*given, *args.gallery], config_tree(explainer, args), args.split, args.skip_broken, args.photographs
    )
    stores = [one for one in found if isinstance(one, Store)]
    if not stores:
        return [one for one in found if not isinstance(one, Store)]
    lacking = [store for store in stores if "seen" not in store]
    if not lacking:
        return stores
    if args.search != "exact":
        raise InputError(
            f"{str(lacking[0].path)!r} was made without what is seen, which --search {args.search} re-ranks "
            "by; extract it again with --seen, or leave out --search"
        )
    return [store.file(row) for store in stores for row in range(len(store))]


def check_exact(args: argparse.Namespace, command: str) -> None:
    """That no index is asked for where every photograph is compared.

    Raises:
        InputError: one is.
    """
    if args.search != "exact":
        raise InputError(
            f"{command} compares with every photograph, --search {args.search} does not apply; leave it out, "
            "or re-rank what an index finds: rank --rerank --search"
        )


def reranker_of(explainer: Explainer, args: argparse.Namespace) -> Any:
    """The re-ranker that is kept, or one learnt from the people that were given, or from those of the run."""
    if bool(args.people) != bool(args.labels):
        raise InputError("--people FOLDER and --labels TABLE belong together; give both")
    from torchreid_amd.config import to_dict
    from torchreid_amd.evaluation.reranking.stored import stored_or_fitted
    from torchreid_amd.gallery.people import CAMERA, labelled_folder, people_of_run
    from torchreid_amd.gallery.rerank import NAME

    path: str | None = args.reranker or (None if args.model else os.path.join(args.paths[0], NAME))
    people = None
    if args.people:
        people = labelled_folder(args.people, args.labels, None, args.identity, args.camera or CAMERA)
    elif explainer.config and (args.fit or path is None or not os.path.exists(path)):
        people = people_of_run(to_dict(config_tree(explainer, args)), explainer.schema)
    knows = None if args.trained_on_them is None else args.trained_on_them == "yes"
    return stored_or_fitted(explainer, path, people, knows, args.fit or bool(args.people))
