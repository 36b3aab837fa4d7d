"""What a notebook shows of an audit: one sentence a model, and what distances are made of; no script."""

from __future__ import annotations

from torchreid_amd.auditing.record import AuditRecord
from torchreid_amd.auditing.report.mean_rows import kind_card
from torchreid_amd.auditing.report.words import model_names, retrieval_sentence, subjects_sentence
from torchreid_amd.explanation.report.page import fragment


def audit_cell(a: AuditRecord) -> str:
    """HTML of an audit, to stand in a cell."""
    return fragment(
        "cell_audit.html",
        models=[
            {"name": name, "lead": subjects_sentence(found), "retrieval": retrieval_sentence(found)}
            for name, found in zip(model_names(a), a.models, strict=True)
        ],
        kinds=[kind_card(a, kind) for kind in a.findings.kinds],
    )
