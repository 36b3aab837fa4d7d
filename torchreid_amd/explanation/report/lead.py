"""What makes up a distance, in one sentence for anybody."""

from __future__ import annotations

from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.report.pieces import LEAST, pieces, shown_and_small
from torchreid_amd.explanation.report.text import percent

_LEFT = {"/remainder": "belongs to no attribute", "/residual": "is not explained"}


def lead(e: ExplainedPair) -> str:
    """The sentence a page opens with."""
    if not e.distance:
        return "To the model these two photographs are the same: there is nothing to explain."
    shown, _ = shown_and_small(pieces(e), e.distance)
    said = [f"{p.words} {percent(p.value / e.distance)}" for p in shown if p.named and p.value > 0][:3]
    first = f"Above all {_listed(said)}" if said else f"No attribute makes up as much as {percent(LEAST)}"
    left = [p for p in shown if p.key in _LEFT and p.value > 0]
    return first + "".join(f"; {percent(p.value / e.distance)} {_LEFT[p.key]}" for p in left) + "."


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
