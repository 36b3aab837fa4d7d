"""The page of an audit: one sentence and one bar, then what it rests on, with examples."""

from __future__ import annotations

import json
from typing import Any

from torchreid_amd.account.account import ERROR
from torchreid_amd.auditing.estimate import Estimate
from torchreid_amd.auditing.examples import ATTRIBUTES, Example
from torchreid_amd.auditing.pairs import DIFFERENT
from torchreid_amd.auditing.record import AuditRecord
from torchreid_amd.auditing.report.attribute_rows import attribute_table
from torchreid_amd.auditing.report.camera_grid import camera_grids
from torchreid_amd.auditing.report.mean_rows import kind_card, subject_rows, times_of_day
from torchreid_amd.auditing.report.words import (
    agreement_sentences,
    clear_parts,
    contrast_sentence,
    kind_name,
    looked_sentence,
    model_names,
    points,
    retrieval_sentence,
    subjects_sentence,
)
from torchreid_amd.core.language import listed, say
from torchreid_amd.explanation.report.bar import bar_of
from torchreid_amd.explanation.report.lead import lead
from torchreid_amd.explanation.report.page import picture_uri, render
from torchreid_amd.explanation.report.pieces import part_name
from torchreid_amd.explanation.report.text import origin_words, short_names
from torchreid_amd.interpreter.distances import get_distance

PICTURE = 256  #: pixels along the longer side of a photograph


def audit_page(a: AuditRecord) -> str:
    """A self-contained page (HTML) of an audit."""
    names = model_names(a)
    examples = [_example(one, n) for n, one in enumerate(a.examples, 1)]
    cards = [kind_card(a, kind) for kind in a.findings.kinds]
    return render(
        "audit.html",
        ("page.js", "audit.js"),
        tab=say("audit.tab", models=listed(names)),
        title=say("audit.title_one", model=names[0])
        if len(names) == 1
        else say("audit.title_two", a=names[0], b=names[1]),
        names=names,
        leads=[subjects_sentence(found) for found in a.models],
        retrieval=[retrieval_sentence(found) for found in a.models],
        looked=[looked_sentence(one) for one in a.looked],
        subjects=subject_rows(a),
        front=next(card["bars"] for card in cards if card["kind"] == DIFFERENT),
        kinds=cards,
        typical={card["kind"]: [e for e in examples if e["topic"] == card["kind"]] for card in cards},
        fails=[[contrast_sentence(*k, parts) for k, parts in found.contrasts.items()] for found in a.models],
        contrasts=_contrasts(a),
        attributes=attribute_table(a),
        attribute_examples=[e for e in examples if e["topic"] == ATTRIBUTES],
        others=[agreement_sentences(found) for found in a.models],
        grids=camera_grids(a),
        camera_sentence=_camera_sentence(a),
        times=times_of_day(a),
        how=say(
            "audit.how_text",
            most=a.most,
            seed=a.seed,
            metric=get_distance(a.findings.metric).words,
            error=f"{100 * ERROR:.0f}",
        ),
        made_by=[origin_words(found.made_by) for found in a.models],
        numbers=json.dumps(a.to_dict(), indent=1, ensure_ascii=False),
    )


def _example(one: Example, n: int) -> dict[str, Any]:
    e = one.explanation
    names = short_names(e.names)
    about = "" if one.attribute is None else one.attribute.words
    return {
        "topic": one.topic,
        "rule": say("audit.rule.said", rule=say(f"audit.rule.{one.rule}", attribute=about)),
        "lead": lead(e),
        "bar": bar_of(e, f"x{n}-row"),
        "sides": [
            {"letter": letter, "name": name, "short": short, "picture": picture_uri(image, PICTURE)}
            for letter, name, short, image in zip("AB", e.names, names, e.images, strict=True)
        ],
    }


def _contrasts(a: AuditRecord) -> dict[str, Any]:
    """All differences between kinds as a table, of the first model."""
    parts = list(a.findings.kinds[DIFFERENT].parts)
    return {
        "parts": [part_name(part) for part in parts],
        "rows": [
            {
                "words": say("audit.less", one=kind_name(one, "first"), other=kind_name(other, "other")),
                "cells": [_cell(found[part]) for part in parts],
            }
            for (one, other), found in a.findings.contrasts.items()
        ],
    }


def _cell(one: Estimate) -> dict[str, Any]:
    return {"said": points(one), "clear": bool(one.clear)}


def _camera_sentence(a: AuditRecord) -> str:
    """What two cameras instead of one change between different persons."""
    if not a.findings.camera_contrast:
        return ""
    clear = clear_parts(a.findings.camera_contrast)
    return say("audit.camera_contrast", things=listed(clear)) if clear else say("audit.camera_contrast_none")
