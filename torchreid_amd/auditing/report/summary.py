"""An audit as text: sentences, and tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from torchreid_amd.auditing.attributes import LEAST_PAIRS, AttributeFinding
from torchreid_amd.auditing.compared import Compared
from torchreid_amd.auditing.findings import Findings
from torchreid_amd.auditing.pairs import DIFFERENT
from torchreid_amd.auditing.record import AuditRecord
from torchreid_amd.auditing.report.words import (
    agreement_sentences,
    contrast_sentence,
    distance_text,
    kind_name,
    looked_sentence,
    model_names,
    points,
    retrieval_sentence,
    subjects_sentence,
    whole,
    with_interval,
)
from torchreid_amd.core.language import local_number, say
from torchreid_amd.explanation.report.pieces import part_name


def audit_summary(a: AuditRecord) -> str:
    """What was found, in sentences and tables."""
    names = model_names(a)
    blocks = ["\n".join(map(looked_sentence, a.looked))]
    for name, found in zip(names, a.models, strict=True):
        blocks.append(f"## {name}\n{retrieval_sentence(found)}\n{subjects_sentence(found)}")
        blocks.append(kinds_table(found))
        said = [contrast_sentence(*kinds, parts) for kinds, parts in found.contrasts.items()]
        blocks.append("\n".join([say("audit.clear"), *said] if said else []))
        blocks.append(attributes_table(found) if found.attributes else "")
        blocks.append("\n".join(agreement_sentences(found)))
    if a.compared is not None:
        head = say("audit.summary.compared", first=names[0], second=names[1])
        blocks.append(f"## {head}\n{compared_table(a.compared)}")
    return "\n\n".join([block for block in blocks if block] + [say("audit.summary.note")])


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows in Markdown, the first as head."""
    lines = [rows[0], ["--"] * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def kinds_table(found: Findings) -> str:
    """The mean accounts."""
    parts = list(found.kinds[DIFFERENT].parts)
    head = ["", say("audit.pairs_head"), say("audit.summary.one_camera"), say("audit.summary.distance")]
    rows = [[*head, *map(part_name, parts)]]
    for kind, one in found.kinds.items():
        values = [with_interval(one.parts[part]) for part in parts]
        rows.append(
            [kind_name(kind), str(one.pairs), whole(one.one_camera), distance_text(one.distance), *values]
        )
    return table(rows)


def attributes_table(found: Findings) -> str:
    """What a difference in each attribute does."""
    by_account = any(f.effect is not None for f in found.attributes)
    columns = ["difference", "differ", "", *(["makes", "looked"] if by_account else ["part"])]
    columns += ["regression", "permuted"] if found.regression else []
    rows = [[say(f"audit.head.{column}") if column else say("audit.pairs_head") for column in columns]]
    for f in sorted(found.attributes, key=size):
        row = [f.words, whole(f.tells_apart), str(f.pairs)]
        row += [*_looked_at(f)] if by_account else [gain_text(f)]
        rows.append([*row, *others(found, f)])
    return table(rows)


def size(f: AttributeFinding) -> float:
    """By which attributes are ordered, the largest first."""
    return -(f.effect.value or 0.0) if f.effect else -(f.part_gain.value or 0.0) * (f.pairs >= LEAST_PAIRS)


def gain_text(f: AttributeFinding) -> str:
    """By how many points the share of its part is larger, where enough pairs differ."""
    return points(f.part_gain) if f.pairs >= LEAST_PAIRS else say("audit.verdict.few")


def times_text(f: AttributeFinding) -> str:
    """How many times the average difference it is: ×2.2; empty where that is not known."""
    return (
        ""
        if f.looked_at is None or f.looked_at.value is None
        else f"×{local_number(f'{f.looked_at.value:.1f}')}"
    )


def verdict_text(f: AttributeFinding) -> str:
    """Whether it is looked at more or less than it tells apart."""
    if f.effect is None:
        return ""
    return say(f"audit.verdict.{f.verdict or 'few'}")


def _looked_at(f: AttributeFinding) -> tuple[str, str]:
    if f.effect is None or f.effect.value is None:
        return "–", "–"
    return with_interval(f.effect), f"{times_text(f)} {verdict_text(f)}".strip()


def others(found: Findings, f: AttributeFinding) -> list[str]:
    """What regression and permutation say of it; empty without a regression."""
    regression = found.regression
    if regression is None:
        return []
    if f.name not in regression.effects:
        return ["–", "–"]
    return [with_interval(regression.effects[f.name]), with_interval(regression.importance[f.name])]


def compared_table(compared: Compared) -> str:
    """By how much the second model's shares are larger, by kind of pair and subject."""
    names = list(next(iter(compared.subjects.values())))
    rows = [["", *(say(f"audit.subjects.{name}.name") for name in names)]]
    for kind, subjects in compared.subjects.items():
        rows.append([kind_name(kind), *(points(one) for one in subjects.values())])
    return table(rows)
