"""The scores as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torchreid_amd.evaluation.decomposition_scores import DecompositionScores

_COLUMNS = {
    "rank-1": "rank-1",
    "mAP": "mAP",
    "mINP": "mINP",
    "ADRE": "ADRE",
    "X-mAP_e": "X-mAP_e",
    "X-mAP_c": "X-mAP_c",
    "exclusive_hit_rate": "excl. hits",
}
_ROWS = {
    "target": "target",
    "interpreter": "interpreter",
    "prior": "image-free prior",
    "random": "random order",
}


def score_table(scores: DecompositionScores | Mapping[str, Any]) -> str:
    """A fixed-width table: target, interpreter, image-free prior and random order.

    Args:
        scores: the scores, or what their ``to_dict`` gave.

    Returns:
        Lines without a newline at the end. "–" stands where a score does not apply.
    """
    if not isinstance(scores, DecompositionScores):
        scores = DecompositionScores.from_dict(scores)
    table = [["%", *_COLUMNS.values()]]
    for row, title in _ROWS.items():
        values = getattr(scores, row)
        table.append([title, *(_number(values.get(column)) for column in _COLUMNS)])
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    lines = []
    for title, *numbers in table:
        cells = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        lines.append("  ".join([title.ljust(widths[0]), *cells]))
    lines.insert(1, "─" * len(lines[0]))
    pairs = scores.pairs
    lines.append(
        f"{scores.metric} distance, {scores.form} form; {pairs['used']:,} pairs, "
        f"{pairs['annotated']:,} with labels"
    )
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
