"""Labels of many identities, or of many images, in the order of one attribute schema."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np

from torchreid_amd.attributes.schema import UNKNOWN, AttributeSchema
from torchreid_amd.core.errors import InputError

By = Literal["pid", "image"]


class AttributeTable:
    """Who has which attribute.

    Rows belong to identities (``by='pid'``, integer keys) or to images (``by='image'``: file
    names, or paths where names repeat). A row speaks for an image when its key is the tail of
    the image's path, in whole folders: ``0002.jpg`` for every ``…/0002.jpg``, ``a/0002.jpg``
    only inside a folder ``a``. Where several rows do, the longest key is taken.

    Args:
        schema: the M attributes and their order.
        keys: N identities or image names, all different.
        labels: (N, M) of 1 yes, 0 no, −1 unknown.
        by: what the keys are.
        source: where the labels come from, named in error messages.

    Raises:
        InputError: no rows, a key given twice or of the wrong type, another shape or another value.

    Example:
        >>> import torchreid_amd as amd
        >>> schema = amd.AttributeSchema("mine", ("hat", "bag"))
        >>> table = amd.AttributeTable(schema, [7, 12], [[1, 0], [0, -1]])  # identity 12: bag unknown
        >>> table.labels([12, 7, 99]).tolist()
        [[0, -1], [1, 0], [-1, -1]]
    """

    def __init__(
        self,
        schema: AttributeSchema,
        keys: Sequence[Any],
        labels: Any,
        by: By = "pid",
        source: str = "attribute table",
    ) -> None:
        if by not in ("pid", "image"):
            raise InputError(f"{source}: rows are by {by!r}; expected 'pid' or 'image'")
        self.schema = schema
        self.by: By = by
        self.source = source
        self.keys: tuple[int | str, ...] = tuple(self._key(key) for key in keys)
        if not self.keys:
            raise InputError(f"{source}: no rows; give at least one {by} with its attributes")
        self._row = {key: row for row, key in enumerate(self.keys)}
        if len(self._row) < len(self.keys):
            twice = next(key for row, key in enumerate(self.keys) if self._row[key] != row)
            raise InputError(f"{source}: {by} {twice!r} has two rows; keep one")
        self._padded = np.full((len(self.keys) + 1, len(schema)), UNKNOWN, np.int8)  # the last row: unknown
        self._padded[:-1] = self._checked(labels)
        self._padded.flags.writeable = False

    def _key(self, key: Any) -> int | str:
        if self.by == "image" and isinstance(key, str) and key.strip():
            return posixpath.normpath(key.strip().replace("\\", "/"))
        if self.by == "pid" and isinstance(key, int | np.integer) and not isinstance(key, bool):
            return int(key)
        wanted = "an integer" if self.by == "pid" else "a file name"
        raise InputError(f"{self.source}: {self.by} {key!r} is not {wanted}")

    def _checked(self, labels: Any) -> np.ndarray:
        values = np.asarray(labels)
        if values.shape != (len(self.keys), len(self.schema)):
            raise InputError(
                f"{self.source}: labels of shape {values.shape} for {len(self.keys)} rows and "
                f"{len(self.schema)} attributes; expected ({len(self.keys)}, {len(self.schema)})"
            )
        bad = ~np.isin(values, (0, 1, UNKNOWN))
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise InputError(
                f"{self.source}: {self.by} {self.keys[row]!r} has {self.schema.attributes[column]} = "
                f"{values[row, column]}; expected 1 (yes), 0 (no) or -1 (unknown)"
            )
        return values.astype(np.int8)

    @property
    def matrix(self) -> np.ndarray:
        """All labels, (N, M) int8, row ``n`` belonging to ``keys[n]``; read only."""
        return self._padded[:-1]

    def __len__(self) -> int:
        return len(self.keys)

    def __repr__(self) -> str:
        return f"AttributeTable({self.schema.name!r}, {len(self)} rows by {self.by}, from {self.source!r})"

    def find(self, key: int | str | None) -> int:
        """Row of an identity, or of an image by its path; −1 where no row speaks for it."""
        if key is None:
            return -1
        if self.by == "pid" or key in self._row:
            return self._row.get(key, -1)
        tail = posixpath.normpath(str(key).replace("\\", "/"))
        while tail not in self._row and "/" in tail:
            tail = tail.split("/", 1)[1]
        return self._row.get(tail, -1)

    def known(self, key: int | str | None) -> bool:
        """Whether a row speaks for this identity or image."""
        return self.find(key) >= 0

    def labels(self, keys: Iterable[int | str | None]) -> np.ndarray:
        """Labels of identities or images, in the order asked for.

        Args:
            keys: N integers, or N image paths; None and keys without a row are allowed.

        Returns:
            (N, M) int8 of 1 yes, 0 no, −1 unknown; without a row all −1.
        """
        return self._padded[[self.find(key) for key in keys]].reshape(-1, len(self.schema))

    def rates(self, over: Literal["known", "all"] = "known") -> np.ndarray:
        """How common each attribute is: (M,) float64 in [0, 1].

        Args:
            over: ``'known'`` divides the number of "yes" by the number of known labels, 0 where
                none is known; ``'all'`` divides it by the number of rows, as published
                percentages do.
        """
        yes = (self.matrix == 1).sum(axis=0)
        known = (self.matrix != UNKNOWN).sum(axis=0) if over == "known" else len(self)
        return np.asarray(yes / np.maximum(known, 1), dtype=np.float64)

    def project(self, schema: AttributeSchema) -> AttributeTable:
        """The same rows in another schema, matched by attribute name; new names are unknown.

        Raises:
            InputError: the two schemas have no attribute in common.
        """
        if schema == self.schema:
            return self
        shared = [a for a in schema.attributes if a in self.schema.attributes]
        if not shared:
            raise InputError(
                f"{self.source}: no attribute of {self.schema.name!r} is in {schema.name!r}; "
                f"expected some of {', '.join(schema.attributes)}"
            )
        labels = np.full((len(self), len(schema)), UNKNOWN, np.int8)
        for attribute in shared:
            labels[:, schema.index(attribute)] = self.matrix[:, self.schema.index(attribute)]
        return AttributeTable(schema, self.keys, labels, self.by, self.source)

    def join(self, other: AttributeTable) -> AttributeTable:
        """The rows of both tables, in this one's schema; keys must differ."""
        if other.by != self.by:
            raise InputError(f"{self.source} is by {self.by} and {other.source} by {other.by}; cannot join")
        labels = np.concatenate([self.matrix, other.project(self.schema).matrix])
        return AttributeTable(self.schema, self.keys + other.keys, labels, self.by, self.source)
