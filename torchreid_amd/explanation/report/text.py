"""An explanation in sentences."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import PurePath

from torchreid_amd.account.account import ERROR, Account
from torchreid_amd.core.language import english, local_number, say
from torchreid_amd.core.printable import printable
from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.ranking import RankedGallery
from torchreid_amd.gallery.strength import said
from torchreid_amd.interpreter.distances import get_distance


def number(value: float) -> str:
    """Three significant digits, without an exponent from 0.001 to 100 000: 12.3, 151, −0.0502."""
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if value and not 1e-3 <= size < 1e5:
        text = f"{value:.2e}"
    else:
        text = f"{value:.{max(0, 2 - math.floor(math.log10(size)))}f}" if value else "0"
    return local_number(text)


def percent(share: float) -> str:
    """A share as a percentage: 21 %, 4.3 %, 0.04 %, −2.1 %; its space does not break."""
    value = 100 * share
    digits = 0 if abs(value) >= 9.95 else 1 if abs(value) >= 0.095 or not value else 2
    text = f"{value:.{digits}f}"
    return say("number.percent", number=local_number(text if float(text) else "0"))


def short_names(names: tuple[str, str]) -> tuple[str, str]:
    """File names without their folders; with the last folder where they would be the same."""
    a, b = (PurePath(shown_name(printable(n))) for n in names)
    if a.name != b.name or a == b:
        return a.name or str(a), b.name or str(b)
    return "/".join(a.parts[-2:]), "/".join(b.parts[-2:])


def shown_name(name: str) -> str:
    """What a photograph without a file is called: "query", "gallery 3"; other names are as they are."""
    if name == "query":
        return say("ranking.query")
    number = re.fullmatch(r"gallery (\d+)", name)
    return say("photograph.gallery", number=number[1]) if number else name


def by_metric(metric: str) -> str:
    """By which metric something is ranked: "by Euclidean distance"."""
    return say(f"metric.{metric}.by")


def by_order(r: RankedGallery) -> str:
    """By what a gallery is ordered: the metric, and λ where it is re-ranked."""
    by = by_metric(r.metric)
    return say("ranking.reranked", by=by, strength=said(r.strength)) if r.strength else by


def distance_sentence(e: ExplainedPair) -> str:
    """The distance, its metric, and torchreid's number where it differs."""
    words = get_distance(e.metric).words
    values = {"number": number(e.distance)} | (
        {"square": number(e.distance**2)} if e.metric == "euclidean" else {}
    )
    return say(f"distance.{e.metric}", metric=words[0].upper() + words[1:], **values)


def threshold_sentence(e: ExplainedPair) -> str:
    """On which side of the threshold the pair lies; "" where there is none."""
    if e.threshold is None:
        return ""
    side = "nearer" if e.distance < e.threshold else "farther"
    return say(f"threshold.{side}", threshold=number(e.threshold))


def made_by_words(e: ExplainedPair) -> str:
    """Model, head, run and versions in one line; "" where nothing is known."""
    return origin_words(e.made_by)


def origin_words(made_by: Mapping[str, str]) -> str:
    """The same, of what :mod:`torchreid_amd.explanation.origin` gives."""
    own = ("model", "head", "run")
    return " · ".join(say(f"made_by.{k}", value=v) if k in own else f"{k} {v}" for k, v in made_by.items())


def residual_sentence(e: ExplainedPair) -> str:
    """What the attributes leave over, or count too much."""
    if e.remainder is not None:
        if not e.distance:
            return say("rest.exact")
        return say("rest.remainder", share=percent(e.remainder / e.distance), number=number(e.remainder))
    size = number(e.residual)
    if not e.distance:
        return say("rest.alone", number=size)
    part = percent(abs(e.residual) / abs(e.distance))
    return say("rest.too_much" if e.residual < 0 else "rest.too_little", share=part, number=size)


def label_words(e: ExplainedPair, k: int, both: bool = True) -> str:
    """What the labels say of attribute k: "A: backpack, B: no backpack", "both: hat", or "".

    Args:
        e: the explanation.
        k: which attribute.
        both: whether it is said that two persons agree in it.
    """
    if e.labels is None:
        return ""
    a, b = (int(side[k]) for side in e.labels)
    attribute = e.attributes[k]
    if a == b and a >= 0:
        words = e.schema.say(attribute, a == 1)
        return say("label.both", words=words) if both else words
    known = [(n, v) for n, v in (("A", a), ("B", b)) if v >= 0]
    said = [say("label.one", letter=n, words=e.schema.say(attribute, v == 1)) for n, v in known]
    return say("list.between").join(said)


def fraction(e: ExplainedPair, k: int) -> float:
    """What attribute k makes up: its share, or, of an exact decomposition, its part of the distance."""
    if e.remainder is None:
        return float(e.shares[k])
    return float(e.contributions[k]) / e.distance if e.distance else 0.0


def fraction_text(e: ExplainedPair, k: int) -> str:
    """:func:`fraction` as a percentage."""
    return percent(fraction(e, k))


def part_heading(e: ExplainedPair) -> str:
    """What a column of :func:`fraction_text` is called."""
    return say("column.share" if e.remainder is None else "column.of_distance")


def account_sentence(account: Account) -> str:
    """The parts of a distance, largest first, each with what counts in it."""
    by_part = account.by_part()
    whole = account.distance or 1.0
    said = []
    for part in sorted(by_part, key=lambda part: -by_part[part]):
        share = by_part[part] / whole
        if abs(share) < ERROR:
            continue
        rows = [row for row in account.rows if row.part == part and row.what and row.counts]
        inside = say("list.between").join(f"{row.words} {percent(row.share)}" for row in rows)
        name, kind = say(f"parts.{part}.name"), "part_inside" if inside else "part"
        said.append(say(f"account.{kind}", part=name, share=percent(share), inside=inside))
    return say("account.sentence", parts="; ".join(said), error=percent(ERROR))


def account_words(account: Account, top: int = 3) -> str:
    """The largest rows in a few words: "red upper body against blue upper body 21 %, head 12 %"."""
    rows = sorted(account.rows, key=lambda row: -row.contribution)
    counting = (row for row in rows[:top] if row.counts)
    return say("list.between").join(f"{row.words} {percent(row.share)}" for row in counting)


def attribute_sentence(e: ExplainedPair, k: int, first: bool = False) -> str:
    """How much attribute k adds, and what is known of it."""
    known = label_words(e, k)
    exact = e.remainder is not None
    verb = "adds" if e.contributions[k] >= 0 else "takes" if exact else "changes"
    size = fraction_text(e, k).removeprefix("−" if exact else "")
    if first:
        size = say("head.of_distance" if exact else "head.of_explained", share=size)
    said = say(f"head.{verb}", words=e.schema.say(e.attributes[k]), share=size)
    return say("head.known", sentence=said, known=known) if known else said


def pair_summary(e: ExplainedPair, top: int = 3) -> str:
    """Distance, the largest contributions, and the residual, in sentences for a terminal."""
    a, b = short_names(e.names)
    names = say("summary.names", a=a, b=b) if e.names != ("A", "B") else ""
    middle = _head_sentence(e, top) if e.distance else say("lead.same")
    account = account_sentence(e.account) if e.account is not None and e.distance else ""
    rest = residual_sentence(e) if len(e.schema) else ""
    return breaking(" ".join(filter(None, (names, distance_sentence(e), account, middle, rest))))


def breaking(text: str) -> str:
    """Text for a terminal, where plain spaces are looked for and found."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def _head_sentence(e: ExplainedPair, top: int) -> str:
    """The head's largest contributions; "" where it knows no attributes."""
    if not len(e.schema):
        return ""
    said = [attribute_sentence(e, k, first=not n) for n, k in enumerate(e.order()[:top])]
    things = say("list.between").join(said)
    if e.remainder is None:
        things = say("head.even", sentence=things, share=percent(1 / len(e.schema)))
    return say("head.own" if e.account is not None else "head.plain", things=things)


def top_words(e: ExplainedPair, top: int = 3) -> str:
    """The largest shares in a few words: "red upper body 21 %, hat 12 %"; of the account, if there is one."""
    if e.not_explained:
        return say("alone.line", why=why_alone(e))
    if e.account is not None:
        return account_words(e.account, top)
    largest = e.order()[:top]
    return say("list.between").join(f"{e.schema.say(e.attributes[k])} {fraction_text(e, k)}" for k in largest)


def why_alone(e: ExplainedPair) -> str:
    """Why nothing but the distance is known of a pair."""
    keys = [key for key in ("alone.missing", "alone.changed") if english(key) == e.not_explained]
    return say(keys[0]) if keys else e.not_explained


def match_words(same: bool | None) -> str:
    """What is known of a gallery photograph's identity."""
    return "" if same is None else say("match.same" if same else "match.other")


def ranking_summary(r: RankedGallery, top: int = 3) -> str:
    """One line a photograph: rank, distance, file, whether it is the person, what differs most."""
    query = short_names((r.query_name, ""))[0]
    by = by_order(r)
    lines = [say("summary.ranking", query=query, shown=len(r), gallery=r.searched, by=by)]
    for rank, (e, same) in enumerate(zip(r, r.matches, strict=True), 1):
        known = f" [{match_words(same)}]" if same is not None else ""
        lines.append(
            f"{rank:>3}. {number(e.distance):>7}  {short_names(e.names)[1]}{known}  {top_words(e, top)}"
        )
    return breaking("\n".join(lines))
