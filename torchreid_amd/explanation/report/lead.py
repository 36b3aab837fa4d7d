"""What makes up a distance, in one sentence for anybody."""

from __future__ import annotations

from torchreid_amd.account.account import ERROR
from torchreid_amd.attributes.parts import REST
from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.report.pieces import LEAST, Piece, pieces, shown_and_small
from torchreid_amd.explanation.report.text import percent

_LEFT = {"/remainder": "belongs to no attribute", "/residual": "is not explained"}


def lead(e: ExplainedPair) -> str:
    """The sentence a page opens with."""
    if not e.distance:
        return "To the model these two photographs are the same: there is nothing to explain."
    if e.account is not None:
        return _by_part(e, e.account.by_part().get(REST, 0.0))
    shown, _ = shown_and_small(pieces(e), e.distance)
    said = [f"{p.words} {percent(p.value / e.distance)}" for p in shown if p.named and p.value > 0][:3]
    first = f"Above all {_listed(said)}" if said else f"No attribute makes up as much as {percent(LEAST)}"
    left = [p for p in shown if p.key in _LEFT and p.value > 0]
    return first + "".join(f"; {percent(p.value / e.distance)} {_LEFT[p.key]}" for p in left) + "."


def _by_part(e: ExplainedPair, rest: float) -> str:
    """What counts most on the person, and how much is not the person: the larger comes first."""
    on_person = [p for p in pieces(e) if p.certain and p.part != REST and p.value > 0]
    largest = sorted(on_person, key=lambda p: -p.value)[:3]
    said = _listed([f"{_on_person(p)} {percent(p.value / e.distance)}" for p in largest])
    not_person = f"{percent(rest / e.distance)} is not the person but the rest of the picture"
    if rest < ERROR * e.distance:
        return f"Above all {said}." if said else "No part of the picture stands out."
    if not said:
        return f"{not_person}."
    if rest > largest[0].value:
        return f"{not_person}; then comes {said}."
    return f"Above all {said}; {not_person}."


def _on_person(p: Piece) -> str:
    return p.words if p.named or p.words.startswith("the ") else f"the {p.words}"


def _listed(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)
