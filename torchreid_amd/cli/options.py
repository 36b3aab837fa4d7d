"""Options that several commands have."""

from __future__ import annotations

import argparse

from torchreid_amd.core.language import ENGLISH


def model_options(parser: argparse.ArgumentParser) -> None:
    """A model alone, instead of a run folder."""
    parser.add_argument("--model", help="a model's name, instead of RUN: its distances in parts, untrained")
    parser.add_argument("--size", nargs=2, type=int, metavar=("H", "W"), help="image size of that model")


def dataset_options(parser: argparse.ArgumentParser) -> None:
    """Photographs out of a data set of torchreid."""
    parser.add_argument("--root", default="", help="folder of data sets (default: the run's)")
    parser.add_argument(
        "--split", nargs="+", default=["gallery"], help="of a data set: train, query, gallery (default)"
    )
    parser.add_argument(
        "--skip-broken", action="store_true", help="go on without photographs that are broken"
    )


def gallery_options(parser: argparse.ArgumentParser) -> None:
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
    dataset_options(parser)


def learning_options(parser: argparse.ArgumentParser) -> None:
    """A model, and whom attributes are learnt from."""
    model_options(parser)
    parser.add_argument("--weights", help="the target's weights, if they have moved")
    parser.add_argument("--json", metavar="FILE", help="write the numbers")
    learnt_options(parser)


def learnt_options(parser: argparse.ArgumentParser) -> None:
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


def output_options(parser: argparse.ArgumentParser, of_pairs: bool = True) -> None:
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
    language_option(parser)


def language_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--language", default=ENGLISH, metavar="NAME", help="en (default), de, or a translator's FILE.json"
    )
