"""Sums kept apart for each query identity, so that identities can be drawn again and processes merged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

NOBODY = -1  #: the identity of what was added without one


class IdentitySums:
    """Rows of sums, one for each identity, in float64.

    Args:
        shape: of a row; ``()`` for a single number.
    """

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        self.identities = torch.empty(0, dtype=torch.long)
        self.rows = torch.zeros(0, *shape, dtype=torch.float64)

    def __len__(self) -> int:
        return len(self.identities)

    def add(self, values: Tensor, identity: Tensor | None = None) -> None:
        """Add values (P, *shape), each to the row of its identity (P,); to nobody's where it is None."""
        if not len(values):
            return
        if identity is None:
            self._insert(torch.tensor([NOBODY]), values.double().sum(0, keepdim=True).cpu())
            return
        identities, index = torch.unique(identity, return_inverse=True)
        rows = torch.zeros(len(identities), *values.shape[1:], dtype=torch.float64, device=values.device)
        self._insert(identities.cpu().long(), rows.index_add_(0, index, values.double()).cpu())

    def merge(self, other: IdentitySums) -> IdentitySums:
        """Add the rows of another process or block; gives itself."""
        self._insert(other.identities, other.rows)
        return self

    def _insert(self, identities: Tensor, rows: Tensor) -> None:
        place = torch.searchsorted(self.identities, identities)
        found = place < len(self)
        found[found.clone()] = self.identities[place[found]] == identities[found]
        if bool(found.all()):
            self.rows.index_add_(0, place, rows)
            return
        known, index = torch.unique(torch.cat([self.identities, identities]), return_inverse=True)
        everything = torch.cat([self.rows, rows])
        total = torch.zeros(len(known), *everything.shape[1:], dtype=torch.float64)
        self.identities, self.rows = known, total.index_add_(0, index, everything)

    @property
    def total(self) -> Tensor:
        """The sum over all identities, of the shape of a row."""
        return self.rows.sum(0)

    def to_dict(self) -> dict[str, Any]:
        """The state, JSON-ready; :meth:`from_dict` reads it back."""
        return {
            "identities": self.identities.tolist(),
            "shape": list(self.rows.shape[1:]),
            "rows": self.rows.tolist(),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> IdentitySums:
        """Read what :meth:`to_dict` wrote."""
        sums = cls(tuple(state["shape"]))
        sums.identities = torch.tensor(state["identities"], dtype=torch.long)
        shape = (len(sums.identities), *state["shape"])
        sums.rows = torch.tensor(state["rows"], dtype=torch.float64).reshape(shape)
        return sums
