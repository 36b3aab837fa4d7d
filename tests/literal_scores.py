"""The scores as the method words them: slow, in plain Python, one pair after the other."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from torchreid_amd.evaluation import DecomposedImages


def literal_ap(relevant: list[bool]) -> float:
    found, total = 0, 0.0
    for place, hit in enumerate(relevant, start=1):
        if hit:
            found += 1
            total += found / place
    return total / found


def literal_pair(p: list[float], a: list[int], b: list[int]) -> dict[str, Any]:
    """Scores of one pair: None where it does not count."""
    known = [k for k in range(len(p)) if a[k] >= 0 and b[k] >= 0]
    exclusive = {k for k in known if a[k] != b[k]}
    n, m = len(exclusive), len(known)
    ranking = sorted(known, key=lambda k: (-p[k], k))
    ascending = ranking[::-1]
    found: dict[str, Any] = {"e": None, "c": None, "hit": None, "top": exclusive & set(ranking[:n])}
    found["rest"] = set(ranking[n:]) - exclusive
    found["common hit"] = len(found["rest"]) / (m - n) if 0 < n < m else None
    found["exclusive"] = exclusive
    if n > 0:
        found["e"] = literal_ap([k in exclusive for k in ranking])
        found["hit"] = len(found["top"]) / n
    if n < m and n > 0:
        found["c"] = literal_ap([k not in exclusive for k in ascending])
    elif n < m:
        total = sum(p[k] for k in known)
        wrong = [k for k in known if p[k] / total > 2 / m]
        found["c"] = literal_ap([False] * len(wrong) + [True] * (m - len(wrong)))
    return found


def literal_scores(
    query: DecomposedImages, gallery: DecomposedImages, metric: str, form: str, rates: list[float]
) -> dict[str, Any]:
    """Every pair, one after the other, in float64."""

    def distance(x: Tensor, y: Tensor) -> float:
        x, y = x.double(), y.double()
        if metric == "cosine":
            return 1 - float((x * y).sum() / (x.norm() * y.norm()))
        squared = float(((x - y) ** 2).sum())
        return squared if metric == "squared_euclidean" else math.sqrt(squared)

    kinds = ("e", "c", "hit", "common hit")
    names = ("adre", *kinds, *(f"prior {kind}" for kind in kinds))
    values: dict[str, list[float]] = {name: [] for name in names}
    per_attribute = [[0, 0] for _ in range(query.num_attributes)]
    counts = {"all": 0, "removed": 0, "used": 0, "zero_distance": 0, "annotated": 0}
    for i in range(len(query)):
        for j in range(len(gallery)):
            counts["all"] += 1
            if query.pids[i] == gallery.pids[j] and query.camids[i] == gallery.camids[j]:
                counts["removed"] += 1
                continue
            counts["used"] += 1
            d = distance(query.embedding[i], gallery.embedding[j])
            parts = [
                distance(query.components[i, k], gallery.components[j, k])
                for k in range(query.num_attributes)
            ]
            whole = sum(parts) / len(parts) if form == "mean" else sum(parts)
            if d == 0:
                counts["zero_distance"] += 1
            else:
                values["adre"].append(abs(d - whole) / d)
            a, b = query.known_labels[i].tolist(), gallery.known_labels[j].tolist()
            counts["annotated"] += any(x >= 0 and y >= 0 for x, y in zip(a, b, strict=True))
            pair = literal_pair(parts, a, b)
            guess = literal_pair([r * (1 - r) for r in rates], a, b)
            for name in kinds:
                if pair[name] is not None:
                    values[name].append(pair[name])
                    values[f"prior {name}"].append(guess[name])
            for k in pair["exclusive"]:
                per_attribute[k][0] += k in pair["top"]
                per_attribute[k][1] += 1
    means = {name: 100 * sum(v) / len(v) for name, v in values.items()}
    spread = {
        "max": 100 * max(values["adre"]),
        "p95": 100 * sorted(values["adre"])[int(0.95 * len(values["adre"]))],
    }
    return means | spread | {"per_attribute": per_attribute, "counts": counts}


def side(images: int, attributes: int, dimension: int, seed: int, half: bool = False) -> DecomposedImages:
    """Random images of 6 identities under 3 cameras; identity 0 has no labels, others miss some."""
    generator = torch.Generator().manual_seed(seed)
    pids = torch.randint(0, 6, (images,), generator=generator)
    labels = torch.randint(0, 2, (6, attributes), generator=torch.Generator().manual_seed(1))
    labels[torch.rand(6, attributes, generator=torch.Generator().manual_seed(2)) < 0.15] = -1
    labels[0] = -1
    labels[5] = labels[4]  # two identities that agree in everything
    components = torch.rand(images, attributes, dimension, generator=generator)
    components *= torch.rand(attributes, 1, generator=torch.Generator().manual_seed(3)) ** 3  # N = 0: errors
    return DecomposedImages(
        torch.rand(images, dimension, generator=generator),
        components.half() if half else components,
        pids,
        torch.randint(0, 3, (images,), generator=generator),
        labels[pids],
    )
