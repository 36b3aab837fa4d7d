"""The true account of a distance: give A, step by step, all that B has, and render again.

The worth of some steps is by how much the distance drops, from A to B and from B to A, of which the mean
is taken; the Shapley values of the steps add up to the distance. They depend on the target alone, so
they are kept beside the data set.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from torchreid_amd.account.shapley import (
    Estimate,
    antithetic_orders,
    coalitions_of,
    exact_values,
    sampled_values,
)
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.files import write_json
from torchreid_amd.core.processes import is_first, together
from torchreid_amd.datasets.synthetic.step_by_step import Factor, StepByStep
from torchreid_amd.interpreter.distances import Distance

EXACT = 6  #: factors up to which all coalitions are rendered
ERROR = 0.02  #: standard error of a share at which no more orders are drawn
PAIRS = (3, 24)  #: at least, at most so many antithetic pairs of orders
KEPT_EVERY = 10  #: new accounts, so that an evaluation that is cut off loses no more
VERSION = 1  #: rises when the same photographs would give another account

Entry = tuple[str, str]  # part, and attribute or group; "" for the rest of the part
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class TrueAccount:
    """What a distance is really made of.

    Attributes:
        distance: of A and B.
        factors: n of them.
        shares: (n,) of the distance; they add up to 1.
        errors: (n,) standard errors of the shares; 0 where all coalitions were rendered.
    """

    distance: float
    factors: tuple[Factor, ...]
    shares: tuple[float, ...]
    errors: tuple[float, ...]

    def by_entry(self) -> dict[Entry, float]:
        """Shares by part and attribute; body and scene together are the rest of the picture."""
        found: dict[Entry, float] = {}
        for factor, share in zip(self.factors, self.shares, strict=True):
            entry = factor.part, factor.what
            found[entry] = found.get(entry, 0.0) + share
        return found


def true_account(
    embed: Callable[[Pixels], Tensor], distance: Distance, steps: StepByStep, seed: int = 0
) -> TrueAccount:
    """Render, measure, and average over orders.

    Args:
        embed: (N, H, W, 3) RGB at the rendered size -> (N, D).
        distance: which.
        steps: from A to B.
        seed: of the orders.
    """
    players = len(steps.factors)
    everybody = (1 << players) - 1
    known: dict[int, Tensor] = {}

    def worths(coalitions: set[int]) -> dict[int, float]:
        asked = sorted((coalitions | {0, everybody}) - known.keys())
        if asked:
            known.update(zip(asked, embed(np.stack([steps.picture(c) for c in asked])), strict=True))
        a, b = known[0], known[everybody]
        whole = distance.between(a, b)
        left = {c: distance.between(known[c], b) for c in coalitions}
        come = {c: distance.between(known[c], a) for c in coalitions}
        return {c: float(whole - left[c] + come[c]) / 2 for c in coalitions}

    whole = worths({everybody})[everybody]
    found = _values(players, worths, whole, seed)
    shares, errors = ((v / whole if whole else 0 * v).tolist() for v in (found.values, found.errors))
    return TrueAccount(whole, steps.factors, tuple(shares), tuple(errors))


def _values(
    players: int, worths: Callable[[set[int]], dict[int, float]], whole: float, seed: int
) -> Estimate:
    if players <= EXACT:
        found = worths(set(range(1 << players)))
        return Estimate(exact_values(np.array([found[c] for c in sorted(found)])), np.zeros(players))
    orders = antithetic_orders(players, PAIRS[1], seed)
    for pairs in range(PAIRS[0], PAIRS[1] + 1):
        drawn = orders[: 2 * pairs]
        estimate = sampled_values(worths({c for order in drawn for c in coalitions_of(order)}), drawn)
        if estimate.errors.max() <= ERROR * whole:
            break
    return estimate


class TrueAccounts:
    """True accounts of one target, kept in a file beside the data set.

    Args:
        folder: of the rendered data set; a folder that cannot be written to keeps nothing.
        target: fingerprint of the target's weights.
        distance: which.
        embed: (N, H, W, 3) RGB at the rendered size -> (N, D).
        seed: of the orders.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        target: str,
        distance: Distance,
        embed: Callable[[Pixels], Tensor],
        seed: int = 0,
    ) -> None:
        self.embed, self.distance, self.seed = embed, distance, seed
        self.path = Path(folder) / f"true_accounts_{target[:16]}_{distance.name}_{seed}.json"
        self._known, self._new = _read(self.path), 0

    def of(self, a: str, b: str) -> TrueAccount:
        """The true account of two images of the data set."""
        name = f"{Path(a).name} {Path(b).name}"
        if name not in self._known:
            self._known[name] = asdict(true_account(self.embed, self.distance, StepByStep(a, b), self.seed))
            self._new += 1
            if self._new % KEPT_EVERY == 0:
                self.keep()
        return _account(self._known[name])

    def keep(self) -> None:
        """Write down what was found, by all processes."""
        for part in together(self._known):
            self._known |= part
        if not is_first():
            return
        try:
            write_json({"version": VERSION, "accounts": self._known}, self.path)
        except InputError:
            return  # a data set that may only be read: render again next time


def _account(found: Mapping[str, Any]) -> TrueAccount:
    factors = tuple(Factor(**factor) for factor in found["factors"])
    return TrueAccount(found["distance"], factors, tuple(found["shares"]), tuple(found["errors"]))


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return dict(record["accounts"]) if record["version"] == VERSION else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
