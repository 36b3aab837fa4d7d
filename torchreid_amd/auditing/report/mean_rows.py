"""Mean accounts as bars and rows, for the templates."""

from __future__ import annotations

from typing import Any

from torchreid_amd.attributes.parts import CARRIED, HEAD, LOWER, PARTS, REST, UPPER
from torchreid_amd.auditing.estimate import Estimate
from torchreid_amd.auditing.mean_accounts import MeanAccount
from torchreid_amd.auditing.measured import BACKGROUND, CLOTHING, PERSON, SUBJECTS, THINGS
from torchreid_amd.auditing.pairs import DIFFERENT
from torchreid_amd.auditing.record import AuditRecord
from torchreid_amd.auditing.report.words import (
    MARKS,
    between,
    clear_parts,
    distance_text,
    kind_name,
    model_names,
    points,
    share_text,
    time_name,
    whole,
)
from torchreid_amd.core.language import listed, say
from torchreid_amd.explanation.report.pieces import PART_LOOKS, part_name

#: looks of subjects: those of the parts that belong to them
SUBJECT_LOOKS = {
    CLOTHING: (PART_LOOKS[UPPER], PART_LOOKS[LOWER]),
    PERSON: (PART_LOOKS[HEAD],),
    THINGS: (PART_LOOKS[CARRIED],),
    BACKGROUND: (PART_LOOKS[REST],),
}


def value_row(one: Estimate, longest: float = 1.0) -> dict[str, Any]:
    """A value, its interval, and where both lie on a track whose right end is ``longest``."""
    low, high = one.interval or (one.value or 0.0, one.value or 0.0)
    left, right = (min(1.0, max(0.0, end / longest)) for end in (low, high))
    return {
        "share": share_text(one),
        "interval": between(one),
        "width": min(1.0, max(0.0, (one.value or 0.0) / longest)),
        "low": left,
        "span": right - left,
        "certain": one.interval is not None,
    }


def subject_rows(a: AuditRecord) -> list[dict[str, Any]]:
    """Clothing, person, things and background between different persons, with the values of each model."""
    means = [found.kinds[DIFFERENT].subjects if DIFFERENT in found.kinds else {} for found in a.models]
    moved = a.compared.subjects.get(DIFFERENT, {}) if a.compared is not None else {}
    rows = []
    for subject in SUBJECTS:
        rows.append(
            {
                "words": say(f"audit.subjects.{subject}.name"),
                "what": say(f"audit.subjects.{subject}.what"),
                "looks": SUBJECT_LOOKS[subject],
                "values": [value_row(mean[subject]) if subject in mean else None for mean in means],
                "moved": change(moved.get(subject)),
            }
        )
    return rows


def change(one: Estimate | None) -> dict[str, Any] | None:
    """A difference in points with a mark where it is clear."""
    if one is None or one.value is None:
        return None
    return {"said": points(one), "mark": MARKS[one.clear], "clear": bool(one.clear)}


def kind_card(a: AuditRecord, kind: str) -> dict[str, Any]:
    """The mean accounts of one kind of pairs, by each model."""
    first = a.findings.kinds[kind]
    names = model_names(a)
    moved = a.compared.parts.get(kind, {}) if a.compared is not None else {}
    means = [found.kinds.get(kind) for found in a.models]
    return {
        "kind": kind,
        "title": kind_name(kind, "title"),
        "pairs": first.pairs,
        "about": say(
            "audit.pairs_of",
            pairs=first.pairs,
            persons=first.persons,
            one_camera=whole(first.one_camera),
            distance=_then([distance_text(mean.distance) for mean in means if mean is not None]),
        ),
        "bars": [
            {"name": name if len(means) > 1 else "", "segments": segments(mean)}
            for name, mean in zip(names, means, strict=True)
            if mean is not None
        ],
        "rows": [
            {
                "words": part_name(part),
                "what": "",
                "looks": (PART_LOOKS[part],),
                "values": [None if m is None else value_row(m.parts[part]) for m in means],
                "moved": change(moved.get(part)),
            }
            for part in PARTS
        ],
    }


def _then(distances: list[str]) -> str:
    if len(distances) < 2:
        return "".join(distances)
    return say("audit.then", first=distances[0], second=distances[1])


def segments(mean: MeanAccount) -> dict[str, Any]:
    """The parts of a mean account as segments of one bar; what takes away is left to the rows."""
    shares = {part: max(one.value or 0.0, 0.0) for part, one in mean.parts.items()}
    longest = sum(shares.values()) or 1.0
    return {
        "up": [
            {"look": PART_LOOKS[part], "width": share / longest, "share": whole(mean.parts[part].value)}
            for part, share in shares.items()
        ],
        "said": ", ".join(f"{part_name(part)} {whole(one.value)}" for part, one in mean.parts.items()),
    }


def times_of_day(a: AuditRecord) -> list[dict[str, Any]]:
    """The mean accounts by time of day, of each model; empty where only one time is known."""
    rows = []
    for name, found in zip(model_names(a), a.models, strict=True):
        for kind, times in found.domains.items():
            clear = clear_parts(found.domain_contrasts.get(kind, {}))
            order = [time_name(time) for time in times]
            less = {"second": order[-1][:1].upper() + order[-1][1:], "first": order[0]}
            rows.append(
                {
                    "title": say("audit.time_of", kind=kind_name(kind, "title"), model=name)
                    if len(a.models) > 1
                    else kind_name(kind, "title"),
                    "times": [
                        {
                            "words": say("audit.time_pairs", time=time_name(time), count=mean.pairs),
                            "segments": segments(mean),
                        }
                        for time, mean in times.items()
                    ],
                    "moved": say("audit.time_less", **less, things=listed(clear))
                    if clear
                    else say("audit.time_none"),
                }
            )
    return rows
