"""What makes up a distance, in one sentence for anybody."""

from __future__ import annotations

from torchreid_amd.account.account import ERROR
from torchreid_amd.attributes.parts import REST
from torchreid_amd.core.language import listed, say
from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.report.pieces import LEAST, Piece, pieces, shown_and_small
from torchreid_amd.explanation.report.text import percent

_LEFT = {"/remainder": "lead.remainder", "/residual": "lead.residual"}


def lead(e: ExplainedPair) -> str:
    """The sentence a page opens with."""
    if not e.distance:
        return say("lead.same")
    if e.account is not None:
        return _by_part(e, e.account.by_part().get(REST, 0.0))
    shown, _ = shown_and_small(pieces(e), e.distance)
    said = [f"{p.words} {percent(p.value / e.distance)}" for p in shown if p.named and p.value > 0][:3]
    first = say("lead.named", things=listed(said)) if said else say("lead.none", share=percent(LEAST))
    left = [p for p in shown if p.key in _LEFT and p.value > 0]
    return "; ".join([first, *(say(_LEFT[p.key], share=percent(p.value / e.distance)) for p in left)]) + "."


def _by_part(e: ExplainedPair, rest: float) -> str:
    """What counts most on the person, and how much is not the person: the larger comes first."""
    on_person = [p for p in pieces(e) if p.certain and p.part != REST and p.value > 0]
    largest = sorted(on_person, key=lambda p: -p.value)[:3]
    things = listed([f"{_on_person(p)} {percent(p.value / e.distance)}" for p in largest])
    picture = say("lead.picture", share=percent(rest / e.distance))
    if rest < ERROR * e.distance:
        return say("lead.above", things=things) if things else say("lead.nothing")
    if not things:
        return say("lead.picture_alone", picture=picture)
    return say("lead.then" if rest > largest[0].value else "lead.both", things=things, picture=picture)


def _on_person(p: Piece) -> str:
    return p.words if p.named or p.left else say(f"parts.{p.part}.the")
