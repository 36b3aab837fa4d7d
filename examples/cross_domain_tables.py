"""The tables of cross_domain.py, in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from torchreid_amd.gallery.strength import said

Scores = Mapping[str, Any]


def tables(runs: Mapping[str, Sequence[Scores]]) -> str:
    """The two tables in Markdown, mean ± standard deviation over the seeds.

    Args:
        runs: for each data set trained on, the scores of each seed by data set tested on.
    """
    seeds = len(next(iter(runs.values())))
    lines = [
        f"Trained on → tested on, in percent, {_over(seeds)}:",
        "",
        "| | target R1 / mAP | decomposed R1 / mAP | X-mAP_e | prior | X-mAP_c | prior | ADRE |",
        "|--|--|--|--|--|--|--|--|",
    ]
    for source, found in runs.items():
        for other in runs:
            lines.append(_row(source, other, [scores[other] for scores in found]))
    lines += [
        "",
        "Re-weighted retrieval, gain over the target in points with its 95 % interval over identities, "
        "a seed after the other:",
        "",
        "| | λ chosen | R1 | mAP | mAP, had λ been 1 |",
        "|--|--|--|--|--|",
    ]
    for source, found in runs.items():
        for other in runs:
            lines.append(_reweighted(source, other, [scores[other]["reweight"] for scores in found]))
    return "\n".join(lines)


def adapted_table(runs: Mapping[str, Sequence[Scores]], adapted: Mapping[str, Sequence[Scores]]) -> list[str]:
    """Rows of X-mAP_e in the other domain before and after, and what is lost from the own to the other."""
    if not adapted:
        return []
    columns = "| | X-mAP_e | lost, of the own domain's | ADRE | adapted: X-mAP_e | lost | ADRE |"
    below: list[str] = []
    lines = ["", "Adapted to the other domain without its labels:", "", columns, "|--|--|--|--|--|--|--|"]
    for source, after in adapted.items():
        other = next(name for name in runs if name != source)
        own = [scores[source]["interpreter"]["X-mAP_e"] for scores in runs[source]]
        row = [f"{source} → {other}"]
        for found in ([scores[other] for scores in runs[source]], after):
            named = [scores["interpreter"]["X-mAP_e"] for scores in found]
            lost = [a - b for a, b in zip(own, named, strict=True)]
            row += [spread(named), spread(lost), spread([scores["interpreter"]["ADRE"] for scores in found])]
        lines.append(_cells(*row))
        below += _not_comparable(source, other, runs[source][0])
    return lines + below


def _not_comparable(source: str, other: str, scores: Scores) -> list[str]:
    """What to say where the own domain is asked for more attributes than the other knows."""
    own, there = (len(scores[name].get("labelled", ())) for name in (source, other))
    if own == there:
        return []
    return [
        "",
        f"{source} is asked for {own} attributes and {other} for {there} of them, so what is lost says "
        "little; give an attribute set that both have: amd.attributes.set NAME.",
    ]


def rerank_table(reranked: Mapping[str, Scores]) -> list[str]:
    """Rows of re-ranking with the target of one data set and attributes of the other."""
    if not reranked:
        return []
    lines = [
        "",
        "Re-ranked in the other domain, with attributes of its training people; mAP, gain in points:",
        "",
    ]
    lines += [
        "| target of | λ | target | attributes alone | re-ranked | k-reciprocal | both |",
        "|--" * 7 + "|",
    ]
    for name, found in reranked.items():
        rows = found["rows"]
        gains = [
            f"{rows[row]['values']['mAP']:.1f}, {_with_interval(rows[row]['gain'], 'mAP')}"
            if row in rows
            else "–"
            for row in ("attributes", "reranked", "k_reciprocal", "reranked_k_reciprocal")
        ]
        target = f"{rows['target']['values']['mAP']:.1f}"
        lines.append(_cells(name, said(float(found["strength"])), target, *gains))
    return lines


def _over(seeds: int) -> str:
    return "one seed" if seeds == 1 else f"mean ± standard deviation over {seeds} seeds of the interpreter"


def _row(source: str, other: str, scores: Sequence[Scores]) -> str:
    def cell(row: str, name: str) -> str:
        return spread([s[row][name] for s in scores])

    return _cells(
        f"{source} → {other}",
        f"{cell('target', 'rank-1')} / {cell('target', 'mAP')}",
        f"{cell('interpreter', 'rank-1')} / {cell('interpreter', 'mAP')}",
        cell("interpreter", "X-mAP_e"),
        cell("prior", "X-mAP_e"),
        cell("interpreter", "X-mAP_c"),
        cell("prior", "X-mAP_c"),
        cell("interpreter", "ADRE"),
    )


def _reweighted(source: str, other: str, found: Sequence[Scores]) -> str:
    title = f"{source} → {other}"
    if any("not_scored" in one for one in found):
        return _cells(title, *["–"] * 4)

    def gains(row: str, name: str) -> str:
        return "; ".join(_with_interval(one["rows"][row], name) for one in found)

    return _cells(
        title,
        "; ".join(f"{one['strength']:g}" for one in found),
        gains("gain", "rank-1"),
        gains("gain", "mAP"),
        gains("gain_as_fitted", "mAP"),
    )


def _with_interval(row: Scores, name: str) -> str:
    value, ends = row["values"][name], row["intervals"][name]
    if value is None:
        return "–"
    return f"{value:.2f}" + ("" if ends is None else f" [{ends[0]:.2f}, {ends[1]:.2f}]")


def spread(values: Sequence[float | None]) -> str:
    """``mean ± standard deviation``; the number alone where all are equal, "–" where one is missing."""
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return "–"
    middle = statistics.fmean(known)
    if len(known) == 1 or max(known) - min(known) < 1e-9:
        return f"{middle:.2f}"
    return f"{middle:.2f} ± {statistics.stdev(known):.2f}"


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
