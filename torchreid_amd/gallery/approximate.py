"""Searching with FAISS: an index beside a store, and how much of the exact answer it finds.

Johnson, Douze and Jégou, *Billion-scale similarity search with GPUs*, 2017,
https://arxiv.org/abs/1702.08734; product quantisation: Jégou, Douze and Schmid, TPAMI 2011.
"""

from __future__ import annotations

import json
import logging
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from torchreid_amd.core.errors import InputError, unknown_name
from torchreid_amd.core.files import atomic_path, write_json
from torchreid_amd.gallery.search import Nearest, nearest
from torchreid_amd.gallery.store import MEMORY, Store
from torchreid_amd.interpreter.distances import Distance

_log = logging.getLogger(__name__)
KINDS = ("flat", "ivfpq")
LEAST = 1000  #: photographs; fewer are searched exactly at once
ASKED, TOP = 100, 10  #: stored photographs that recall is measured with, and how many nearest of each
CANDIDATES = 20  #: times as many as asked for are fetched from the index, and measured exactly
PER_LIST = 64  #: photographs a list of the index is trained on
CODE = 8  #: numbers of an embedding that a byte of its code stands for


@dataclass(frozen=True)
class Index:
    """A FAISS index of a store.

    Attributes:
        store: what it is of.
        kind: one of :data:`KINDS`.
        recall: the share of the exact :data:`TOP` nearest that it finds, over :data:`ASKED` of the
            stored photographs.
    """

    store: Store
    kind: str
    recall: float
    _index: Any
    _unit: bool

    def search(self, queries: torch.Tensor, k: int, distance: Distance) -> Nearest:
        """The k nearest of each query (Q, D) among what the index finds, with exact distances."""
        asked = _at_unit(queries.detach().float().cpu().numpy(), self._unit)
        _, rows = self._index.search(asked, min(len(self.store), CANDIDATES * k))
        found = [self._measured(q, r[r >= 0], k, distance) for q, r in zip(queries, rows, strict=True)]
        least = min(len(one.rows[0]) for one in found)
        return Nearest(
            np.concatenate([one.distances[:, :least] for one in found]),
            np.concatenate([one.rows[:, :least] for one in found]),
        )

    def _measured(self, query: torch.Tensor, rows: NDArray[np.int64], k: int, distance: Distance) -> Nearest:
        rows = np.sort(rows)
        best = nearest(query[None], [(0, self.store.embedding[rows])], k, distance)
        return Nearest(best.distances, rows[best.rows])


def open_index(store: Store, kind: str, distance: Distance, seed: int = 0) -> Index:
    """The index beside a store; made where there is none, or one of other features.

    It lies in ``NAME.KIND.faiss``, and what is known of it in ``NAME.KIND.json``. One line says how
    much of the exact answer it finds.

    Args:
        store: what to search.
        kind: ``'flat'`` (every feature, as it is) or ``'ivfpq'`` (lists of features in a byte for
            every 8 numbers).
        distance: what is near; for cosine features are indexed at unit length.
        seed: of the photographs that recall is measured with.

    Raises:
        InputError: FAISS is not installed, an unknown kind, or a store too small for it.
    """
    if kind not in KINDS:
        raise unknown_name("search", kind, ("exact", *KINDS))
    if len(store) < LEAST:
        raise InputError(
            f"{str(store.path)!r} has {len(store)} photographs; an index is for {LEAST} and more, search "
            "it exactly"
        )
    try:
        import faiss
    except ImportError:
        raise InputError(
            f"--search {kind} needs FAISS; install it with: pip install 'torchreid_amd[faiss]'"
        ) from None
    unit = distance.name == "cosine"
    file = Path(f"{store.path}.{kind}{'.cosine' if unit else ''}.faiss")
    about = file.with_suffix(".json")
    digest = f"{zlib.crc32(store.array('checksum').tobytes()):08x} {len(store)}"
    known = _read_about(about)
    if known.get("digest") == digest and file.is_file():
        try:
            index = Index(store, kind, float(known["recall"]), faiss.read_index(str(file)), unit)
            if index._index.ntotal == len(store):
                _say(index)
                return index
        except (RuntimeError, KeyError, TypeError, ValueError):
            pass  # damaged: it is made again
    _log.info(f"{store.path}: making the {kind} index ...")
    made = _make(faiss, store, kind, unit, seed)
    index = Index(store, kind, math.nan, made, unit)
    index = Index(store, kind, _recall(index, distance, seed), made, unit)
    with atomic_path(file) as beside:
        faiss.write_index(made, str(beside))
    write_json({"digest": digest, "kind": kind, "recall": index.recall, "asked": ASKED, "top": TOP}, about)
    _say(index)
    return index


def _read_about(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _say(index: Index) -> None:
    _log.info(
        f"{index.store.path}: searched by {index.kind}, which finds {index.recall:.1%} of the exact {TOP} "
        f"nearest ({ASKED} stored photographs asked)"
    )


def _make(faiss: Any, store: Store, kind: str, unit: bool, seed: int) -> Any:
    count, size = store.embedding.shape
    if kind == "flat":
        index = faiss.IndexFlatL2(size)
    else:
        lists = max(1, min(int(math.sqrt(count)), count // 39))
        codes = max(n for n in range(1, max(2, size // CODE + 1)) if size % n == 0)
        bits = 8 if count >= 39 * 256 else 5
        index = faiss.IndexIVFPQ(faiss.IndexFlatL2(size), size, lists, codes, bits)
        index.cp.seed = index.pq.cp.seed = seed
        index.nprobe = max(8, lists // 16)
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.permutation(count)[: max(PER_LIST * lists, 2**bits * 39)])
        index.train(_at_unit(store.embedding[chosen], unit))
    for _, block in store.blocks(MEMORY):
        index.add(_at_unit(block, unit))
    return index


def _recall(index: Index, distance: Distance, seed: int) -> float:
    """The share of the exact nearest that an index finds; the photograph itself does not count."""
    rng = np.random.default_rng(seed)
    asked = np.sort(rng.permutation(len(index.store))[:ASKED])
    queries = torch.from_numpy(np.array(index.store.embedding[asked]))
    exact = nearest(queries, index.store.blocks(), TOP + 1, distance).rows
    found = index.search(queries, TOP + 1, distance).rows
    hits = [
        len((set(e.tolist()) - {row}) & set(f.tolist())) / max(1, len(set(e.tolist()) - {row}))
        for e, f, row in zip(exact, found, asked.tolist(), strict=True)
    ]
    return float(np.mean(hits))


def _at_unit(features: NDArray[Any], unit: bool) -> NDArray[np.float32]:
    """Features as an index takes them: float32, at unit length for the cosine distance."""
    plain = np.ascontiguousarray(features, dtype=np.float32)
    if not unit:
        return plain
    return plain / np.maximum(np.linalg.norm(plain, axis=1, keepdims=True), 1e-12)
