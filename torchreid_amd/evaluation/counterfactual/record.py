"""What would happen against what is predicted, JSON-ready."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from torchreid_amd.core.processes import share, together
from torchreid_amd.evaluation.counterfactual.effect import PairEffect, effects_record, score_effects
from torchreid_amd.evaluation.counterfactual.measure import measure_effects
from torchreid_amd.evaluation.data.testbed import Testbed
from torchreid_amd.interpreter.decomposer import Decomposer


def effect_pairs(
    testbed: Testbed, count: int, decomposer: Decomposer | None = None, baselines: bool = True
) -> list[PairEffect]:
    """A sample of pairs with what would happen and what is predicted; by all processes together."""
    assert testbed.truth is not None
    mine = measure_effects(
        decomposer or testbed.decomposer,
        testbed.query,
        testbed.gallery,
        share(testbed.pairs(count)),
        testbed.truth,
        testbed.regression if baselines else None,
        baselines,
    )
    return [pair for part in together(mine) for pair in part]


def counterfactual_record(effects: Sequence[PairEffect]) -> dict[str, Any]:
    """Everything about effects, JSON-ready; ``points`` are contribution, drop and number of attributes."""
    points = [
        [float(x), float(y), int(n)]
        for pair in effects
        for x, y, n in zip(pair.predicted["interpreter"], pair.drops, pair.predicted["count"], strict=True)
    ]
    by_change: dict[str, list[tuple[float, float]]] = {}
    for pair in effects:
        for name, x, y in zip(pair.names, pair.predicted["interpreter"], pair.drops, strict=True):
            by_change.setdefault(name, []).append((float(x), float(y)))
    means = {
        name: {
            "changes": len(found),
            "contribution": float(np.mean([x for x, _ in found])),
            "drop": float(np.mean([y for _, y in found])),
        }
        for name, found in sorted(by_change.items())
    }
    return {
        "pairs": len(effects),
        "changes": len(points),
        "rows": effects_record(score_effects(effects)),
        "by_change": means,
        "points": points,
    }
