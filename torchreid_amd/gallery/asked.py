"""People found by what they wear: a gallery ordered by the probability of all that was asked for."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.language import local_number, say

Wanted = tuple[tuple[int, bool], ...]  #: positions of attributes, and whether they are to be there
_SURE = 1e-6  #: no probability is nearer to 0 or 1


def wanted_by(words: Sequence[str], schema: AttributeSchema, known: Sequence[bool] | None = None) -> Wanted:
    """What is asked for: names of attributes, with a minus for those that nobody is to have.

    Args:
        words: e.g. ``["upred", "backpack", "-hat"]``.
        schema: the M attributes.
        known: which of them could be learnt; all, if not given.

    Raises:
        InputError: no word, an unknown attribute, one that could not be learnt, or is asked for both ways.
    """
    found: dict[int, bool] = {}
    for word in words:
        name, yes = word.removeprefix("-"), not word.startswith("-")
        if name not in schema.attributes:
            near = difflib.get_close_matches(name, schema.attributes, 1)
            guess = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"unknown attribute {name!r}{guess}; known: {', '.join(schema.attributes)}")
        if known is not None and not known[schema.index(name)]:
            raise InputError(
                f"{name!r} could not be learnt: nobody of the labelled people has it, or all; leave it out"
            )
        if found.setdefault(schema.index(name), yes) != yes:
            raise InputError(f"{name!r} is asked for and asked to be missing; give one of the two")
    if not found:
        raise InputError(f"no attribute was asked for; give some of {', '.join(schema.attributes)}")
    return tuple(found.items())


def log_probability(probabilities: Tensor, wanted: Wanted) -> Tensor:
    """(N, M) -> (N,) log of the probability of all that is wanted, as if attributes were independent."""
    p = probabilities.double().clamp(_SURE, 1 - _SURE)
    return torch.stack([p[:, k].log() if yes else (1 - p[:, k]).log() for k, yes in wanted]).sum(0)


@dataclass(frozen=True, eq=False)
class Found:
    """A gallery of N photographs, the likeliest first.

    Attributes:
        wanted: what was asked for.
        names: (N,) of the photographs, in the order given.
        probabilities: (N, M) of every attribute.
        scores: (N,) probability of all that was asked for.
        order: (N,) positions, likeliest first.
        schema: the M attributes.
    """

    wanted: Wanted
    names: tuple[str, ...]
    probabilities: NDArray[np.float32]
    scores: NDArray[np.float64]
    order: tuple[int, ...]
    schema: AttributeSchema

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[tuple[str, float]]:
        """Names and probabilities, likeliest first."""
        return ((self.names[i], float(self.scores[i])) for i in self.order)

    @property
    def question(self) -> str:
        """What was asked for, in words."""
        names = self.schema.attributes
        return say("list.between").join(self.schema.say(names[k], yes) for k, yes in self.wanted)

    def each(self, row: int) -> list[tuple[str, float]]:
        """Of the photograph at a position: what was asked for, in words, and how probable each is."""
        p, names = self.probabilities[row], self.schema.attributes
        return [(self.schema.say(names[k], yes), float(p[k] if yes else 1 - p[k])) for k, yes in self.wanted]

    def summary(self, topk: int = 10) -> str:
        """One line a photograph: place, probability of the whole, file, and of each thing asked for."""
        shown = self.order[:topk]
        lines = [say("search.summary", question=self.question, shown=len(shown), gallery=len(self))]
        for place, i in enumerate(shown, 1):
            parts = say("list.between").join(f"{words} {100 * p:.0f} %" for words, p in self.each(i))
            whole = local_number(f"{100 * self.scores[i]:>5.1f}")
            lines.append(f"{place:>3}. {whole} %  {Path(self.names[i]).name}  {parts}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary, photographs likeliest first."""
        names = self.schema.attributes
        return {
            "wanted": {names[k]: yes for k, yes in self.wanted},
            "gallery": [
                {
                    "name": self.names[i],
                    "probability": float(self.scores[i]),
                    "attributes": dict(zip(names, map(float, self.probabilities[i]), strict=True)),
                }
                for i in self.order
            ],
        }


def search(
    probabilities: Tensor, names: Sequence[str], words: Sequence[str], schema: AttributeSchema
) -> Found:
    """Order photographs by the probability of all that is asked for.

    Args:
        probabilities: (N, M) calibrated, e.g. of ``Explainer.attributes``.
        names: of the N photographs.
        words: names of attributes; ``-hat`` is somebody without.
        schema: the M attributes.

    Raises:
        InputError: as :func:`wanted_by`, or numbers of photographs or attributes that do not fit.
    """
    if tuple(probabilities.shape) != (len(names), len(schema)):
        raise InputError(
            f"probabilities have shape {tuple(probabilities.shape)}; expected {(len(names), len(schema))}"
        )
    wanted = wanted_by(words, schema)
    scores = log_probability(probabilities, wanted).exp().numpy()
    order = tuple(int(i) for i in np.argsort(-scores, kind="stable"))
    return Found(wanted, tuple(names), probabilities.numpy(), scores, order, schema)
