"""The table of targets: one row a family of torchreid's models, measured on its first member.

"tested" counts the names that tests/test_every_target.py runs every law on: it takes them from
the same registry.

``python -m torchreid_amd.targets.table`` prints it; with ``--write examples/GUIDE.md`` it goes between
the file's ``<!-- targets -->`` and ``<!-- /targets -->``.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.files import atomic_path
from torchreid_amd.core.progress_bar import progress
from torchreid_amd.core.registry import targets
from torchreid_amd.targets.build import build_target
from torchreid_amd.targets.tracing import noise

BEGIN, END = "<!-- targets -->", "<!-- /targets -->"
_HEAD = (
    "| model | of the same family | image | stem ends at | feature map, C×h×w "
    "| embedding | tail | cut by | tested |"
)
_LINE = "|--|--|--|--|--|--|--|--|--|"

#: of timm's models, which are targets by pattern: a name to measure, and what it stands for
_TIMM = {
    "timm_resnet18": "every `timm_<name>` with feature maps",
    "timm_vit_tiny_patch16_224": "every `timm_<name>` with tokens",
}


def families() -> list[list[str]]:
    """Names of torchreid's factory that have a target, by the file torchreid defines them in."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, make in host.model_factory().items():
        if name in targets and getattr(make, "__module__", "").startswith("torchreid."):
            found[make.__module__].append(name)
    return list(found.values())


def targets_table() -> str:
    """The table, in Markdown."""
    measured = progress(families(), "measuring a model of each family")
    torchreids = [row(names[0], ", ".join(names[1:]) or "—", f"all {len(names)}") for names in measured]
    timms = [row(name, family, "`tests/test_timm.py`") for name, family in _TIMM.items()]
    return "\n".join([_HEAD, _LINE, *torchreids, *timms])


def row(name: str, family: str, tested: str) -> str:
    """One row: the model is built and measured; family and tested are shown as they are."""
    target = build_target(name, num_classes=1)
    features = target.features(noise(1, target.size))[1]
    sizes = _sizes(target.tail.branches(features))
    cells = (
        name,
        family,
        "×".join(map(str, target.size)) + (" only" if target.fixed_size else ""),
        f"`{target.cut_point.stem}`",
        f"`{target.cut_point.maps[0]}` {sizes}",
        str(target.tail(features).shape[1]),
        "linear" if target.tail.linear else "by blocks",
        "entry" if target.cut_point.how == "by entry" else "tracing",
        tested,
    )
    return "| " + " | ".join(cells) + " |"


def _sizes(branches: Sequence[Tensor]) -> str:
    written = ["×".join(map(str, b.shape[1:])) for b in branches]
    counted = {size: written.count(size) for size in written}
    return ", ".join(f"{n} of {size}" if n > 1 else size for size, n in counted.items())


def write_table(path: Path) -> None:
    """Put the table between the markers of a file.

    Raises:
        InputError: the file has no markers, or cannot be written.
    """
    text = path.read_text(encoding="utf-8")
    block = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not block.search(text):
        raise InputError(f"{str(path)!r} has no place for the table; put {BEGIN} and {END} into it")
    replaced = block.sub(lambda _: f"{BEGIN}\n{targets_table()}\n{END}", text)
    with atomic_path(path) as temporary:
        temporary.write_text(replaced, encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, or write it into a file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--write", metavar="FILE", type=Path, help="put it between the markers of this file")
    args = parser.parse_args(argv)
    if args.write is None:
        print(targets_table())
        return 0
    try:
        write_table(args.write)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
