"""What a difference in an attribute makes, as rows for the templates."""

from __future__ import annotations

from typing import Any

from torchreid_amd.auditing.attributes import LEAST_PAIRS, LESS, MORE, AttributeFinding
from torchreid_amd.auditing.estimate import Estimate
from torchreid_amd.auditing.findings import Findings
from torchreid_amd.auditing.record import AuditRecord
from torchreid_amd.auditing.report.mean_rows import change, value_row
from torchreid_amd.auditing.report.summary import gain_text, others, size, times_text, verdict_text
from torchreid_amd.auditing.report.words import whole
from torchreid_amd.core.language import say
from torchreid_amd.explanation.report.pieces import PART_LOOKS, part_name

_MARK = {MORE: "▲", LESS: "▼"}


def attribute_table(a: AuditRecord) -> dict[str, Any]:
    """Attributes and groups, the largest effect first, and the members of groups."""
    found = a.findings
    by_account = any(f.effect is not None for f in found.attributes)
    moved = a.compared.attributes if a.compared is not None else {}
    longest = (
        max((f.effect.interval[1] if f.effect and f.effect.interval else 0.0) for f in found.attributes)
        if by_account
        else 1.0
    )
    longest = max(longest, 0.01)
    seconds = {f.name: f for f in (a.second.attributes if a.second is not None else ())}
    return {
        "by_account": by_account,
        "scale": whole(longest),
        "rows": [
            _row(found, f, longest, moved.get(f.name), seconds.get(f.name))
            for f in sorted(found.attributes, key=size)
        ],
        "members": [_row(found, f, longest, None, None) for f in sorted(found.members, key=size)],
        "regression": found.regression is not None,
        "compared": bool(moved),
    }


def _row(
    found: Findings,
    f: AttributeFinding,
    longest: float,
    moved: Estimate | None,
    second: AttributeFinding | None,
) -> dict[str, Any]:
    effects = [f.effect] + ([second.effect] if second is not None else [])
    return {
        "words": f.words,
        "part": part_name(f.part),
        "look": PART_LOOKS[f.part],
        "present": "" if f.present is None else say("audit.present", share=whole(f.present)),
        "tells_apart": whole(f.tells_apart),
        "pairs": say("audit.pairs", count=f.pairs),
        "values": [value_row(one, longest) for one in effects if one is not None],
        "times": times_text(f),
        "verdict": verdict_text(f),
        "mark": _MARK.get(f.verdict, ""),
        "gain": gain_text(f),
        "gain_clear": bool(f.part_gain.clear) or f.pairs < LEAST_PAIRS,
        "others": others(found, f),
        "moved": change(moved),
    }
