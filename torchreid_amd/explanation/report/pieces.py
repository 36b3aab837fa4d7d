"""What a whole distance is cut into on a page: pieces that add up to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torchreid_amd.account.account import Row
from torchreid_amd.attributes.parts import PARTS, REST
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.core.language import known, say
from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.report.text import label_words

PART_LOOKS = {part: "rest" if part == REST else f"p{n}" for n, part in enumerate(PARTS)}
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
        left: whether it is what attributes leave of a part, and not all of it.
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
    left: bool = False


def pieces(e: ExplainedPair) -> list[Piece]:
    """All pieces of an explained distance; their values add up to it.

    Those of its account, where there is one, by part of the picture; else the head's contributions.
    """
    if e.account is None:
        return _by_head(e)
    divided = {row.part for row in e.account.rows if row.what}
    return [_of_row(e.schema, row, row.part in divided and not row.what) for row in e.account.rows]


def region_name(part: str) -> str:
    """What the region of a part is called among the layers of a page."""
    return f"region-{PARTS.index(part)}"


def part_name(part: str) -> str:
    """A part of the picture in words."""
    return say(f"parts.{part}.name") if part else ""


def _of_row(schema: AttributeSchema, row: Row, left: bool) -> Piece:
    look = PART_LOOKS[row.part]
    if left and look != "rest":
        look += " other"
    if row.what in schema.attributes:
        name = schema.say(row.what)
    elif row.what:
        name = say(f"groups.{row.what}") if known(f"groups.{row.what}") else row.what
    else:
        name = say(f"parts.{row.part}.{'the' if row.part == REST else 'left'}")
    return Piece(
        key=f"{row.part}/{row.what}",
        name=name,
        words=row.words,
        value=row.contribution,
        look=look,
        named=bool(row.what),
        layer=region_name(row.part),
        part=row.part,
        certain=row.counts,
        left=left,
    )


def _by_head(e: ExplainedPair) -> list[Piece]:
    found = []
    for k in e.order():
        said, value = e.schema.say(e.attributes[k]), float(e.contributions[k])
        look, layer = f"k{int(e.exclusive[k])}", f"map-{k}"
        found.append(Piece(e.attributes[k], said, said, value, look, True, layer, _known(e, k)))
    if e.remainder is not None:
        name, words = say("piece.nobodys"), say("piece.remainder")
        found.append(Piece("/remainder", name, words, e.remainder, "rest", False))
    name, words = say("piece.unexplained_name"), "piece.unexplained" if e.residual >= 0 else "piece.too_much"
    found.append(Piece("/residual", name, say(words), e.residual, "rest", False))
    return found


def _known(e: ExplainedPair, k: int) -> str:
    """Whether attribute k differs, in words, since colours alone would not tell everybody."""
    key = {1: "piece.differs", 0: "piece.common", -1: ""}[int(e.exclusive[k])]
    return " · ".join(filter(None, (key and say(key), label_words(e, k, both=False))))


def shown_and_small(found: Iterable[Piece], distance: float) -> tuple[list[Piece], list[Piece]]:
    """The pieces worth a line of their own, largest first and what has no name last, and the others."""
    by_size = sorted(found, key=lambda p: (not p.named, -abs(p.value)))
    worth = [p for p in by_size if p.certain and abs(p.value) >= LEAST * distance > 0]
    shown = [p for p in worth if p.named][:MOST] + [p for p in worth if not p.named]
    return shown, [p for p in by_size if p not in shown]
