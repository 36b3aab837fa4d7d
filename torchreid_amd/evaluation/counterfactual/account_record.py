"""Accounts against the true ones, JSON-ready: in parts, in seven entries, and attribute by attribute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from torchreid_amd.attributes.parts import CARRIED, HEAD, LOWER, PARTS, REST, UPPER
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.evaluation.counterfactual.account_pairs import PairAccount, Shares
from torchreid_amd.evaluation.counterfactual.account_scores import AccountScores
from torchreid_amd.evaluation.counterfactual.true_account import Entry
from torchreid_amd.evaluation.statistics import Mean

SEVEN = tuple(f"{part}, {what}" for part in (UPPER, LOWER) for what in ("colour", "rest"))
SEVEN += (HEAD, CARRIED, REST)


def account_record(pairs: Sequence[PairAccount], schema: AttributeSchema) -> dict[str, Any]:
    """Scores of every way to account.

    Args:
        pairs: with at least one.
        schema: the attributes; colours are its groups.
    """

    def seven(entry: Entry) -> str:
        part, what = entry
        return f"{part}, {'colour' if what in schema.groups else 'rest'}" if part in (UPPER, LOWER) else part

    ways = list(pairs[0].given)
    named = [way for way in ways if any(what for pair in pairs for _, what in pair.given[way])]
    return {
        "pairs": len(pairs),
        "parts": _scored(pairs, ways, PARTS, lambda entry: entry[0]),
        "seven": _scored(pairs, named, SEVEN, seven),
        "fine": {way: _fine(pairs, way) for way in named},
    }


def _scored(
    pairs: Sequence[PairAccount], ways: Sequence[str], entries: Sequence[str], name: Callable[[Entry], str]
) -> dict[str, Any]:
    """Scores of the ways, of the other pairs' mean true account, and of equal shares."""

    def vector(shares: Shares) -> np.ndarray:
        found = np.zeros(len(entries))
        for entry, share in shares.items():
            found[entries.index(name(entry))] += share
        return found

    true = np.stack([vector(pair.true) for pair in pairs])
    others = (true.sum(0) - true) / max(1, len(pairs) - 1)
    given = {way: np.stack([vector(pair.given[way]) for pair in pairs]) for way in ways}
    given |= {"mean true account": others, "every entry the same": np.full_like(true, 1 / len(entries))}
    rows = {}
    for way, shares in given.items():
        scores = AccountScores(entries)
        for pair, mine, right in zip(pairs, shares, true, strict=True):
            scores.update(mine, right, pair.identity)
        rows[way] = {"values": scores.values(), "intervals": scores.intervals()}
        if way == "mean true account":  # it leaves each pair out and so runs against it
            rows[way]["values"]["correlation"] = dict.fromkeys(entries)
            rows[way]["intervals"]["correlation"] = dict.fromkeys(entries)
    means = dict(zip(entries, true.mean(0).tolist(), strict=True))
    return {"entries": list(entries), "true_mean": means, "rows": rows}


def _fine(pairs: Sequence[PairAccount], way: str) -> dict[str, Any]:
    """Total variation over all entries, and how much attributes make up, in percent of the distance."""
    mean = Mean(3)
    for pair in pairs:
        given = pair.given[way]
        apart = sum(abs(given.get(e, 0.0) - pair.true.get(e, 0.0)) for e in given.keys() | pair.true.keys())
        made_up = [
            100 * sum(share for (_, what), share in side.items() if what) for side in (given, pair.true)
        ]
        mean.update(torch.tensor([[apart / 2, *made_up]]), identity=torch.tensor([pair.identity]))
    names = ("tv", "attributes", "attributes_true")
    values, intervals = (dict(zip(names, found, strict=True)) for found in (mean.values, mean.intervals))
    return {"values": values, "intervals": intervals}
