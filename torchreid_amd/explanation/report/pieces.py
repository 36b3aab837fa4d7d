"""What a whole distance is cut into on a page: pieces that add up to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torchreid_amd.account.account import Row
from torchreid_amd.attributes.parts import CARRIED, PARTS, REST
from torchreid_amd.attributes.schema import AttributeSchema
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

    Those of its account, where there is one, by part of the picture; else the head's contributions.
    """
    return _by_head(e) if e.account is None else [_of_row(e.schema, row) for row in e.account.rows]


def _left_over(row: Row) -> bool:
    """Whether a row is what attributes leave of a part, and not all of it."""
    return not row.what and row.words.startswith("the rest of")


def region_name(part: str) -> str:
    """What the region of a part is called among the layers of a page."""
    return f"region-{PARTS.index(part)}"


def part_name(part: str) -> str:
    """A part of the picture in words."""
    return "things carried" if part == CARRIED else part


def _of_row(schema: AttributeSchema, row: Row) -> Piece:
    look = PART_LOOKS[row.part]
    if _left_over(row) and look != "rest":
        look += " other"
    if row.what in schema.attributes:
        name = schema.say(row.what)
    else:
        name = row.what or f"the rest of the {part_name(row.part)}".replace("rest of the rest", "rest")
    return Piece(
        key=f"{row.part}/{row.what}",
        name=name,
        words=_said_once(row.words),
        value=row.contribution,
        look=look,
        named=bool(row.what),
        layer=region_name(row.part),
        part=row.part,
        certain=row.counts,
    )


def _said_once(words: str) -> str:
    """ "purple upper body against red upper body", or with a comma, with the last words said once."""
    a, between, b = words.partition(" against " if " against " in words else ", ")
    one, other = a.split(), b.split()
    same = 0
    while same < min(len(one), len(other)) - 1 and one[-1 - same] == other[-1 - same]:
        same += 1
    return f"{' '.join(one[: len(one) - same])}{between}{b}" if same and between else words


def _by_head(e: ExplainedPair) -> list[Piece]:
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
