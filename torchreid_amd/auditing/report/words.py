"""Numbers of an audit in words: values with their intervals, and the sentences that several places say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torchreid_amd.attributes.parts import CARRIED
from torchreid_amd.auditing.estimate import Estimate
from torchreid_amd.auditing.findings import Findings
from torchreid_amd.auditing.measured import BACKGROUND, CLOTHING, PERSON, THINGS
from torchreid_amd.auditing.pairs import DIFFERENT, FALSE, MISSED, SAME
from torchreid_amd.auditing.record import AuditRecord
from torchreid_amd.explanation.report.text import number

TITLES = {
    DIFFERENT: "Different persons",
    SAME: "The same person, another camera",
    FALSE: "False matches at rank 1",
    MISSED: "Misses: the person’s own photograph, passed over",
}
SUBJECT_WORDS = {
    CLOTHING: ("clothing", "upper and lower body"),
    PERSON: ("the person", "head and hair, and what is named of the whole person, such as gender"),
    THINGS: ("things", "what is carried"),
    BACKGROUND: ("background", "all around the person, with pose, build, light and camera"),
}
FAR = 0.5  #: of the mean distance: persons alike in all labels who are farther apart are pushed away
MARKS = {1: "▲", -1: "▼", 0: ""}


def whole(share: float | None) -> str:
    """A share in percent: 74 %, 5.1 %."""
    if share is None:
        return "–"
    value = 100 * share
    digits = 0 if abs(value) >= 9.95 else 1
    text = f"{value:.{digits}f}"
    return ("0" if not float(text) else text).replace("-", "−") + " %"


def between(one: Estimate, scale: float = 100.0) -> str:
    """Its interval in percent or another unit: [67, 80]; empty where there is none."""
    if one.interval is None:
        return ""
    low, high = (scale * end for end in one.interval)
    digits = 0 if min(abs(low), abs(high)) >= 9.95 and high - low >= 1.5 else 1 if high - low >= 0.15 else 2
    ends = (f"{end:.{digits}f}" for end in (low, high))
    said = ", ".join(end if float(end) else "0" for end in ends)
    return f"[{said}]".replace("-", "−")


def with_interval(one: Estimate) -> str:
    """74 % [67, 80]."""
    return f"{whole(one.value)} {between(one)}".strip()


def points(one: Estimate) -> str:
    """A difference in percentage points: +5.1 [2.0, 8.2]."""
    if one.value is None:
        return "–"
    return f"{100 * one.value:+.1f} {between(one)}".strip().replace("-", "−")


def part_words(part: str) -> str:
    """A part of the picture in words."""
    return "things carried" if part == CARRIED else part


def listed(words: Sequence[str]) -> str:
    """One, two and three."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def model_name(found: Findings) -> str:
    """The model, and its head where it has one."""
    model, head = found.made_by.get("model", "the model"), found.made_by.get("head", "")
    return f"{model} (head {head})" if head else model


def model_names(a: AuditRecord) -> list[str]:
    """The names of one model or of two; equal ones are numbered."""
    names = [model_name(found) for found in a.models]
    return (
        [f"{name}, {n}" for name, n in zip(names, ("first", "second"), strict=False)]
        if len(set(names)) < len(names)
        else names
    )


def subjects_sentence(found: Findings) -> str:
    """What the distance of two different persons is made of, in one line with intervals."""
    means = found.kinds[DIFFERENT].subjects
    said = [f"{SUBJECT_WORDS[name][0]} {with_interval(one)}" for name, one in means.items()]
    missing = "" if THINGS in means else " (things carried are not told apart without an interpreter)"
    return f"Of the distance between two different persons: {listed(said)}{missing}."


def contrast_sentence(one: str, other: str, parts: Mapping[str, Estimate]) -> str:
    """How the mean accounts of two kinds of pairs differ."""
    names = {
        DIFFERENT: "different persons at random",
        SAME: "pairs of the same person",
        FALSE: "false matches",
        MISSED: "misses",
    }
    clear = sorted((p for p in parts if parts[p].clear), key=lambda p: -abs(parts[p].value or 0.0))
    first = f"{names[one][0].upper()}{names[one][1:]} against {names[other]}"
    if not clear:
        return f"{first}: no part’s share clearly differs."
    said = [f"{part_words(p)} {points(parts[p])}" for p in clear]
    return f"{first}: {listed(said)}."


def retrieval_sentence(found: Findings) -> str:
    """rank-1 and mAP, by data set."""
    said = []
    for name, one in found.retrieval.items():
        if one:
            scores = ", ".join(
                f"{score} {100 * (e.value or 0.0):.1f} % {between(e)}" for score, e in one.items()
            )
            said.append(f"{scores}" + (f" on {name}" if len(found.retrieval) > 1 else ""))
    return (
        "; ".join(said) or "nobody of the query is in the gallery under another camera: rank-1 is not known"
    )


def agreement_sentences(found: Findings) -> list[str]:
    """Whether regression and permutation agree with the account, and why not; empty without a regression."""
    regression = found.regression
    if regression is None:
        return []
    said = []
    order = found.agreement
    if order:
        how, often = _how_well(order["effect"]), _how_well(order["importance"])
        said.append(
            f"On the order of {order['attributes']:.0f} attributes, the account and the regression {how} "
            f"(Spearman {_signed(order['effect'])}); on what they make up of all distances, the account "
            f"and permutation importance {often} ({_signed(order['importance'])})."
        )
    left = 1 - (regression.unexplained.value or 0.0)
    explained = with_interval(regression.explained)
    if found.labelled is None:
        said.append(f"The regression gives labelled differences {whole(left)} of the mean distance.")
    else:
        said.append(
            f"On the size: by swapping, labelled differences make up {whole(found.labelled)} of a distance; "
            f"the regression gives them {whole(left)}."
        )
    alike = regression.alike
    seen = "" if alike.value is None else f" ({alike.pairs} such pairs are {with_interval(alike)} apart)"
    said.append(
        "By the regression, two persons who differ in no label would still be "
        f"{with_interval(regression.unexplained)} of the mean distance apart{seen}; it explains {explained} "
        "of the variance between pairs of persons."
    )
    if (regression.unexplained.value or 0.0) > FAR:
        said.append(
            "Why: this model pushes everybody away from everybody. A regression sees only what makes one "
            "pair farther apart than another, and gives what all pairs have in common to no label; swapping "
            "parts asks of each pair by itself."
        )
    return said


def _how_well(correlation: float) -> str:
    return "agree" if correlation >= 0.7 else "agree in part" if correlation >= 0.4 else "do not agree"


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def distance_text(one: Estimate) -> str:
    """A mean distance with its interval."""
    return f"{number(one.value or 0.0)} {between(one, 1.0)}".strip()
