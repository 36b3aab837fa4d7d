"""Camera pairs as grids, one for each part and kind of pair, for the templates."""

from __future__ import annotations

from typing import Any

from torchreid_amd.attributes.parts import REST
from torchreid_amd.auditing.mean_accounts import CameraPairs
from torchreid_amd.auditing.record import AuditRecord
from torchreid_amd.auditing.report.words import kind_name, whole
from torchreid_amd.core.language import say
from torchreid_amd.explanation.report.pieces import PART_LOOKS, part_name


def camera_grids(a: AuditRecord) -> list[dict[str, Any]]:
    """Grids of the first model; the rest of the picture comes first and is shown."""
    grids = []
    for kind, found in a.findings.cameras.items():
        parts = [part for part in found.chance if part in PART_LOOKS]
        for part in sorted(parts, key=lambda part: part != REST):
            for name in dict.fromkeys(key[0] for key in found.cells):
                grids.append(_grid(found, kind, part, name, several=len(a.looked) > 1))
    return grids


def _grid(found: CameraPairs, kind: str, part: str, name: str, several: bool) -> dict[str, Any]:
    cells = {(a, b): values for (where, a, b), values in found.cells.items() if where == name}
    cameras = sorted({camera for pair in cells for camera in pair})
    every = [values[part] for (where, *_), values in found.cells.items()]
    low, high = min(every), max(every)
    chance = found.chance[part]
    words = {"part": part_name(part), "kind": kind_name(kind)}
    return {
        "id": f"{kind}/{part}",
        "choice": say("audit.grid", **words),
        "title": say("audit.grid_set", **words, dataset=name) if several else say("audit.grid", **words),
        "look": PART_LOOKS[part],
        "cameras": [say("audit.camera", number=camera + 1) for camera in cameras],
        "rows": [
            {
                "camera": say("audit.camera", number=b + 1),
                "cells": [
                    _cell(cells.get((min(a, b), max(a, b))), part, low, high) for a in cameras if a <= b
                ],
            }
            for b in cameras
        ],
        "chance": _chance(chance),
    }


def _cell(values: dict[str, float] | None, part: str, low: float, high: float) -> dict[str, Any] | None:
    if values is None:
        return None
    depth = (values[part] - low) / (high - low) if high > low else 0.0
    return {"share": whole(values[part]), "pairs": int(values["pairs"]), "depth": round(5 + 35 * depth)}


def _chance(chance: float | None) -> str:
    if chance is None:
        return ""
    return say("audit.chance_more" if chance < 0.05 else "audit.chance", share=whole(chance))
