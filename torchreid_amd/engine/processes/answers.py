"""The questions of an evaluation, shared by processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torchreid_amd.core.processes import alone, count, rank, together

#: Questions that all processes answer together, each for some of the pairs.
TOGETHER = ("account", "effect")
#: The others, by the process that answers them: the first has the first of each, and so on around.
ONE_BY_ONE = (("rerank", "attributes"), ("sanity",), ("place", "reweight"), ("removal",))


def answers(asked: Mapping[str, Callable[[], dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """What each question is answered, the same in every process and from one process alone.

    Args:
        asked: each question by name, and what answers it.
    """
    if count() == 1:
        return {part: _answered(part, answer) for part, answer in asked.items()}
    found = {part: _answered(part, asked[part]) for part in TOGETHER if part in asked}
    groups = [*ONE_BY_ONE, *([part] for part in asked if part not in sum(ONE_BY_ONE, TOGETHER))]
    own = [part for group in groups[rank() :: count()] for part in group if part in asked]
    with alone():
        mine = {part: _answered(part, asked[part]) for part in own}
    for theirs in together(mine):
        found |= theirs
    return {part: found[part] for part in asked}


def _answered(part: str, answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    print(f"{part} ...", flush=True)
    return answer()
