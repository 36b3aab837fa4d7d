"""The scores of several runs side by side, as a Markdown table made of their ``scores.json``."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torchreid_amd.core.errors import InputError
from torchreid_amd.evaluation.baselines.titles import TITLES
from torchreid_amd.evaluation.report.cells import cell
from torchreid_amd.evaluation.report.markdown_retrieval import recognised, retrieved
from torchreid_amd.evaluation.report.markdown_rows import NONE, Record, Row, beside, found_of
from torchreid_amd.interpreter.run_record import read_run

_AVERAGE = "average map"  #: depends on the interpreter, so it stands in its column
_ACCOUNT, _LABELLED, _CONTRIBUTIONS = "account", "account, labels known", "contributions"  #: depend on it too
_EQUAL = "every entry the same"


def read_scores(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """What ``torchreid-amd evaluate`` wrote into a run folder: the scores by data set.

    Raises:
        InputError: there is no such file, or it is damaged.
    """
    path = Path(folder) / "scores.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["datasets"]
    except FileNotFoundError:
        raise InputError(f"no {str(path)!r}; run: torchreid-amd evaluate {folder}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{str(path)!r} is damaged ({error}); evaluate the run again") from None
    return found


def compare_runs(folders: Sequence[str | os.PathLike[str]]) -> str:
    """The tables of some runs: a data set each, a column for each run.

    Raises:
        InputError: a run was not evaluated, or two have no data set in common or different targets.
    """
    records = [read_scores(folder) for folder in folders]
    heads = [str(read_run(folder)["interpreter"]["head"]) for folder in folders]
    if len(set(heads)) < len(heads):
        heads = [f"{head}, {Path(f).resolve().name}" for head, f in zip(heads, folders, strict=True)]
    common = [name for name in records[0] if all(name in record for record in records)]
    if not common:
        raise InputError(f"{', '.join(map(str, folders))}: no data set that all of them were scored on")
    for name in common:
        if len({json.dumps(record[name]["target"], sort_keys=True) for record in records}) > 1:
            raise InputError(
                f"{', '.join(map(str, folders))}: their targets score differently on {name}; give runs of "
                "one target, evaluated on the same data"
            )
    return "\n\n".join(scores_markdown(name, heads, [r[name] for r in records]) for name in common)


def scores_markdown(title: str, names: Sequence[str], records: Sequence[Record]) -> str:
    """One table.

    Args:
        title: of the table, the data set.
        names: of the runs.
        records: what ``scores.json`` holds of each for this data set. Baselines and chance do not
            depend on the interpreter and are taken from the first.
    """
    parts = (_adds_up, _named, _placed, _accounts, _effects, _removal, _sane, retrieved, recognised)
    head = [title, *(f"`{name}`" for name in names), "without an interpreter", "chance"]
    lines = [head, ["--"] * len(head)]
    for part in parts:
        question, rows = part(records)
        if rows:
            lines.append([f"**{question}**"] + [""] * (len(head) - 1))
            lines += [[name, *cells] for name, cells in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _adds_up(records: Sequence[Record]) -> tuple[str, list[Row]]:
    first, rows = records[0], []
    for score, words in (("rank-1", "rank-1"), ("mAP", "mAP"), ("mINP", "mINP")):
        target = cell(first["target"][score], first["intervals"]["target"][score])
        rows.append((f"{words}, %", [*_own(records, score), f"target {target}", NONE]))
    for score, words in (
        ("rank_correlation", "rank correlation with the target's distance, %"),
        ("ADRE", "ADRE, % (low is good)"),
        ("ADRE p95", "ADRE, 95th percentile, %"),
    ):
        rows.append((words, [*_own(records, score, 2), NONE, NONE]))
    if any(record["form"] == "additive" for record in records):  # the others leave no remainder
        rows.append(("made up by attributes, %", [*_own(records, "explained"), NONE, NONE]))
    return "Does it add up?", rows


def _own(records: Sequence[Record], score: str, digits: int = 1) -> list[str]:
    return [
        cell(r["interpreter"].get(score), r["intervals"]["interpreter"].get(score), digits) for r in records
    ]


def _named(records: Sequence[Record]) -> tuple[str, list[Row]]:
    first, rows = records[0], []
    baselines = {**first["baselines"], "prior": first["prior"]}
    for score, words in (
        ("X-mAP_e", "X-mAP_e, %"),
        ("X-mAP_c", "X-mAP_c, %"),
        ("exclusive_hit_rate", "exclusive hits, %"),
        ("common_hit_rate", "common hits, %"),
    ):
        found = {n: (v[score], first["intervals"].get(n, {}).get(score)) for n, v in baselines.items()}
        rows.append((words, [*_own(records, score), beside(found), cell(first["random"][score])]))
    return "Does it name the right attributes?", rows


def _placed(records: Sequence[Record]) -> tuple[str, list[Row]]:
    if not all(record.get("place") for record in records):
        return "", []
    rows = []
    for title in (None, *records[0]["place"].get("groups", {})):
        each = [(r["place"] if title is None else r["place"]["groups"][title])["rows"] for r in records]
        chance = cell(each[0]["interpreter"]["values"]["area"])
        for score, words in (
            ("pointing", "pointing"),
            ("relevance_mass", "mass inside"),
            ("rank_accuracy", "rank accuracy"),
        ):
            of = "" if title is None else f"{title}, "
            rows.append(_row(f"{words}, {of}%", each, score, chance))
            if score == "pointing" and all(_AVERAGE in r for r in each):
                own = [cell(*found_of(r[_AVERAGE], score)) for r in each]
                rows.append((f"{words} of its average map, {of}%", [*own, NONE, NONE]))
    first = [cell(r["place"]["own_region_first"]) for r in records]
    chance = cell(records[0]["place"].get("own_region_first_chance"))
    rows.append(("maps densest in their own region, % of attributes", [*first, NONE, chance]))
    return "Does it look at the right place?", rows


def _accounts(records: Sequence[Record]) -> tuple[str, list[Row]]:
    if not all(record.get("account") for record in records):
        return "", []
    each = [record["account"] for record in records]
    parts, seven, fine = ([account[name] for account in each] for name in ("parts", "seven", "fine"))
    by_part, by_seven = [part["rows"] for part in parts], [part["rows"] for part in seven]
    rows = [
        _accounted("TV in five parts (0 is right)", by_part, "tv", 2),
        _accounted("Spearman in five parts, within a pair", by_part, "spearman", 2),
        _accounted("largest part right, %", by_part, "largest", 1),
        _accounted("TV in seven entries", by_seven, "tv", 2),
        ("TV by attribute", [*_way(fine, _ACCOUNT, "tv", 2), NONE, NONE]),
        ("TV in five parts, labels known", [*_way(by_part, _LABELLED, "tv", 2), NONE, NONE]),
        ("TV in five parts, contributions alone", [*_way(by_part, _CONTRIBUTIONS, "tv", 2), NONE, NONE]),
    ]
    named, true = _way(fine, _ACCOUNT, "attributes"), cell(*found_of(fine[0][_ACCOUNT], "attributes_true"))
    rows.append(("of it, made up by attributes, %", [*named, f"true {true}", NONE]))
    return "Does it say what would happen? The whole distance", rows


def _accounted(words: str, each: Sequence[Record], score: str, digits: int) -> Row:
    """One score of accounts, and the strongest of the others; equal shares are chance."""
    own = (_ACCOUNT, _LABELLED, _CONTRIBUTIONS, _EQUAL)
    others = {name: found_of(row, score) for name, row in each[0].items() if name not in own}
    chance = cell(each[0][_EQUAL]["values"][score], None, digits)
    return words, [*_way(each, _ACCOUNT, score, digits), beside(others, digits, low=score == "tv"), chance]


def _way(each: Sequence[Record], way: str, score: str, digits: int = 1) -> list[str]:
    return [cell(*found_of(rows[way], score), digits) if way in rows else NONE for rows in each]


def _effects(records: Sequence[Record]) -> tuple[str, list[Row]]:
    if not all(record.get("effect") for record in records):
        return "", []
    each = [record["effect"]["rows"] for record in records]
    values = each[0]["interpreter"]["values"]
    slopes = [cell(*found_of(rows["interpreter"], "slope"), 2) for rows in each]
    return "Does it say what would happen? One change alone", [
        _row("Spearman with the drop, within a pair", each, "spearman", "0.00", 2),
        _row("largest one right, %", each, "largest", cell(values["largest_chance"])),
        _row("sign right, %", each, "signs", cell(values.get("signs_chance"))),
        ("slope of drop on contribution (1 is right)", [*slopes, NONE, NONE]),
        _row("R² of that line", each, "r2", "0.00", 2),
    ]


def _row(words: str, each: Sequence[Record], score: str, chance: str, digits: int = 1) -> Row:
    """One score of rows with ``values`` and ``intervals``, and the strongest of the other rows."""
    own = [cell(*found_of(rows["interpreter"], score), digits) for rows in each]
    others = {n: found_of(row, score) for n, row in each[0].items() if n not in ("interpreter", _AVERAGE)}
    return words, [*own, beside(others, digits), chance]


def _removal(records: Sequence[Record]) -> tuple[str, list[Row]]:
    if not all(record.get("removal") for record in records):
        return "", []
    rows = []
    for direction, good in (("removing", "low"), ("inserting", "high")):
        for imputation in records[0]["removal"][direction]:
            found = [record["removal"][direction][imputation] for record in records]
            pick = [{n: (row["area"], row["interval"]) for n, row in f.items()} for f in found]
            own = [cell(*f["interpreter"], 2) for f in pick]
            beside = f"{TITLES['activation']} {cell(*pick[0]['activation'], 2)}"
            words = f"{direction}, {imputation} ({good} is good)"
            rows.append((words, [*own, beside, cell(*pick[0]["random"], 2)]))
    return "Does the distance hang on those pixels?", rows


def _sane(records: Sequence[Record]) -> tuple[str, list[Row]]:
    if not all(record.get("sanity") for record in records):
        return "", []
    fallen = [
        [
            row["fell"]
            for name, scores in record["sanity"]["rows"].items()
            for row in scores.values()
            if name != "trained" and row["fell"] is not None
        ]
        for record in records
    ]
    rows = [
        ("randomised scores that fell to chance", [*(f"{sum(f)} of {len(f)}" for f in fallen), NONE, NONE])
    ]
    stability = [record["sanity"]["stability"] for record in records]
    moved = [cell(s["values"]["moved"], s["intervals"]["moved"], 2) for s in stability]
    noise = f"share that moves under noise of {stability[0]['noise']:g} grey levels, %"
    return "Is it sane?", [*rows, (noise, [*moved, NONE, NONE])]
