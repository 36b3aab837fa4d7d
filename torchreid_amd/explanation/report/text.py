"""An explanation in sentences."""

from __future__ import annotations

import math
from pathlib import PurePath

from torchreid_amd.account.account import ERROR, Account
from torchreid_amd.core.printable import printable
from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.ranking import RankedGallery
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
    return text.replace("-", "−")


def percent(share: float) -> str:
    """A share as a percentage: 21 %, 4.3 %, 0.04 %, −2.1 %."""
    value = 100 * share
    digits = 0 if abs(value) >= 9.95 else 1 if abs(value) >= 0.095 or not value else 2
    text = f"{value:.{digits}f}"
    return ("0" if not float(text) else text).replace("-", "−") + " %"


def short_names(names: tuple[str, str]) -> tuple[str, str]:
    """File names without their folders; with the last folder where they would be the same."""
    a, b = (PurePath(printable(n)) for n in names)
    if a.name != b.name or a == b:
        return a.name or str(a), b.name or str(b)
    return "/".join(a.parts[-2:]), "/".join(b.parts[-2:])


def metric_words(metric: str) -> str:
    """How a sentence names a metric: "Euclidean distance"."""
    return get_distance(metric).words


def distance_sentence(e: ExplainedPair) -> str:
    """The distance, its metric, and torchreid's number where it differs."""
    words = metric_words(e.metric)
    said = f"{words[0].upper()}{words[1:]} {number(e.distance)}"
    if e.metric == "euclidean":
        said += f" (torchreid prints its square, {number(e.distance**2)})"
    elif e.metric == "squared_euclidean":
        said += " (torchreid's “euclidean”)"
    return f"{said}."


def threshold_sentence(e: ExplainedPair) -> str:
    """On which side of the threshold the pair lies; "" where there is none."""
    if e.threshold is None:
        return ""
    side = "nearer: taken for one person" if e.distance < e.threshold else "not nearer: taken for two persons"
    return f"The threshold is {number(e.threshold)}, and they are {side}."


def made_by_words(e: ExplainedPair) -> str:
    """Model, head, run and versions in one line; "" where nothing is known."""
    labels = {"model": "model", "head": "head", "run": "run"}
    return " · ".join(f"{labels.get(k, k)} {v}" for k, v in e.made_by.items())


def residual_sentence(e: ExplainedPair) -> str:
    """What the attributes leave over, or count too much."""
    if e.remainder is not None:
        if not e.distance:
            return "Contributions and remainder add up exactly."
        rest = percent(e.remainder / e.distance)
        return f"Shared remainder, which belongs to no attribute: {rest} ({number(e.remainder)}); sum exact."
    size = number(e.residual)
    if not e.distance:
        return f"What the attributes do not explain: residual {size}."
    part = abs(e.residual) / abs(e.distance)
    if e.residual < 0:
        return f"The attributes add up to {percent(part)} more than the distance (residual {size})."
    return f"What the attributes do not explain: {percent(part)} (residual {size})."


def label_words(e: ExplainedPair, k: int) -> str:
    """What the labels say of attribute k: "A: backpack, B: no backpack", "both: hat", or ""."""
    if e.labels is None:
        return ""
    a, b = (int(side[k]) for side in e.labels)
    attribute = e.attributes[k]
    if a == b and a >= 0:
        return f"both: {e.schema.say(attribute, a == 1)}"
    known = [(n, v) for n, v in (("A", a), ("B", b)) if v >= 0]
    return ", ".join(f"{n}: {e.schema.say(attribute, v == 1)}" for n, v in known)


def fraction(e: ExplainedPair, k: int) -> float:
    """What attribute k makes up: its share, or, of an exact decomposition, its part of the distance."""
    if e.remainder is None:
        return float(e.shares[k])
    return float(e.contributions[k]) / e.distance if e.distance else 0.0


def fraction_text(e: ExplainedPair, k: int) -> str:
    """:func:`fraction` as a percentage."""
    return percent(fraction(e, k))


def parts_sentence(r: RankedGallery) -> str:
    """What the percentages of a ranking are."""
    exact = any(e.remainder is not None for e in r)
    return "parts of the distance" if exact else "shares of what the attributes explain"


def part_heading(e: ExplainedPair) -> str:
    """What a column of :func:`fraction_text` is called."""
    return "share" if e.remainder is None else "of distance"


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
        inside = ", ".join(f"{row.words} {percent(row.share)}" for row in rows)
        said.append(f"{part} {percent(share)}" + (f" ({inside})" if inside else ""))
    error = f"Less than {percent(ERROR)} is within the error."
    return f"By swapping parts it is made of: {'; '.join(said)}. {error}"


def account_words(account: Account, top: int = 3) -> str:
    """The largest rows in a few words: "red upper body against blue upper body 21 %, head 12 %"."""
    rows = sorted(account.rows, key=lambda row: -row.contribution)
    return ", ".join(f"{row.words} {percent(row.share)}" for row in rows[:top] if row.counts)


def attribute_sentence(e: ExplainedPair, k: int, first: bool = False) -> str:
    """How much attribute k adds, and what is known of it."""
    known = label_words(e, k)
    negative = e.contributions[k] < 0
    if e.remainder is None:
        verb, whole = "changes it by" if negative else "adds", "of what the attributes explain"
    else:
        verb, whole = "takes away" if negative else "adds", "of the distance"
    size = fraction_text(e, k).removeprefix("−" if e.remainder is not None else "") + (
        f" {whole}" if first else ""
    )
    return f"“{e.schema.say(e.attributes[k])}” {verb} {size}" + (f" ({known})" if known else "")


def pair_summary(e: ExplainedPair, top: int = 3) -> str:
    """Distance, the largest contributions, and the residual, in sentences."""
    a, b = short_names(e.names)
    names = f"A is {a}, B is {b}." if e.names != ("A", "B") else ""
    if not e.distance:
        middle = "To the model the two photographs are the same: there is nothing to explain."
    else:
        middle = _head_sentence(e, top)
    account = account_sentence(e.account) if e.account is not None and e.distance else ""
    rest = residual_sentence(e) if len(e.schema) else ""
    return " ".join(filter(None, (names, distance_sentence(e), account, middle, rest)))


def _head_sentence(e: ExplainedPair, top: int) -> str:
    """The head's largest contributions; "" where it knows no attributes."""
    if not len(e.schema):
        return ""
    said = [attribute_sentence(e, k, first=not n) for n, k in enumerate(e.order()[:top])]
    even = f"; an even split would give each {percent(1 / len(e.schema))}"
    head = "In the head's own view " if e.account is not None else ""
    return f"{head}{', '.join(said)}{even if e.remainder is None else ''}."


def top_words(e: ExplainedPair, top: int = 3) -> str:
    """The largest shares in a few words: "red upper body 21 %, hat 12 %"; of the account, if there is one."""
    if e.not_explained:
        return f"(distance alone: {e.not_explained})"
    if e.account is not None:
        return account_words(e.account, top)
    return ", ".join(f"{e.schema.say(e.attributes[k])} {fraction_text(e, k)}" for k in e.order()[:top])


def match_words(same: bool | None) -> str:
    """What is known of a gallery photograph's identity."""
    return {True: "same person", False: "different person", None: ""}[same]


def ranking_summary(r: RankedGallery, top: int = 3) -> str:
    """One line a photograph: rank, distance, file, whether it is the person, what differs most."""
    words = metric_words(r.metric)
    query = short_names((r.query_name, ""))[0]
    lines = [f"{query}: the nearest {len(r)} of {r.searched} photographs, by {words}."]
    for rank, (e, same) in enumerate(zip(r, r.matches, strict=True), 1):
        known = f" [{match_words(same)}]" if same is not None else ""
        lines.append(
            f"{rank:>3}. {number(e.distance):>7}  {short_names(e.names)[1]}{known}  {top_words(e, top)}"
        )
    return "\n".join(lines)
