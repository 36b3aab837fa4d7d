"""The tables of what attributes do for retrieval: re-weighting, re-ranking, recognition and search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torchreid_amd.evaluation.report.cells import cell, cells, grid
from torchreid_amd.gallery.strength import said

_COLUMNS = {"rank-1": "rank-1", "mAP": "mAP"}
_REWEIGHTED = {"target": "target", "reweighted": "re-weighted", "gain": "gain"}
_REWEIGHTED |= {"gain_as_fitted": "gain, had λ been 1"}
_RERANKED = {
    "target": "target",
    "decomposed": "decomposed",
    "reweighted": "re-weighted, d' = (1 + λ Σ w p) d",
    "chosen_on_test": "the same as published, λ chosen on the test",
    "attributes": "attributes alone",
    "reranked": "re-ranked",
    "k_reciprocal": "k-reciprocal",
    "reranked_k_reciprocal": "re-ranked, k-reciprocal",
}
_RECOGNISED = {"balanced_accuracy": "balanced acc.", "AUC": "AUC", "calibration_error": "calib. error"}
_RECOGNISED |= {"mAP": "one attribute, mAP", "combined_mAP": "three, mAP"}
_RECOGNISERS = {"readouts": "readouts", "probe": "linear probes"}


def reweighted(found: Mapping[str, Any]) -> str:
    """Does re-weighting help retrieval?"""
    if "not_scored" in found:
        return f"7. Does re-weighting help retrieval? Not scored: {found['not_scored']}"
    rows = [
        (title, cells(_COLUMNS, found["rows"][row]["values"], found["rows"][row]["intervals"]))
        for row, title in _REWEIGHTED.items()
    ]
    people = found["identities"]
    title = (
        f"7. Does re-weighting help retrieval? (%; λ = {found['strength']:g}, chosen on {people['held_out']} "
        f"held-out training identities, weights from {people['fit']} others)"
    )
    return grid(title, list(_COLUMNS.values()), rows)


def reranked(found: Mapping[str, Any]) -> str:
    """Does what is seen help retrieval?"""
    if "not_scored" in found:
        return f"8. Does what is seen help retrieval? Not scored: {found['not_scored']}"
    rows = []
    for name, title in _RERANKED.items():
        if name in found["rows"]:
            row = found["rows"][name]
            gained = "" if name == "target" else _signed(row["gain"])
            rows.append((title, [*cells(_COLUMNS, row["values"], row["intervals"]), gained]))
    title = (
        f"8. Does what is seen help retrieval? (%; {found['metric']} distance + λ × distance of attributes, "
        f"λ = {said(float(found['strength']))}: {found['reason']})"
    )
    lines = [grid(title, [*_COLUMNS.values(), "mAP gained"], rows)]
    if found["curve"]:
        curve = ", ".join(f"λ {said(float(p['strength']))}: {p['mAP']:.1f}" for p in found["curve"])
        lines.append(f"mAP on {found['identities']} training identities, each held out once: {curve}")
    return "\n".join(lines)


def recognised(found: Mapping[str, Any]) -> str:
    """Are attributes recognised, and are people found by them?"""
    if "not_scored" in found:
        return f"9. Are attributes recognised? Not scored: {found['not_scored']}"
    rows = [
        (_RECOGNISERS.get(name, name), cells(_RECOGNISED, row["values"], row["intervals"]))
        for name, row in found["rows"].items()
    ]
    chance = found["chance"]
    rows.append(("chance", ["50.0", "50.0", "–", cell(chance["mAP"]), cell(chance["combined_mAP"])]))
    title = (
        f"9. Are attributes recognised, and people found by them? (%; {len(found['attributes'])} attributes, "
        f"{found['photographs']:,} photographs, {found['questions']} questions of three attributes)"
    )
    return grid(title, list(_RECOGNISED.values()), rows)


def _signed(gain: Mapping[str, Any]) -> str:
    value, ends = gain["values"]["mAP"], gain["intervals"]["mAP"]
    if value is None:
        return "–"
    return f"{value:+.1f}" + ("" if ends is None else f" [{ends[0]:+.1f}, {ends[1]:+.1f}]")
