"""How searching grows with a gallery: made-up features in a store, searched exactly and by FAISS.

    python examples/large_gallery.py --photographs 1000000 --folder /tmp/large
    python examples/large_gallery.py --photographs 10000000 --dimension 128 --search exact

Features are those of made-up people: ten photographs each, whose features lie around a point of their
own. One JSON line a search: seconds to make the index, bytes of it, seconds and processor time a query (one
asked alone, and one of a hundred asked together), the share of the exact ten nearest that is found, and the
memory that the search added at its peak, the mapped part of the file among it. What a thousand million
would take follows from it in the results page.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch

import torchreid_amd as amd
from torchreid_amd.gallery.approximate import open_index
from torchreid_amd.gallery.mark import Mark
from torchreid_amd.gallery.search import nearest
from torchreid_amd.gallery.store import Store
from torchreid_amd.gallery.writer import laid_out
from torchreid_amd.interpreter.distances import get_distance

EACH = 10  #: photographs of a person
STEP = 100_000  #: photographs made at a time
AROUND = 0.5  #: how far a photograph lies from its person, relative to how far people lie from each other
MADE_UP = Mark("made up", "", (256, 128), (0.0,) * 3, (1.0,) * 3, "", "", ())


def made_up(path: Path, count: int, size: int) -> Store:
    """A store of ``count`` made-up features (N, D); the one that is there, if it has as many."""
    if path.exists() and Store(path).embedding.shape == (count, size):
        return Store(path)
    shapes: dict[str, tuple[int, ...]] = {
        name: (count,) for name in ("name", "bytes", "identity", "camera", "split", "checksum")
    }
    random = np.random.default_rng(0)
    with laid_out(path, MADE_UP, str(path.parent), shapes | {"embedding": (count, size)}, 16) as writer:
        for start in range(0, count, STEP):
            rows = range(start, min(count, start + STEP))
            people = np.arange(rows.start, rows.stop) // EACH
            centres = random.standard_normal((people[-1] - people[0] + 1, size), np.float32)
            noise = random.standard_normal((len(rows), size), np.float32)
            writer.put("embedding", rows, centres[people - people[0]] + AROUND * noise)
            writer.put("identity", rows, people)
            writer.put("name", rows, np.array([f"{row}".encode() for row in rows]))
            writer.put("checksum", rows, np.ones(len(rows)))  # not read here
    return Store(path)


def peak() -> int:
    """Most memory used so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measured(store: Store, search: str) -> dict[str, object]:
    """What a search takes."""
    distance, before = get_distance("euclidean"), peak()
    random = np.random.default_rng(1)
    rows = np.sort(random.permutation(len(store))[:100])
    queries = torch.from_numpy(np.array(store.embedding[rows]))
    line: dict[str, object] = {"photographs": len(store), "dimension": store.embedding.shape[1]}
    line["search"] = search
    if search != "exact":
        start = time.perf_counter()
        index = open_index(store, search, distance)
        file = Path(f"{store.path}.{search}.faiss")
        line |= {"made_s": round(time.perf_counter() - start, 1), "index_bytes": file.stat().st_size}
        line["recall_at_10"] = round(index.recall, 4)
    for name, asked in (("alone_s", queries[:1]), ("of_100_s", queries)):
        start, busy = time.perf_counter(), time.process_time()
        if search == "exact":
            nearest(asked, store.blocks(), 10, distance)
        else:
            index.search(asked, 10, distance)
        line[name] = round((time.perf_counter() - start) / len(asked), 5)
        line[f"{name}_cpu"] = round((time.process_time() - busy) / len(asked), 5)
    return line | {"added_mb": round((peak() - before) / 1e6), "threads": torch.get_num_threads()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=int, default=100_000, help="default: 100,000")
    parser.add_argument("--dimension", type=int, default=512, help="D (default: 512)")
    parser.add_argument("--search", nargs="+", default=["exact", "flat", "ivfpq"], help="what to measure")
    parser.add_argument("--folder", default="output/large", help="where features are kept")
    args = parser.parse_args()
    Path(args.folder).mkdir(parents=True, exist_ok=True)
    try:
        start = time.perf_counter()
        path = Path(args.folder) / f"{args.photographs}x{args.dimension}.h5"
        store = made_up(path, args.photographs, args.dimension)
        print(f"{store.path}: {path.stat().st_size:,} bytes, {time.perf_counter() - start:.0f} s", flush=True)
        for search in args.search:
            print(json.dumps(measured(store, search)), flush=True)
    except amd.InputError as error:
        print(f"large_gallery: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
