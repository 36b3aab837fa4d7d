"""What a whole distance is cut into on a page: pieces that add up to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torchreid_amd.account.account import Row
from torchreid_amd.attributes.parts import PARTS, REST
from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.report.text import label_words

LEAST = 0.01  #: of the distance: smaller pieces are shown together
MOST = 8  #: attributes shown one by one


@dataclass(frozen=True)
class Piece:
    """A piece of a distance.

    Attributes:
        key: what it is about; two explanations have pieces of one key for the same thing.
        name: the same in words that fit any pair.
        words: what it is in this pair.
        value: in units of the distance; negative where it brings the two nearer.
        look: how it is drawn: a CSS class.
        named: whether it is something with a name, and not what is left of something.
        layer: what it shows over the photographs; "" where it has no place.
        note: what is known of it.
        part: the part of the picture it belongs to; "" where pieces are not sorted by part.
        certain: whether it is larger than the error of such pieces.
    """

    key: str
    name: str
    words: str
    value: float
    look: str
    named: bool = True
    layer: str = ""
    note: str = ""
    part: str = ""
    certain: bool = True


def pieces(e: ExplainedPair) -> list[Piece]:
    """All pieces of an explained distance; their values add up to it.

    Those of its account, where there is one; else the head's contributions and what they leave.
    """
    if e.account is not None:
        return [_of_account(row) for row in e.account.rows]
    found = []
    for k in e.order():
        said, value = e.schema.say(e.attributes[k]), float(e.contributions[k])
        look, layer = f"k{int(e.exclusive[k])}", f"map-{k}"
        found.append(Piece(e.attributes[k], said, said, value, look, True, layer, _known(e, k)))
    if e.remainder is not None:
        name, words = "what belongs to no attribute", "no attribute’s: the shared remainder"
        found.append(Piece("/remainder", name, words, e.remainder, "rest", False))
    words = "not explained" if e.residual >= 0 else "counted too much"
    found.append(Piece("/residual", "what is not explained", words, e.residual, "rest", False))
    return found


def _of_account(row: Row) -> Piece:
    n = PARTS.index(row.part)
    look = "rest" if row.part == REST else f"p{n}" if row.what else f"p{n} other"
    name = row.what or f"the rest of: {row.part}"
    key = f"{row.part}/{row.what}"
    return Piece(
        key,
        name,
        row.words,
        row.contribution,
        look,
        bool(row.what),
        region_name(row.part),
        "",
        row.part,
        row.counts,
    )


def region_name(part: str) -> str:
    """What the region of a part is called among the layers of a page."""
    return f"region-{PARTS.index(part)}"


def _known(e: ExplainedPair, k: int) -> str:
    """Whether attribute k differs, in words, since colours alone would not tell everybody."""
    words = {1: "differs", 0: "in common", -1: ""}[int(e.exclusive[k])]
    return " · ".join(filter(None, (words, label_words(e, k).removeprefix("both: "))))


def shown_and_small(found: Iterable[Piece], distance: float) -> tuple[list[Piece], list[Piece]]:
    """The pieces worth a line of their own, largest first and what has no name last, and the others."""
    by_size = sorted(found, key=lambda p: (not p.named, -abs(p.value)))
    worth = [p for p in by_size if p.certain and abs(p.value) >= LEAST * distance > 0]
    shown = [p for p in worth if p.named][:MOST] + [p for p in worth if not p.named]
    return shown, [p for p in by_size if p not in shown]
