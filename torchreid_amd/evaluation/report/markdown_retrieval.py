"""What attributes do for retrieval, as rows of the Markdown table of several runs."""

from __future__ import annotations

from collections.abc import Sequence

from torchreid_amd.evaluation.report.cells import cell
from torchreid_amd.evaluation.report.markdown_rows import NONE, Record, Row, beside, found_of
from torchreid_amd.gallery.strength import said

_WAYS = {
    "decomposed": "by the decomposed distance",
    "reweighted": "re-weighted, d' = (1 + λ Σ w p) d",
    "attributes": "by attributes alone",
    "reranked": "re-ranked by what is seen",
    "reranked_k_reciprocal": "re-ranked and k-reciprocal",
}
_WITHOUT = {"target": "target", "k_reciprocal": "k-reciprocal"}
_RECOGNISED = {
    "balanced_accuracy": "balanced accuracy, %",
    "AUC": "area under the curve, %",
    "calibration_error": "calibration error, % (low is good)",
    "mAP": "found by one attribute, mAP, %",
    "combined_mAP": "found by three attributes, mAP, %",
}


def retrieved(records: Sequence[Record]) -> tuple[str, list[Row]]:
    """Does what is seen help retrieval? Nothing where a run was not scored so."""
    if not all("rows" in record.get("rerank", {}) for record in records):
        return "", []
    each = [record["rerank"]["rows"] for record in records]
    without = {title: found_of(each[0][row], "mAP") for row, title in _WITHOUT.items() if row in each[0]}
    rows = []
    for way, words in _WAYS.items():
        if any(way in found for found in each):
            beaten = {name: value for name, value in without.items() if name == "target" or "k-" in words}
            own = [cell(*found_of(found[way], "mAP")) if way in found else NONE for found in each]
            rows.append((f"mAP {words}, %", [*own, beside(beaten), NONE]))
    gains = [found_of(found["reranked"]["gain"], "mAP") for found in each]
    rows.append(("mAP gained by re-ranking, points", [*(cell(*gain) for gain in gains), NONE, NONE]))
    chosen = [said(float(record["rerank"]["strength"])) for record in records]
    rows.append(("λ of re-ranking, chosen on training identities", [*chosen, NONE, NONE]))
    return "Does what is seen help retrieval?", rows


def recognised(records: Sequence[Record]) -> tuple[str, list[Row]]:
    """Are attributes recognised? Nothing where a run was not scored so."""
    if not all("rows" in record.get("attributes", {}) for record in records):
        return "", []
    each = [record["attributes"]["rows"] for record in records]
    chance = {"balanced_accuracy": 50.0, "AUC": 50.0, **records[0]["attributes"]["chance"]}
    rows = []
    for score, words in _RECOGNISED.items():
        own = [cell(*found_of(found["readouts"], score)) for found in each]
        others = {name: found_of(row, score) for name, row in each[0].items() if name != "readouts"}
        rows.append((words, [*own, beside(others, low="low" in words), cell(chance.get(score))]))
    return "Are attributes recognised?", rows
