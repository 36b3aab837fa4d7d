"""Explaining pairs of photographs in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from PIL import Image

from torchreid_amd.account.account import Account
from torchreid_amd.account.accountant import Accountant
from torchreid_amd.account.swapping import Regions
from torchreid_amd.attributes.schema import AttributeSchema, Labels
from torchreid_amd.core.images import image_name
from torchreid_amd.explanation.explanation import Explanation
from torchreid_amd.explanation.photographs import LabelsByPath, labels_of, pair_labels, pair_of, read_once
from torchreid_amd.interpreter.contributions import shares_of
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.decomposition import Comparison


@dataclass(frozen=True)
class Batches:
    """Explains pairs of photographs in batches.

    Attributes:
        decomposer: an interpreter with its input.
        accountant: gives accounts of the whole distance; none, if not given.
        labels: where to look up the labels of photographs given as paths.
        made_by: what explanations say of where they come from.
    """

    decomposer: Decomposer
    accountant: Accountant | None
    labels: LabelsByPath | None
    made_by: dict[str, str]

    @property
    def schema(self) -> AttributeSchema:
        """The interpreter's attributes."""
        return self.decomposer.interpreter.attributes

    def explain(
        self,
        pairs: Iterator[tuple[Any, ...]],
        batch_size: int,
        names: Sequence[tuple[str, str]] | None = None,
    ) -> Iterator[Explanation]:
        """Explain pairs in the order given.

        Args:
            pairs: ``(a, b)`` or ``(a, b, labels_a, labels_b)``; read as they are needed.
            batch_size: pairs a batch, and images a forward pass.
            names: of the photographs of each pair; their own, if not given.
        """
        done = 0
        while batch := [pair_of(pair) for pair in islice(pairs, batch_size)]:
            called = [
                names[done + n] if names else (image_name(a) or "A", image_name(b) or "B")
                for n, (a, b, _, _) in enumerate(batch)
            ]
            yield from self._batch(batch, called, batch_size)
            done += len(batch)

    def _batch(
        self, batch: list[tuple[Any, Any, Any, Any]], names: Sequence[tuple[str, str]], batch_size: int
    ) -> Iterator[Explanation]:
        sources = [s for a, b, _, _ in batch for s in (a, b)]
        images, called, rows = read_once(sources, [name for pair in names for name in pair])
        differ = [float(a != b) for a, b in zip(rows[0::2], rows[1::2], strict=True)]
        labels = [
            pair_labels(
                labels_of(a, la, self.labels, self.schema),
                labels_of(b, lb, self.labels, self.schema),
                len(self.schema),
            )
            for a, b, la, lb in batch
        ]
        whole = self.decomposer.decompose(self.decomposer.read(images), called, batch_size)
        pairs = self.decomposer.compare(whole[rows[0::2]], whole[rows[1::2]])
        shares = shares_of(pairs.contributions * pairs.contributions.new_tensor(differ)[:, None])
        additive = self.decomposer.interpreter.form == "additive"
        maps = whole.maps.float().cpu().numpy()
        accounts = self._accounts(images, rows, pairs, labels)
        for n, account in enumerate(accounts):
            yield Explanation(
                distance=differ[n] * float(pairs.distance[n]),
                metric=pairs.metric,
                contributions=differ[n] * pairs.contributions[n].double().numpy(),
                shares=shares[n].double().numpy(),
                residual=differ[n] * float(pairs.residual[n]),
                remainder=differ[n] * float(pairs.remainder[n]) if additive else None,
                schema=self.schema,
                attention=(maps[rows[2 * n]].copy(), maps[rows[2 * n + 1]].copy()),
                images=(images[rows[2 * n]], images[rows[2 * n + 1]]),
                names=names[n],
                labels=labels[n],
                offset=self.decomposer.interpreter.offset,
                account=account,
                made_by=self.made_by,
            )

    def _accounts(
        self,
        images: Sequence[Image.Image],
        rows: Sequence[int],
        pairs: Comparison,
        labels: Sequence[tuple[Labels, Labels] | None],
    ) -> Iterator[Account | None]:
        """Of each pair, whose photographs are images number rows[2n] and rows[2n + 1]."""
        if self.accountant is None:
            yield from [None] * len(labels)
            return
        known: list[Labels | None] = [None] * len(images)
        for side, row in enumerate(rows):
            pair = labels[side // 2]
            known[row] = known[row] if pair is None else pair[side % 2]
        regions: dict[int, Regions] = {}  # found when they are needed, each once
        for n, (a, b) in enumerate(zip(rows[0::2], rows[1::2], strict=True)):
            for row in {a, b} - regions.keys():
                regions[row] = self.accountant.regions(images[row], known[row])
            yield self.accountant.account(
                (images[a], images[b]),
                (regions[a], regions[b]),
                float(a != b) * float(pairs.distance[n]),
                pairs.contributions[n].double().numpy(),
                labels[n],
            )
