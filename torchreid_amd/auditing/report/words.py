"""Numbers of an audit in words: values with their intervals, and the sentences that several places say."""

from __future__ import annotations

from collections.abc import Mapping

from torchreid_amd.auditing.estimate import Estimate
from torchreid_amd.auditing.findings import Findings
from torchreid_amd.auditing.pairs import DIFFERENT
from torchreid_amd.auditing.record import AuditRecord, Looked
from torchreid_amd.core.language import known, listed, local_number, say
from torchreid_amd.explanation.report.pieces import part_name
from torchreid_amd.explanation.report.text import number

FAR = 0.5  #: of the mean distance: persons alike in all labels who are farther apart are pushed away
GOOD, PART = 0.7, 0.4  #: rank correlations from which two orders agree, and agree in part
MARKS = {1: "▲", -1: "▼", 0: ""}


def whole(share: float | None) -> str:
    """A share in percent: 74 %, 5.1 %."""
    if share is None:
        return "–"
    return say("number.percent", number=_fixed(100 * share, 0 if abs(share) >= 0.0995 else 1))


def between(one: Estimate, scale: float = 100.0) -> str:
    """Its interval in percent or another unit: [67, 80]; empty where there is none."""
    if one.interval is None:
        return ""
    low, high = (_fixed(scale * end, _digits(one.interval, scale)) for end in one.interval)
    return say("audit.interval", low=low, high=high)


def _digits(interval: tuple[float, float], scale: float) -> int:
    """Behind the point: one where numbers are small or the interval is narrow, else none."""
    low, high = (scale * end for end in interval)
    return 0 if min(abs(low), abs(high)) >= 9.95 and high - low >= 1.5 else 1


def _fixed(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return local_number(text if float(text) else "0")


def share_text(one: Estimate) -> str:
    """A share in percent with as many digits as its interval has."""
    if one.value is None or one.interval is None:
        return whole(one.value)
    return say("number.percent", number=_fixed(100 * one.value, _digits(one.interval, 100.0)))


def with_interval(one: Estimate) -> str:
    """74 % [67, 80]."""
    return f"{share_text(one)} {between(one)}".strip()


def points(one: Estimate) -> str:
    """A difference in percentage points: +5.1 [2.0, 8.2]."""
    if one.value is None:
        return "–"
    return f"{local_number(f'{100 * one.value:+.1f}')} {between(one)}".strip()


def distance_text(one: Estimate) -> str:
    """A mean distance with its interval."""
    return f"{number(one.value or 0.0)} {between(one, 1.0)}".strip()


def model_names(a: AuditRecord) -> list[str]:
    """The names of one model or of two, with their heads; equal ones are numbered."""
    names = [_model_name(found) for found in a.models]
    if len(names) == 2 and names[0] == names[1]:
        return [say("audit.first", model=names[0]), say("audit.second", model=names[1])]
    return names


def _model_name(found: Findings) -> str:
    model, head = found.made_by.get("model") or say("audit.unnamed"), found.made_by.get("head", "")
    return say("audit.with_head", model=model, head=head) if head else model


def kind_name(kind: str, form: str = "name") -> str:
    """A kind of pair in words; forms are ``name``, ``title``, and ``first`` and ``other`` of a comparison."""
    return say(f"audit.kinds.{kind}.{form}")


def time_name(time: str) -> str:
    """A time of day in words; one that the package does not know is said as it is."""
    return say(f"audit.times.{time}") if known(f"audit.times.{time}") else time


def looked_sentence(one: Looked) -> str:
    """What was looked at in one data set."""
    return say(
        "audit.looked",
        dataset=f"{one.name} ({time_name(one.domain)})" if one.domain else one.name,
        persons=one.persons,
        queries=local_number(f"{one.queries:,}"),
        gallery=local_number(f"{one.gallery:,}"),
        cameras=one.cameras,
    )


def subjects_sentence(found: Findings) -> str:
    """What the distance of two different persons is made of, in one line with intervals."""
    means = found.kinds[DIFFERENT].subjects
    said = listed(
        [f"{say(f'audit.subjects.{name}.name')} {with_interval(one)}" for name, one in means.items()]
    )
    return say("audit.sentence", things=said)


def clear_parts(parts: Mapping[str, Estimate]) -> list[str]:
    """The parts whose shares clearly differ, the largest difference first, with the points."""
    clear = sorted((p for p in parts if parts[p].clear), key=lambda p: -abs(parts[p].value or 0.0))
    return [f"{part_name(p)} {points(parts[p])}" for p in clear]


def contrast_sentence(one: str, other: str, parts: Mapping[str, Estimate]) -> str:
    """How the mean accounts of two kinds of pairs differ."""
    kinds = {"one": kind_name(one, "first"), "other": kind_name(other, "other")}
    clear = clear_parts(parts)
    return (
        say("audit.contrast", **kinds, things=listed(clear)) if clear else say("audit.contrast_none", **kinds)
    )


def retrieval_sentence(found: Findings) -> str:
    """rank-1 and mAP, by data set."""
    said = []
    for name, one in found.retrieval.items():
        scores = [f"{score} {_score(e)} {between(e)}".strip() for score, e in one.items()]
        if scores:
            all_scores = say("list.between").join(scores)
            several = len(found.retrieval) > 1
            said.append(say("audit.retrieval.on", scores=all_scores, dataset=name) if several else all_scores)
    return "; ".join(said) or say("audit.retrieval.none")


def _score(one: Estimate) -> str:
    return say("number.percent", number=local_number(f"{100 * (one.value or 0.0):.1f}"))


def agreement_sentences(found: Findings) -> list[str]:
    """Whether regression and permutation agree with the account, and why not; empty without a regression."""
    regression = found.regression
    if regression is None:
        return []
    said, order = [], found.agreement
    if order:
        how, often = (say(f"audit.agree.{_how_well(order[key])}") for key in ("effect", "importance"))
        effect, importance = (local_number(f"{order[key]:.2f}") for key in ("effect", "importance"))
        values = {"how": how, "often": often, "effect": effect, "importance": importance}
        said.append(say("audit.agree.order", count=int(order["attributes"]), **values))
    left = whole(1 - (regression.unexplained.value or 0.0))
    if found.labelled is None:
        said.append(say("audit.agree.size_alone", regression=left))
    else:
        said.append(say("audit.agree.size", account=whole(found.labelled), regression=left))
    unexplained, explained = with_interval(regression.unexplained), with_interval(regression.explained)
    said.append(say("audit.agree.left", unexplained=unexplained, explained=explained))
    alike = regression.alike
    if alike.value is not None:
        said.append(say("audit.agree.alike", count=alike.pairs, alike=with_interval(alike)))
    if (regression.unexplained.value or 0.0) > FAR:
        said.append(say("audit.agree.why"))
    return said


def _how_well(correlation: float) -> str:
    return "good" if correlation >= GOOD else "part" if correlation >= PART else "bad"
