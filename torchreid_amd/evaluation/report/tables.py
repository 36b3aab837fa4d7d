"""The whole evaluation as tables for the terminal: a question each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torchreid_amd.evaluation.baselines.titles import ORDERS, TITLES
from torchreid_amd.evaluation.pairs.record import DecompositionScores
from torchreid_amd.evaluation.report.cells import cell, cells, grid
from torchreid_amd.evaluation.report.retrieval_tables import recognised, reranked, reweighted

_ADDS_UP = {"rank-1": "rank-1", "mAP": "mAP", "mINP": "mINP", "rank_correlation": "rank corr."}
_NAMED = {
    "X-mAP_e": "X-mAP_e",
    "X-mAP_c": "X-mAP_c",
    "exclusive_hit_rate": "excl. hits",
    "common_hit_rate": "comm. hits",
}
_PLACED = {"pointing": "pointing", "relevance_mass": "mass inside", "rank_accuracy": "rank accuracy"}
_EFFECTS = {"spearman": "Spearman", "largest": "largest %", "signs": "signs %", "slope": "slope", "r2": "R²"}
_SANE = ("score", "chance", "")
_COLUMNS = {name: name for name in ("rank-1", "mAP", "mINP", "ADRE", "X-mAP_e", "X-mAP_c")}
_COLUMNS |= {"exclusive_hit_rate": _NAMED["exclusive_hit_rate"]}
_ROWS = ("target", "interpreter", "prior", "random")


def report_table(record: Mapping[str, Any]) -> str:
    """The tables of one data set.

    Args:
        record: what ``scores.json`` holds for it.

    Returns:
        Lines without a newline at the end; numbers with their 95 % interval in brackets, "–" where a
        score does not apply.
    """
    parts = [_adds_up(record), _named(record)]
    parts += [
        draw(record[part])
        for part, draw in (
            ("place", _placed),
            ("account", _accounts),
            ("effect", _effects),
            ("removal", _removal),
            ("sanity", _sane),
            ("reweight", reweighted),
            ("rerank", reranked),
            ("attributes", recognised),
        )
        if record.get(part)
    ]
    if not record.get("place") and record.get("no_truth"):
        parts.append(str(record["no_truth"]))
    return "\n\n".join(parts)


def _adds_up(record: Mapping[str, Any]) -> str:
    intervals = record.get("intervals", {})
    rows = [
        (title, cells(_ADDS_UP, record[row], intervals.get(row, {})))
        for row, title in (("target", "target"), ("interpreter", "decomposed"))
    ]
    lines = [grid("1. Does it add up? (%)", list(_ADDS_UP.values()), rows)]
    own, ends = record["interpreter"], intervals.get("interpreter", {})
    names = [record["metric"], *(n[6:-1] for n in own if n.startswith("ADRE ("))]
    for name in names:
        end = "" if name == record["metric"] else f" ({name})"
        mean, high = cell(own.get(f"ADRE{end}"), ends.get(f"ADRE{end}"), 2), own.get(f"ADRE p95{end}")
        most = own.get(f"ADRE max{end}")
        lines.append(f"ADRE {name}: {mean}, 95th percentile {cell(high, None, 2)}, max {cell(most, None, 2)}")
    if record["form"] == "additive" and "explained" in own:
        part = cell(own["explained"], ends.get("explained"))
        lines.append(f"Attributes make up {part} % of the distance, the rest is a remainder")
    return "\n".join(lines)


def _named(record: Mapping[str, Any]) -> str:
    names = record["per_attribute"]
    labelled = record.get("labelled", names)
    if not labelled:
        return "2. Does it name the right attributes? Not scored: no attribute labels are known here."
    intervals = record.get("intervals", {})
    rows = {"interpreter": record["interpreter"], **record.get("baselines", {})}
    rows |= {"prior": record["prior"], "random": record["random"]}
    shown = [(TITLES.get(n, n), cells(_NAMED, v, intervals.get(n, {}))) for n, v in rows.items()]
    some = "" if len(labelled) == len(names) else f", {len(labelled)} of {len(names)} attributes"
    annotated = f"{record['pairs']['annotated']:,} annotated pairs{some}"
    title = f"2. Does it name the right attributes? (%; {annotated})"
    return grid(title, list(_NAMED.values()), shown)


def _placed(place: Mapping[str, Any]) -> str:
    rows = _place_rows("", place["rows"])
    for title, group in place["groups"].items():
        rows += _place_rows(f"{title}: ", group["rows"])
    title = f"3. Does it look at the right place? (%; {place['images']} photographs, mean over attributes)"
    first = (
        f"Maps densest in their own attribute's region: {cell(place['own_region_first'])} % of attributes "
        f"(chance {cell(place['own_region_first_chance'])})"
    )
    return grid(title, list(_PLACED.values()), rows) + f"\n{first}"


def _place_rows(prefix: str, found: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    rows = [
        (prefix + TITLES.get(name, name), cells(_PLACED, row["values"], row["intervals"]))
        for name, row in found.items()
    ]
    chance = found["interpreter"]["values"]["area"]
    return [*rows, (f"{prefix}chance (area)", [cell(chance)] * len(_PLACED))]


def _accounts(account: Mapping[str, Any]) -> str:
    parts = account["parts"]
    entries = parts["entries"]
    rows = []
    for name, row in parts["rows"].items():
        values, ends = row["values"], row["intervals"]
        cells = [cell(values["tv"], ends["tv"], 2), cell(values["spearman"], ends["spearman"], 2)]
        cells += [cell(values["largest"], ends["largest"], 0)]
        rows.append(
            (TITLES.get(name, name), cells + [cell(values["correlation"][e], None, 2) for e in entries])
        )
    sample = f"{account['pairs']} pairs, rendered step by step"
    title = f"4. Does it say what would happen? The whole distance ({sample})"
    lines = [grid(title, ["TV (0 is right)", "Spearman", "largest %", *(f"r {e}" for e in entries)], rows)]
    means = {"true": parts["true_mean"], "account": parts["rows"]["account"]["values"]["mean"]}
    for name, mean in means.items():
        lines.append(f"Mean {name} account, %: " + ", ".join(f"{e} {100 * mean[e]:.0f}" for e in entries))
    for name, row in account["fine"].items():
        values, ends = row["values"], row["intervals"]
        seven = account["seven"]["rows"][name]
        lines.append(
            f"{TITLES.get(name, name)}: TV in seven entries "
            f"{cell(seven['values']['tv'], seven['intervals']['tv'], 2)}, by attribute "
            f"{cell(values['tv'], ends['tv'], 2)}; attributes make up {cell(values['attributes'])} % "
            f"(true: {cell(values['attributes_true'])} %)"
        )
    return "\n".join(lines)


def _effects(effect: Mapping[str, Any]) -> str:
    rows = []
    for name, row in effect["rows"].items():
        values, ends = row["values"], row["intervals"]
        digits = {"spearman": 2, "r2": 2, "slope": 2}
        cells = [
            "–" if c == "slope" and name != "interpreter" else cell(values[c], ends[c], digits.get(c, 0))
            for c in _EFFECTS
        ]
        rows.append((TITLES.get(name, name), cells))
    values = next(iter(effect["rows"].values()))["values"]
    chances = (cell(values[f"{name}_chance"], None, 0) for name in ("largest", "signs"))
    rows.append(("chance", ["0.00", *chances, "–", "0.00"]))
    sample = f"{effect['pairs']} pairs, {effect['changes']} re-rendered changes"
    title = f"4. Does it say what would happen? One change alone ({sample})"
    return grid(title, list(_EFFECTS.values()), rows)


def _removal(removal: Mapping[str, Any]) -> str:
    orders = list(next(iter(removal["removing"].values())))
    rows = []
    for direction in ("removing", "inserting"):
        for imputation, found in removal[direction].items():
            cells = [cell(found[order]["area"], found[order]["interval"], 2) for order in orders]
            rows.append((f"{direction}, {imputation}", cells))
    title = f"5. Removing (low is good) and inserting (high) pixels: area ({removal['pairs']} pairs)"
    return grid(title, [ORDERS.get(order, order) for order in orders], rows)


def _sane(sanity: Mapping[str, Any]) -> str:
    digits = {"X-mAP_e": 1, "pointing": 1, "spearman": 2}
    rows, shown, fallen, standing = [], {}, 0, []
    for score in digits:
        for name, row in sanity["rows"].items():
            found = row.get(score)
            if found is None or found["fell"] is None:
                continue
            if name == "trained":
                verdict = "no better than chance" if found["fell"] else "above chance"
            else:
                verdict = "fell to chance" if found["fell"] else "DID NOT FALL"
                fallen += found["fell"]
                standing += [] if found["fell"] else [f"{score} with {name}"]
            value = cell(found["value"], found["interval"], digits[score])
            shown[score] = sanity["chance"][score]
            rows.append((f"{score}, {name}", [value, cell(found["chance"], None, digits[score]), verdict]))
    lines = []
    if rows:
        lines = [grid("6. Sanity: without knowledge, do scores fall to chance?", _SANE, rows)]
        whole = fallen + len(standing)
        words = f"; not {', '.join(standing)}" if standing else ""
        lines.append(f"{fallen} of {whole} randomised scores fell to chance{words}")
        lines.append("Chance: " + ", ".join(f"{words} ({score})" for score, words in shown.items()))
    moved = sanity["stability"]["values"]
    lines.append(
        f"Stability: with noise of {sanity['stability']['noise']:g} grey levels {cell(moved['moved'])} % of "
        f"the whole changes attribute; rank correlation of the shares {cell(moved['spearman'], None, 2)}"
    )
    return "\n".join(lines)


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
    for row in _ROWS:
        values = getattr(scores, row)
        table.append([TITLES.get(row, row), *(_number(values.get(column)) for column in _COLUMNS)])
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
