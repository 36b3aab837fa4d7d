"""Explanations whose numbers are known, for tests of what is made of them."""

from __future__ import annotations

import dataclasses

import numpy as np
from toy_interpreter import noisy

from torchreid_amd.account.account import Account, Row
from torchreid_amd.account.phrase import Phrase
from torchreid_amd.attributes.parts import CARRIED, HEAD, LOWER, PARTS, REST, UPPER
from torchreid_amd.attributes.sets import market1501
from torchreid_amd.explanation.explanation import Explanation


def market_explanation(
    signed: bool = False, labels: bool = True, names: tuple[str, str] = ("A", "B")
) -> Explanation:
    """Market's 26 attributes; contributions 1 … 26 over their sum, the last five negative if signed."""
    schema = market1501()
    parts = np.arange(26, 0, -1.0)
    if signed:
        parts[-5:] *= -1
    shares = parts / parts.sum()
    rng = np.random.default_rng(0)
    maps = rng.uniform(0.5, 2, (2, 26, 8, 4)).astype(np.float32)
    known = (np.arange(26) % 2).astype(np.int8), np.array([1, 0, -1] * 8 + [1, 1], np.int8)
    return Explanation(
        10.0, "euclidean", 9.0 * shares, shares, 1.0, schema, (maps[0], maps[1]),
        (noisy(1, (64, 128)), noisy(2, (300, 200))), names, known if labels else None,
    )  # fmt: skip


def accounted_explanation(names: tuple[str, str] = ("A", "B")) -> Explanation:
    """The same, with an account of its distance of 10: 4 + 1.5, 2.2 + 0.3, 1, 0 and −1 + 2.

    Heads are in the upper fifth, upper bodies above the middle, lower bodies below it, and the
    rest is the left quarter.
    """
    regions = np.full((20, 8), PARTS.index(LOWER), np.int8)
    regions[:10] = PARTS.index(UPPER)
    regions[:4] = PARTS.index(HEAD)
    regions[:, :2] = PARTS.index(REST)
    schema, colours = market1501(), ((("upred", True),), (("upblue", True),))
    rows = (
        Row(UPPER, "upper-body colour", 4.0, 0.4, ("upred", "upblue"), Phrase(UPPER, colours, schema, True)),
        Row(UPPER, "", 1.5, 0.15, (), Phrase(UPPER, divided=True)),
        Row(LOWER, "down", 2.2, 0.22, ("down",), Phrase(LOWER, ((("down", True),),), schema)),
        Row(LOWER, "", 0.3, 0.03, (), Phrase(LOWER, divided=True)),
        Row(HEAD, "", 1.0, 0.1, (), Phrase(HEAD)),
        Row(CARRIED, "", 0.0, 0.0, (), Phrase(CARRIED)),
        Row(REST, "gender", -1.0, -0.1, ("gender",), Phrase(REST, ((("gender", True),),), schema)),
        Row(REST, "", 2.0, 0.2, (), Phrase(REST, divided=True)),
    )
    account = Account(10.0, "euclidean", rows, (regions, regions))
    return dataclasses.replace(market_explanation(names=names), account=account)
