"""An audit as text: sentences, and tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from torchreid_amd.auditing.attributes import AttributeFinding
from torchreid_amd.auditing.findings import Findings
from torchreid_amd.auditing.pairs import DIFFERENT
from torchreid_amd.auditing.record import AuditRecord
from torchreid_amd.auditing.report.words import (
    agreement_sentences,
    contrast_sentence,
    distance_text,
    model_names,
    part_words,
    points,
    retrieval_sentence,
    subjects_sentence,
    whole,
    with_interval,
)

NOTE = "Shares in percent of the distance; [95 % intervals] are over the queries’ persons."


def audit_summary(a: AuditRecord) -> str:
    """What was found, in sentences and tables."""
    looked = "; ".join(
        f"{d.name}: {d.persons} persons, {d.queries} queries, {d.gallery} gallery photographs"
        for d in a.looked
    )
    blocks = [looked]
    for name, found in zip(model_names(a), a.models, strict=True):
        blocks.append(f"## {name}\n{retrieval_sentence(found)}\n{subjects_sentence(found)}")
        blocks.append(kinds_table(found))
        said = [contrast_sentence(*kinds, parts) for kinds, parts in found.contrasts.items()]
        blocks.append("\n".join(["Clear differences, in points of the distance:", *said] if said else []))
        if found.attributes:
            blocks.append(attributes_table(found))
        blocks.append("\n".join(agreement_sentences(found)))
    if a.compared is not None:
        blocks.append(_compared(a))
    return "\n\n".join([block for block in blocks if block] + [NOTE])


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows in Markdown, the first as head."""
    lines = [rows[0], ["--"] * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def kinds_table(found: Findings) -> str:
    """The mean accounts."""
    parts = list(found.kinds[DIFFERENT].parts)
    rows = [["", "pairs", "under one camera", "distance", *map(part_words, parts)]]
    for kind, one in found.kinds.items():
        values = [with_interval(one.parts[part]) for part in parts]
        rows.append([kind, str(one.pairs), whole(one.one_camera), distance_text(one.distance), *values])
    return table(rows)


def attributes_table(found: Findings) -> str:
    """What a difference in each attribute does."""
    by_account = any(f.effect is not None for f in found.attributes)
    head = ["a difference in", "two differ", "pairs"]
    head += ["makes up", "looked at"] if by_account else ["its part’s share then"]
    rows = [[*head, *(["by regression", "permuted, R² drops by"] if found.regression else [])]]
    for f in sorted(found.attributes, key=_size):
        row = [f.words, whole(f.tells_apart), str(f.pairs)]
        row += [*_looked_at(f)] if by_account else [points(f.part_gain)]
        rows.append([*row, *_others(found, f)])
    return table(rows)


def _size(f: AttributeFinding) -> float:
    return -(f.effect.value or 0.0) if f.effect else -(f.part_gain.value or 0.0)


def _looked_at(f: AttributeFinding) -> tuple[str, str]:
    if f.effect is None or f.looked_at is None:
        return "–", "–"
    times = "" if f.looked_at.value is None else f"×{f.looked_at.value:.1f} "
    return with_interval(f.effect), f"{times}{f.verdict or 'too few pairs'}"


def _others(found: Findings, f: AttributeFinding) -> list[str]:
    regression = found.regression
    if regression is None:
        return []
    if f.name not in regression.effects:
        return ["–", "–"]
    return [with_interval(regression.effects[f.name]), with_interval(regression.importance[f.name])]


def _compared(a: AuditRecord) -> str:
    assert a.compared is not None
    first, second = model_names(a)
    rows = [["", *next(iter(a.compared.subjects.values()))]]
    rows += [
        [kind, *(points(one) for one in subjects.values())] for kind, subjects in a.compared.subjects.items()
    ]
    return f"## {second} less {first}, over the same pairs, in points of the distance\n{table(rows)}"
