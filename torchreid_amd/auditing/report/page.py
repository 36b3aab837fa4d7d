"""The page of an audit: one sentence and one bar, then what it rests on, with examples."""

from __future__ import annotations

import json
from typing import Any

from torchreid_amd.auditing.examples import ATTRIBUTES, Example
from torchreid_amd.auditing.pairs import DIFFERENT
from torchreid_amd.auditing.record import AuditRecord
from torchreid_amd.auditing.report.attribute_rows import attribute_table
from torchreid_amd.auditing.report.camera_grid import camera_grids
from torchreid_amd.auditing.report.mean_rows import kind_card, subject_rows, times_of_day
from torchreid_amd.auditing.report.words import (
    TITLES,
    agreement_sentences,
    contrast_sentence,
    listed,
    model_names,
    part_words,
    points,
    retrieval_sentence,
    subjects_sentence,
)
from torchreid_amd.explanation.report.bar import bar_of
from torchreid_amd.explanation.report.lead import lead
from torchreid_amd.explanation.report.page import picture_uri, render
from torchreid_amd.explanation.report.text import short_names
from torchreid_amd.interpreter.distances import get_distance

PICTURE = 256  #: pixels along the longer side of a photograph


def audit_page(a: AuditRecord) -> str:
    """A self-contained page (HTML) of an audit."""
    names = model_names(a)
    examples = [_example(one, n) for n, one in enumerate(a.examples, 1)]
    cards = [kind_card(a, kind, TITLES[kind]) for kind in a.findings.kinds]
    return render(
        "audit.html",
        ("page.js", "audit.js"),
        tab=f"audit of {' and '.join(names)}",
        title=f"What {names[0]} goes by" if len(names) == 1 else f"What {names[0]} and {names[1]} go by",
        names=names,
        leads=[subjects_sentence(found) for found in a.models],
        retrieval=[retrieval_sentence(found) for found in a.models],
        looked=a.looked,
        most=a.most,
        seed=a.seed,
        metric=get_distance(a.findings.metric).words,
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
        made_by=[" · ".join(f"{key} {value}" for key, value in found.made_by.items()) for found in a.models],
        numbers=json.dumps(a.to_dict(), indent=1, ensure_ascii=False),
    )


def _example(one: Example, n: int) -> dict[str, Any]:
    e = one.explanation
    names = short_names(e.names)
    return {
        "topic": one.topic,
        "rule": one.rule,
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
        "parts": [part_words(part) for part in parts],
        "rows": [
            {"words": f"{one}, less {other}", "cells": [_cell(found[part]) for part in parts]}
            for (one, other), found in a.findings.contrasts.items()
        ],
    }


def _cell(one: Any) -> dict[str, Any]:
    return {"said": points(one), "clear": one.clear}


def _camera_sentence(a: AuditRecord) -> str:
    """What two cameras instead of one change between different persons."""
    found = a.findings.camera_contrast
    if not found:
        return ""
    clear = [f"{part_words(part)} {points(one)}" for part, one in found.items() if one.clear]
    said = listed(clear) if clear else "no part’s share clearly differs"
    return f"Between different persons, under two cameras instead of one, in points of the distance: {said}."
