"""The command ``torchreid-amd``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from torchreid_amd.core import registry
from torchreid_amd.core.closed_pipe import outliving_the_reader
from torchreid_amd.core.errors import InputError, unknown_name
from torchreid_amd.core.language import ENGLISH, set_language
from torchreid_amd.core.messages import printed, show_progress
from torchreid_amd.core.printable import forgiving_streams

if TYPE_CHECKING:
    from torchreid_amd.explanation.explainer import Explainer

#: rounds that a thread of OpenMP (GNU's) waits awake before it sleeps. By default 300,000, in which the
#: threads of two programs on the same cores hold each other up
SPINS = "30000"
_KINDS = ("targets", "heads", "losses", "datasets", "attributes", "zoo")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0 when it went well, 2 for bad input (one line on the error stream)."""
    forgiving_streams()
    parser = _parser()
    args, rest = parser.parse_known_args(argv)
    behind = args.run is _search and rest[:1] == ["--"]  # attributes that are to be missing, behind options
    if rest and args.run is not _evaluate and not behind:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    args.opts = rest + getattr(args, "opts", [])
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & set(os.environ):
        os.environ["GOMP_SPINCOUNT"] = SPINS  # read when torch is imported, which is now to come
    try:
        with outliving_the_reader(), printed(), show_progress():
            set_language(getattr(args, "language", ENGLISH))
            args.run(args)
    except InputError as error:
        print(f"torchreid-amd: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f" {error.filename!r}" if error.filename else ""
        print(
            f"torchreid-amd: {error.strerror or error}{where}; free space or check the path", file=sys.stderr
        )
        return 2
    except KeyboardInterrupt:
        print("torchreid-amd: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="torchreid-amd", description="Explain what the distances of torchreid models are made of."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train an interpreter; torchreid's own options plus amd.*")
    _host_options(train)
    train.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs, e.g. amd.head attrimeter")
    train.set_defaults(run=_train)

    evaluate = commands.add_parser("evaluate", help="score a trained interpreter; KEY VALUE pairs may follow")
    evaluate.add_argument("folder", metavar="RUN", help="run folder")
    _host_options(evaluate)
    evaluate.add_argument("--weights", help="the target's weights, if they have moved")
    evaluate.add_argument(
        "--skip",
        action="append",
        default=[],
        metavar="PART",
        help="leave out probe, place, account, effect, removal, sanity, reweight, rerank or attributes"
        "; may be repeated",
    )
    evaluate.add_argument("--pairs", type=int, default=100, help="pairs that are re-rendered (default: 100)")
    evaluate.add_argument("--images", type=int, default=400, help="photographs for places (default: 400)")
    evaluate.add_argument(
        "--removal-pairs", type=int, default=20, help="pairs whose pixels are removed (default: 20)"
    )
    evaluate.add_argument("--seed", type=int, default=0, help="of every sample (default: 0)")
    evaluate.add_argument(
        "--distractors-as-no",
        action="store_true",
        help='label distractors all "no", to reproduce published numbers',
    )
    evaluate.add_argument(
        "--store", action="append", default=[], metavar="FILE", help="what extract wrote; may be repeated"
    )
    evaluate.set_defaults(run=_evaluate)

    scores = commands.add_parser("scores", help="scores of evaluated runs of one target, side by side")
    scores.add_argument("folders", metavar="RUN", nargs="+", help="run folders that were evaluated")
    scores.set_defaults(run=_scores)

    explain = commands.add_parser("explain", help="explain the distance of two photographs")
    explain.add_argument(
        "paths", metavar="PATH", nargs="+", help="RUN A B: run folder, two photographs; with --model A B"
    )
    _model_options(explain)
    _outputs(explain)
    explain.set_defaults(run=_explain)

    rank = commands.add_parser("rank", help="rank a gallery and explain the nearest photographs")
    rank.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        help="RUN QUERY GALLERY: run folder, a photograph, then photographs or folders; with --model no RUN",
    )
    _model_options(rank)
    rank.add_argument("--rerank", action="store_true", help="order by what is seen, too; see rerank")
    rank.add_argument("--topk", type=int, default=10, help="how many to explain (default: 10)")
    _outputs(rank)
    _learnt_options(rank)
    rank.set_defaults(run=_rank)

    _gallery_options(rank)

    rerank = commands.add_parser("rerank", help="rank a gallery by the target's distance and what is seen")
    rerank.add_argument(
        "paths", metavar="PATH", nargs="+", help="RUN QUERY GALLERY, as rank; with --model no RUN"
    )
    _learning_options(rerank)
    rerank.add_argument("--topk", type=int, default=10, help="how many to print (default: 10)")
    rerank.add_argument("--strength", type=float, help="λ instead of the chosen one; 0: the target alone")
    rerank.add_argument(
        "--k-reciprocal", action="store_true", help="torchreid's k-reciprocal re-ranking on top"
    )
    _gallery_options(rerank)
    rerank.set_defaults(run=_rerank, no_account=False)

    search = commands.add_parser("search", help="find people in a gallery by their attributes")
    search.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        help="RUN GALLERY ATTRIBUTE... -- -ATTRIBUTE...: those behind -- with a minus are to be missing",
    )
    _learning_options(search)
    search.add_argument("--topk", type=int, default=10, help="how many to print (default: 10)")
    search.add_argument("--html", metavar="FILE", help="write a self-contained page")
    _gallery_options(search)
    _language(search)
    search.set_defaults(run=_search, no_account=False)

    extract = commands.add_parser("extract", help="store the features of photographs in a file")
    extract.add_argument("paths", metavar="RUN", nargs="*", help="run folder; none with --model")
    _model_options(extract)
    extract.add_argument("--weights", help="the target's weights, if they have moved")
    extract.add_argument("--data", required=True, help="a folder of photographs, or a data set's name")
    extract.add_argument("--store", required=True, metavar="FILE", help="the file to write (.h5)")
    _dataset_options(extract)
    extract.add_argument("--maps", action="store_true", help="also store the head's maps")
    extract.add_argument("--no-components", action="store_true", help="store embeddings alone")
    extract.add_argument(
        "--verify", action="store_true", help="check what is stored already, and make again what is damaged"
    )
    extract.set_defaults(run=_extract, no_account=False)

    audit = commands.add_parser("audit", help="what a model relies on, over a test set")
    audit.add_argument("folder", metavar="RUN", nargs="?", help="run folder; none with --model")
    _model_options(audit)
    audit.add_argument("-t", "--targets", nargs="+", help="test sets (default: the run's)")
    audit.add_argument("--root", default="", help="path to data root (default: the run's, or reid-data)")
    audit.add_argument("--pairs", type=int, default=200, help="of each kind, at most (default: 200)")
    audit.add_argument("--seed", type=int, default=0, help="of the pairs (default: 0)")
    audit.add_argument(
        "--compare",
        metavar="RUN2",
        help="another run, or with --model another checkpoint of it, side by side",
    )
    _outputs(audit, of_pairs=False)
    audit.set_defaults(run=_audit)

    maps = commands.add_parser("maps", help="draw each attribute's mean map, on persons with it and without")
    maps.add_argument("folder", metavar="RUN", help="run folder")
    maps.add_argument("photographs", metavar="FOLDER", help="of photographs of its data sets")
    maps.add_argument("--figure", metavar="FILE", required=True, help="write it (.png, .pdf, .svg)")
    maps.add_argument("--weights", help="the target's weights, if they have moved")
    _language(maps)
    maps.set_defaults(run=_maps)

    export = commands.add_parser("export", help="write an interpreter as ONNX, checked against PyTorch")
    export.add_argument("folder", metavar="RUN", help="run folder")
    export.add_argument("file", metavar="FILE", help="the file to write (.onnx)")
    export.add_argument("--weights", help="the target's weights, if they have moved")
    export.set_defaults(run=_export)

    synth = commands.add_parser("synth", help="render the procedural pedestrians")
    synth.add_argument("--root", default="reid-data", help="folder of data sets (default: reid-data)")
    synth.add_argument("--domain", default="day", help="day (synthetic_attr) or night (synthetic_attr_night)")
    synth.add_argument("--train-ids", type=int, default=200, help="training identities (default: 200)")
    synth.add_argument("--test-ids", type=int, default=150, help="test identities (default: 150)")
    synth.add_argument(
        "--images-per-id", type=int, default=10, help="about how many images each (default: 10)"
    )
    synth.add_argument("--seed", type=int, default=0, help="another seed renders other people (default: 0)")
    synth.add_argument("--workers", type=int, default=None, help="processes (default: one a core)")
    synth.add_argument("--force", action="store_true", help="render again over what is there")
    synth.set_defaults(run=_synth)

    inspect = commands.add_parser("inspect", help="show where a model is cut and what an interpreter adds")
    inspect.add_argument("model", metavar="MODEL", help="a model's name, or package.module:function")
    inspect.add_argument("--weights", default="", help="a checkpoint of the model")
    inspect.add_argument("--size", nargs=2, type=int, metavar=("H", "W"), help="image size in pixels")
    inspect.add_argument("--map", nargs="+", default=(), help="cut at the outputs of these modules")
    inspect.add_argument("--stem", nargs="+", default=(), help="modules that give the shared early features")
    inspect.set_defaults(run=_inspect)

    listing = commands.add_parser("list", help="list what is registered")
    listing.add_argument("kind", metavar="{" + ",".join(_KINDS) + "}", help="what to list")
    listing.add_argument("pattern", nargs="?", default="*", help="wildcards, e.g. 'osnet*'")
    listing.add_argument("--table", action="store_true", help="targets only: cut and sizes of each family")
    listing.set_defaults(run=_list)
    return parser


def _host_options(parser: argparse.ArgumentParser) -> None:
    """The options of torchreid's own training script."""
    parser.add_argument("--config-file", default="", help="path to config file")
    parser.add_argument("-s", "--sources", nargs="+", help="source datasets (delimited by space)")
    parser.add_argument("-t", "--targets", nargs="+", help="target datasets (delimited by space)")
    parser.add_argument("--transforms", nargs="+", help="data augmentation")
    parser.add_argument("--root", default="", help="path to data root")
    parser.add_argument(
        "--skip-broken", action="store_true", help="go on without photographs that are broken"
    )


def _model_options(parser: argparse.ArgumentParser) -> None:
    """A model alone, instead of a run folder."""
    parser.add_argument("--model", help="a model's name, instead of RUN: its distances in parts, untrained")
    parser.add_argument("--size", nargs=2, type=int, metavar=("H", "W"), help="image size of that model")


def _dataset_options(parser: argparse.ArgumentParser) -> None:
    """Photographs out of a data set of torchreid."""
    parser.add_argument("--root", default="", help="folder of data sets (default: the run's)")
    parser.add_argument(
        "--split", nargs="+", default=["gallery"], help="of a data set: train, query, gallery (default)"
    )
    parser.add_argument(
        "--skip-broken", action="store_true", help="go on without photographs that are broken"
    )


def _gallery_options(parser: argparse.ArgumentParser) -> None:
    """Where a gallery is, other than in the paths given."""
    parser.add_argument(
        "--gallery",
        action="append",
        default=[],
        metavar="FILE",
        help="what extract wrote, a folder or a data set's name; may be repeated",
    )
    parser.add_argument(
        "--photographs", default="", metavar="FOLDER", help="where stored photographs are now"
    )
    parser.add_argument(
        "--search", default="exact", help="of stored features: exact (default); by FAISS flat or ivfpq"
    )
    _dataset_options(parser)


def _learning_options(parser: argparse.ArgumentParser) -> None:
    """A model, and whom attributes are learnt from."""
    _model_options(parser)
    parser.add_argument("--weights", help="the target's weights, if they have moved")
    parser.add_argument("--json", metavar="FILE", help="write the numbers")
    _learnt_options(parser)


def _learnt_options(parser: argparse.ArgumentParser) -> None:
    """What re-ranking and search go by."""
    parser.add_argument("--metric", default="euclidean", help="distance of --model: euclidean, cosine …")
    parser.add_argument("--people", metavar="FOLDER", help="photographs of people whose attributes are known")
    parser.add_argument("--labels", metavar="TABLE", help="their attributes, by pid or by image (.csv …)")
    parser.add_argument(
        "--identity", default="", help="who is on a photograph of --people: a regular expression"
    )
    parser.add_argument("--camera", default="", help="which camera took it: the same")
    parser.add_argument("--reranker", metavar="FILE", help="what was learnt (default: kept in RUN)")
    parser.add_argument("--fit", action="store_true", help="learn again")
    parser.add_argument(
        "--trained-on-them", choices=("yes", "no"), help="whether the target was; found out, if not given"
    )


def _outputs(parser: argparse.ArgumentParser, of_pairs: bool = True) -> None:
    if of_pairs:
        parser.add_argument(
            "--no-account", action="store_true", help="no parts swapped: the head alone, quicker"
        )
        parser.add_argument(
            "--threshold", type=float, help="distance below which two are taken for one person"
        )
        parser.add_argument("--layout", choices=("report", "paper"), default="report", help="of the figure")
    parser.add_argument("--weights", help="the target's weights, if they have moved")
    parser.add_argument("--figure", metavar="FILE", help="write a figure (.png, .pdf, .svg)")
    parser.add_argument("--html", metavar="FILE", help="write a self-contained page")
    parser.add_argument("--json", metavar="FILE", help="write the numbers")
    parser.add_argument("--blur-heads", action="store_true", help="no heads in what is written")
    parser.add_argument("--anonymous", action="store_true", help="no file names in what is written")
    _language(parser)


def _language(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--language", default=ENGLISH, metavar="NAME", help="en (default), de, or a translator's FILE.json"
    )


def _configure(args: argparse.Namespace, cfg: Any) -> Any:
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


def _train(args: argparse.Namespace) -> None:
    from torchreid_amd.config import get_default_config
    from torchreid_amd.engine.train import train

    train(_configure(args, get_default_config()))


def _evaluate(args: argparse.Namespace) -> None:
    from torchreid_amd.engine.evaluate import evaluate
    from torchreid_amd.evaluation.questions import Settings

    settings = Settings(
        skip=tuple(args.skip),
        pairs=args.pairs,
        images=args.images,
        removal_pairs=args.removal_pairs,
        seed=args.seed,
        distractors_as_no=args.distractors_as_no,
    )
    evaluate(args.folder, lambda cfg: _configure(args, cfg), args.weights, settings, args.store)


def _scores(args: argparse.Namespace) -> None:
    from torchreid_amd.evaluation.report.markdown import compare_runs

    print(compare_runs(args.folders))


def _explainer(args: argparse.Namespace, photographs: str, least: int) -> tuple[Explainer, list[str]]:
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


def _explain(args: argparse.Namespace) -> None:
    explainer, photographs = _explainer(args, "A B", 2)
    if len(photographs) > 2:
        raise InputError(f"explain takes two photographs, not {len(photographs)}; rank takes many")
    explanation = explainer.explain(photographs[0], photographs[1])
    _write(explanation, args)


def _rank(args: argparse.Namespace) -> None:
    explainer, (query, *given) = _explainer(args, "QUERY GALLERY...", 1 if args.gallery else 2)
    from torchreid_amd.gallery.given import gallery_of

    if args.rerank:
        reranker, files = _learnt(explainer, args), _gallery(explainer, args, given)
        _write(explainer.explain_ranking(query, files, topk=args.topk, reranker=reranker), args)
        return
    gallery = gallery_of(
        [*given, *args.gallery], _tree(explainer, args), args.split, args.skip_broken, args.photographs
    )
    _write(explainer.explain_ranking(query, gallery, topk=args.topk, search=args.search), args)


def _learnt(explainer: Explainer, args: argparse.Namespace) -> Any:
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
        people = people_of_run(to_dict(_tree(explainer, args)), explainer.schema)
    knows = None if args.trained_on_them is None else args.trained_on_them == "yes"
    return stored_or_fitted(explainer, path, people, knows, args.fit or bool(args.people))


def _gallery(explainer: Explainer, args: argparse.Namespace, given: Sequence[str]) -> list[str]:
    """The photographs of a gallery, those of stored features among them."""
    from torchreid_amd.gallery.given import gallery_of
    from torchreid_amd.gallery.store import Store

    found = gallery_of(
        [*given, *args.gallery], _tree(explainer, args), args.split, args.skip_broken, args.photographs
    )
    listed = [[g.file(row) for row in range(len(g))] if isinstance(g, Store) else [g] for g in found]
    return [path for paths in listed for path in paths]


def _rerank(args: argparse.Namespace) -> None:
    explainer, (query, *given) = _explainer(args, "QUERY GALLERY...", 1 if args.gallery else 2)
    from torchreid_amd.gallery.ranked import rank

    reranker = _learnt(explainer, args)
    gallery = _gallery(explainer, args, given)
    _print(rank(reranker, explainer, query, gallery, args.strength, args.k_reciprocal), args)


def _search(args: argparse.Namespace) -> None:
    explainer, given = _explainer(args, "GALLERY ATTRIBUTE...", 1 if args.gallery else 2)
    from torchreid_amd.gallery.asked import search, wanted_by

    words = (given if args.gallery else given[1:]) + args.opts[1:]
    reranker = _learnt(explainer, args)
    wanted_by(words, reranker.schema, reranker.readouts.known.tolist())  # before anything is looked at
    gallery = _gallery(explainer, args, [] if args.gallery else given[:1])
    explainer.readouts = reranker.readouts
    _print(search(explainer.attributes(gallery), gallery, words, reranker.schema), args)


def _print(result: Any, args: argparse.Namespace) -> None:
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


def _tree(explainer: Explainer, args: argparse.Namespace) -> Any:
    """torchreid's tree of the run, with the folder of data sets that was given."""
    from torchreid_amd.config import config_of_run, get_default_config

    cfg = config_of_run(explainer.config) if explainer.config else get_default_config()
    cfg.data.root = args.root or cfg.data.root
    return cfg


def _extract(args: argparse.Namespace) -> None:
    if not args.paths and not args.model:
        raise InputError("got no run folder; expected RUN, or --model NAME --weights FILE")
    explainer, more = _explainer(args, "", 0)
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
        skip_broken=args.skip_broken,
        verify=args.verify,
    )
    print(f"Written: {store.path} ({len(store)} photographs)")


def _maps(args: argparse.Namespace) -> None:
    from torchreid_amd.explanation.explainer import Explainer
    from torchreid_amd.explanation.mean_maps import mean_maps
    from torchreid_amd.explanation.report.contact_sheet import contact_sheet

    explainer = Explainer.from_pretrained(args.folder, weights=args.weights)
    contact_sheet(mean_maps(explainer, args.photographs), args.figure)
    print(f"Written: {args.figure}")


def _write(result: Any, args: argparse.Namespace) -> None:
    if getattr(args, "threshold", None) is not None:
        result = result.with_threshold(args.threshold)
    if args.blur_heads:
        result = result.blur_heads()
    if args.anonymous:
        result = result.anonymous()
    print(result.summary())
    for path, write in (
        (args.figure, partial(result.plot, layout=args.layout) if hasattr(args, "layout") else result.plot),
        (args.html, result.save_html),
        (args.json, result.to_json),
    ):
        if path:
            write(path)
            print(f"Written: {path}")


def _audit(args: argparse.Namespace) -> None:
    if (args.folder is None) == (args.model is None):
        given = "neither" if args.folder is None else "both"
        raise InputError(f"got {given}; expected RUN, or --model NAME --weights FILE")
    if args.model and not args.weights:
        raise InputError(
            f"--model {args.model} has random weights alone; give a checkpoint of it (--weights)"
        )
    if args.pairs < 2:
        raise InputError(f"--pairs is {args.pairs}; give at least 2 of each kind, better 100")
    if args.folder and args.size is not None:
        raise InputError("--size belongs to --model; a run folder knows its own")
    from torchreid_amd.auditing.audit import audit
    from torchreid_amd.explanation.explainer import Explainer
    from torchreid_amd.explanation.report.layout import format_of

    if args.figure:
        format_of(args.figure)  # said now and not after minutes

    def explainer(weights: str | None, folder: str | None) -> Explainer:
        if args.model:
            return Explainer.from_target(args.model, weights, args.size and tuple(args.size))
        return Explainer.from_pretrained(str(folder), weights=weights)

    first = explainer(args.weights, args.folder)
    second = explainer(args.compare if args.model else None, args.compare) if args.compare else None
    root = args.root or ("reid-data" if args.model else "")
    found = audit(first, args.targets, root=root, pairs=args.pairs, seed=args.seed, compare_with=second)
    _write(found, args)


def _export(args: argparse.Namespace) -> None:
    from torchreid_amd.interpreter.decomposer import Decomposer
    from torchreid_amd.interpreter.export import export
    from torchreid_amd.interpreter.run_folder import load_run

    run = load_run(args.folder, args.weights)
    error = export(Decomposer(run.interpreter, run.size, run.norm_mean, run.norm_std), args.file)
    print(f"Written: {args.file} (largest difference from PyTorch: {error:.1e} of the largest number)")


def _synth(args: argparse.Namespace) -> None:
    from torchreid_amd.datasets.synthetic import render_dataset

    folder = render_dataset(
        args.root,
        train_ids=args.train_ids,
        test_ids=args.test_ids,
        images_per_id=args.images_per_id,
        seed=args.seed,
        domain=args.domain,
        workers=args.workers,
        force=args.force,
    )
    print(folder)


def _inspect(args: argparse.Namespace) -> None:
    from torchreid_amd.interpreter.inspection import inspect_model

    print(inspect_model(args.model, args.weights, args.size, args.map, args.stem).summary())


def _list(args: argparse.Namespace) -> None:
    if args.kind not in _KINDS:
        raise unknown_name("kind", args.kind, _KINDS)
    if args.kind == "zoo":
        from torchreid_amd.targets.model_zoo import list_zoo

        print(*list_zoo(args.pattern), sep="\n")
        return
    if args.table:
        if args.kind != "targets":
            raise InputError(f"--table shows targets, not {args.kind}: torchreid-amd list targets --table")
        from torchreid_amd.targets.table import targets_table

        print(targets_table())
        return
    if (args.kind, args.pattern) == ("targets", "*"):
        print("and timm's models: torchreid-amd list targets 'timm_*'", file=sys.stderr)
    for name in getattr(registry, f"list_{args.kind}")(args.pattern):
        print(name)


if __name__ == "__main__":
    sys.exit(main())
