"""What examples/benchmark.py measures: what the package does, and the literal way to do the same."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from benchmark_processes import shared
from benchmark_steps import Sides, step
from torch import Tensor

import torchreid_amd as amd
from torchreid_amd.core import host
from torchreid_amd.datasets.synthetic import render_dataset
from torchreid_amd.datasets.synthetic.options import SyntheticOptions
from torchreid_amd.datasets.synthetic.people.person import people
from torchreid_amd.datasets.synthetic.photograph import take
from torchreid_amd.datasets.synthetic.records import records
from torchreid_amd.evaluation import DecomposedImages, evaluate_decomposition
from torchreid_amd.gallery.search import nearest
from torchreid_amd.gallery.store import MEMORY
from torchreid_amd.interpreter.distances import DISTANCES, get_distance
from torchreid_amd.interpreter.factored import Factored


def components(
    device: str, model: str, images: int, attributes: int, height: int, width: int, gradient: bool
) -> Sides:
    """Components of given maps: one product; one pass through the tail for each attribute."""
    target = amd.build_target(model).to(device)
    shape = target.features(torch.rand(1, 3, height, width, device=device))[1].shape[1:]
    features = torch.rand(images, *shape, device=device)
    maps = torch.rand(images, attributes, *shape[1:], device=device, requires_grad=gradient)

    def product() -> Tensor:
        return target.tail.components(maps, features)

    def loop() -> Tensor:
        return torch.stack([target.tail(maps[:, k : k + 1] * features) for k in range(attributes)], 1)

    def result(call: Callable[[], Tensor]) -> Tensor:
        return torch.autograd.grad(call().square().sum(), maps)[0] if gradient else call()

    return lambda: result(product), lambda: result(loop)


def scores(device: str, queries: int, gallery: int, attributes: int, dimension: int) -> Sides:
    """Scores of every pair: in blocks; from arrays of all query × gallery × M values."""
    labels, scale = torch.randint(0, 2, (50, attributes)), torch.rand(attributes, 1)

    def side(count: int) -> DecomposedImages:
        pids, camids = torch.randint(0, len(labels), (count,)), torch.randint(0, 6, (count,))
        parts = torch.rand(count, attributes, dimension) * scale
        return DecomposedImages(parts.mean(1), parts, pids, camids, labels[pids])

    q, g = side(queries), side(gallery)

    def blocks() -> Tensor:
        found = evaluate_decomposition(q, g, get_distance("euclidean"), device=device)
        values = [found.interpreter[name] for name in ("ADRE", "X-mAP_e", "X-mAP_c", "mAP")]
        return torch.tensor([*values, found.target["mAP"]])

    return blocks, lambda: dense_scores(q, g, device)


def products(device: str, queries: int, gallery: int, attributes: int, dimension: int) -> Sides:
    """Every score of every pair, features in half precision; ADRE alone from the bare products."""
    labels, scale = torch.randint(0, 2, (50, attributes)), torch.rand(attributes, 1)

    def side(count: int) -> DecomposedImages:
        pids, camids = torch.randint(0, len(labels), (count,)), torch.randint(0, 6, (count,))
        parts = torch.cat([(torch.rand(1, attributes, dimension) * scale).half() for _ in range(count)])
        return DecomposedImages(parts.float().mean(1), parts, pids, camids, labels[pids])

    q, g = side(queries), side(gallery)

    def bare() -> Tensor:
        errors, count = 0.0, 0
        embedding, parts = q.block(slice(None), torch.device(device))
        for start in range(0, len(g), 512):
            rows = slice(start, start + 512)
            of_gallery, of_parts = g.block(rows, torch.device(device))
            whole = get_distance("euclidean").matrix(embedding, of_gallery)
            mean = get_distance("euclidean").matrix(parts, of_parts).mean(0)
            kept = ((q.pids[:, None] != g.pids[rows]) | (q.camids[:, None] != g.camids[rows])).to(device)
            errors += float((((whole - mean).abs() / whole) * kept).sum())
            count += int(kept.sum())
        return torch.tensor([100 * errors / count])

    def every() -> Tensor:
        return torch.tensor(
            [evaluate_decomposition(q, g, get_distance("euclidean"), device=device).interpreter["ADRE"]]
        )

    return every, bare


def factored(device: str, queries: int, gallery: int, attributes: int, dimension: int) -> Sides:
    """Every score that ``evaluate`` gives of head ``additive``: from its factors; from its components."""
    labels, directions = torch.randint(0, 2, (50, attributes)), torch.randn(attributes, dimension)

    def side(count: int) -> DecomposedImages:
        pids, camids = torch.randint(0, len(labels), (count,)), torch.randint(0, 6, (count,))
        parts = Factored(torch.sigmoid(3 * labels[pids] + torch.randn(count, attributes) - 1.5), directions)
        embedding = parts.summed() + 3 * torch.randn(count, dimension)
        return DecomposedImages(embedding, parts, pids, camids, labels[pids])

    def scored(sides: Sequence[DecomposedImages]) -> Tensor:
        euclidean, others = get_distance("euclidean"), list(DISTANCES.values())
        found = evaluate_decomposition(*sides, euclidean, "additive", device=device, others=others)
        return torch.tensor([found.interpreter[name] for name in ("X-mAP_e", "X-mAP_c", "mAP", "explained")])

    q, g = side(queries), side(gallery)
    multiplied = [replace(x, components=x.components.dense().half()) for x in (q, g)]
    return lambda: scored([q, g]), lambda: scored(multiplied)


def dense_scores(q: DecomposedImages, g: DecomposedImages, device: str) -> Tensor:
    """ADRE, X-mAP_e, X-mAP_c, mAP of the decomposed and of the target's distance, in percent."""
    whole = torch.cdist(q.embedding.to(device), g.embedding.to(device))
    by_attribute = [side.components.to(device).transpose(0, 1) for side in (q, g)]
    parts = torch.cdist(*by_attribute).permute(1, 2, 0).contiguous()  # (Q, G, M)
    kept = ((q.pids[:, None] != g.pids) | (q.camids[:, None] != g.camids)).to(device)
    exclusive = (q.known_labels[:, None] != g.known_labels).to(device)
    place = torch.arange(1, exclusive.shape[-1] + 1, device=device)

    def precision(relevant: Tensor) -> Tensor:
        return (relevant.cumsum(-1) / place * relevant).sum(-1) / relevant.sum(-1)

    differ, agree = exclusive.any(-1), ~exclusive.all(-1)
    ranked = exclusive.gather(-1, parts.argsort(-1, descending=True))
    errors_first = (parts > 2 * parts.mean(-1, keepdim=True)).sort(-1, descending=True).values
    common = ~torch.where(differ[..., None], ranked.flip(-1), errors_first)
    adre = ((whole - parts.mean(-1)).abs() / whole)[kept].mean()
    means = [adre, precision(ranked)[kept & differ].mean(), precision(common)[kept & agree].mean()]
    who = [x.numpy() for x in (q.pids, g.pids, q.camids, g.camids)]
    rank = host.torchreid().metrics.evaluate_rank
    found = [rank(d.cpu().numpy(), *who, use_cython=False)[1] for d in (parts.mean(-1), whole)]
    return 100 * torch.tensor([*map(float, means), *found])


def explanation(device: str, model: str, head: str, images: int, height: int, width: int) -> Sides:
    """A whole decomposition; the target's plain embedding."""
    interpreter = amd.create_interpreter(model, head).to(device).requires_grad_(False)
    batch = torch.rand(images, 3, height, width, device=device)
    return lambda: interpreter(batch).embedding, lambda: interpreter.target(batch)


def pairs(device: str, model: str, pairs: int, batch: int, height: int, width: int) -> Sides:
    """Explanations of photographs: in batches; one by one."""
    interpreter = amd.create_interpreter(model, "amd")
    explainer = amd.Explainer(interpreter, (height, width), device=device, account=False)
    photographs = noise(2 * pairs)
    given = list(zip(photographs[::2], photographs[1::2], strict=True))
    return (
        lambda: numbers(explainer.explain_many(given, batch)),
        lambda: numbers(explainer.explain(a, b) for a, b in given),
    )


def ranking(device: str, model: str, gallery: int, topk: int, batch: int, height: int, width: int) -> Sides:
    """The nearest explained: after ranking by embeddings; after explaining the whole gallery."""
    interpreter = amd.create_interpreter(model, "amd")
    explainer = amd.Explainer(interpreter, (height, width), device=device, account=False)
    query, *photographs = noise(1 + gallery)

    def literal() -> Tensor:
        explained = explainer.explain_many([(query, p) for p in photographs], batch)
        return numbers(sorted(explained, key=lambda e: e.distance)[:topk])

    return lambda: numbers(explainer.explain_ranking(query, photographs, topk, batch)), literal


def accounts(device: str, model: str, pairs: int, height: int, width: int) -> Sides:
    """Pairs of rendered people with bags, their whole distances accounted for; without accounts."""
    interpreter = amd.create_interpreter(model, "additive")
    size = (height, width)
    sides = [amd.Explainer(interpreter, size, device=device, account=wanted) for wanted in (True, False)]
    query, *photographs = people_with_bags(1 + pairs)
    given = [(query, photograph) for photograph in photographs]
    ours, without = (lambda e=e: numbers(e.explain_many(given)) for e in sides)
    return ours, without


def page(device: str, photographs: int, model: str, height: int, width: int) -> Sides:
    """An explanation, or a ranking where there are several photographs, from loaded model to page."""
    explainer = amd.Explainer(amd.create_interpreter(model, "additive"), (height, width), device=device)
    query, *gallery = people_with_bags(1 + photographs)

    def write() -> Tensor:
        alone = len(gallery) == 1
        made = explainer.explain(query, gallery[0]) if alone else explainer.explain_ranking(query, gallery)
        return torch.tensor([len(made.to_html())])

    return write, None


def stored(device: str, gallery: int, queries: int, dimension: int, topk: int) -> Sides:
    """The nearest of stored features: a block at a time; from all distances at once."""
    random = np.random.default_rng(0)
    features = random.standard_normal((gallery, dimension), np.float32)
    asked = torch.from_numpy(random.standard_normal((queries, dimension), np.float32))
    step = max(1, MEMORY // (4 * dimension))
    distance = get_distance("euclidean")

    def blocks() -> Tensor:
        parts = ((start, features[start : start + step]) for start in range(0, gallery, step))
        return torch.from_numpy(nearest(asked, parts, topk, distance).distances)

    def whole() -> Tensor:
        return torch.cdist(asked, torch.from_numpy(features)).topk(topk, largest=False).values

    return blocks, whole


def rendering(device: str, images: int, height: int, width: int) -> Sides:
    """Synthetic pedestrians with their regions, rendered by one process into a folder."""

    def render() -> Tensor:
        with tempfile.TemporaryDirectory() as root:
            options = {"train_ids": 1, "test_ids": images // 4 - 1, "images_per_id": 4}
            folder = render_dataset(root, **options, height=height, width=width, workers=1)
            return torch.tensor([len(list(folder.rglob("*.jpg")))])

    return render, None


def noise(count: int) -> list[np.ndarray]:
    """Photographs of 128×64 pixels."""
    return list(np.random.default_rng(0).integers(0, 256, (count, 128, 64, 3), dtype=np.uint8))


def people_with_bags(count: int) -> list[np.ndarray]:
    """Rendered photographs of so many persons who carry something: all parts show."""
    options = SyntheticOptions(train_ids=12 * count)
    carry = [p for p in people(options, "train") if p.labels["backpack"] or p.labels["handbag"]]
    return [take(p, records(options, p.pid)[0], options).pixels for p in carry[:count]]


def numbers(explained: Iterable[amd.Explanation]) -> Tensor:
    """Distance and contributions of each pair (P, 1 + M)."""
    return torch.from_numpy(np.stack([[e.distance, *e.contributions] for e in explained]))


@dataclass(frozen=True)
class Case:
    """What is measured: ``prepare(device, **size)`` gives the two sides.

    Attributes:
        size: of what is measured; the first entry is how many things a call does.
        quick: smaller sizes, to try the case.
        tolerance: largest difference of the two results, relative to the largest value.
    """

    prepare: Callable[..., Sides]
    size: dict[str, Any]
    quick: dict[str, Any]
    tolerance: float = 1e-4


def cases() -> dict[str, Case]:
    """Every case by name."""
    full, small = {"height": 256, "width": 128}, {"height": 64, "width": 32}
    found = {}
    for name, gradient in (("components", False), ("gradients", True)):
        for model in ("osnet_x0_25", "resnet50"):
            size = {"images": 64, "attributes": 26, "model": model, "gradient": gradient, **full}
            found[f"{name}-{model}"] = Case(components, size, {"images": 2, "attributes": 3, **small})
    for gallery in (1000, 4000):
        size = {"queries": 200, "gallery": gallery, "attributes": 26, "dimension": 512}
        quick = {"queries": 20, "gallery": gallery // 10, "attributes": 5, "dimension": 8}
        found[f"scores-{gallery}"] = Case(scores, size, quick)
    for model, heads in (("osnet_x0_25", amd.list_heads()), ("resnet50", ["amd"])):
        for head in heads:
            size = {"images": 8, "model": model, "head": head, **full}
            found[f"explanation-{head}-{model}"] = Case(explanation, size, {"images": 1, **small})
    market = [(3368, 15913, 512), (3368, 15913, 2048)]  # all of Market-1501; takes gigabytes
    for asked, gallery, dimension in (*((400, n, 512) for n in (1000, 10_000, 100_000)), *market):
        size = {"queries": asked, "gallery": gallery, "attributes": 26, "dimension": dimension}
        quick = {"queries": 20, "gallery": gallery // 200, "attributes": 5, "dimension": 8}
        found[f"products-{gallery}-{dimension}"] = Case(products, size, quick, 1e-3)
    for asked, gallery, dimension in ((400, 10_000, 512), (400, 10_000, 2048)):
        size = {"queries": asked, "gallery": gallery, "attributes": 26, "dimension": dimension}
        quick = {"queries": 20, "gallery": gallery // 200, "attributes": 5, "dimension": 8}
        found[f"factored-{gallery}-{dimension}"] = Case(factored, size, quick, 1e-3)
    models = ("osnet_x0_25", "osnet_x1_0", "resnet50")
    steps = [("amd", model, False, cached) for cached in (False, True) for model in models]
    steps += [("amd", "resnet50", True, cached) for cached in (False, True)]
    steps.append(("additive", "osnet_x0_25", False, True))
    for head, model, half, cached in steps:
        size = {"images": 24, "model": model, "head": head, "half": half, "cached": cached, **full}
        name = f"{'cached' if cached else 'step'}-{head}-{model}{'-bf16' if half else ''}"
        found[name] = Case(step, size, {"images": 3, **small}, 0.1 if half else 1e-4)
    for head, model in (("amd", "osnet_x0_25"), ("amd", "resnet50"), ("additive", "osnet_x0_25")):
        size = {"images": 24, "model": model, "head": head, **full}
        found[f"processes-{head}-{model}"] = Case(shared, size, {"images": 4, **small})
    rest = {"model": "osnet_x0_25", "batch": 32, **full}
    found["pairs"] = Case(pairs, {"pairs": 32, **rest}, {"pairs": 2, **small})
    found["ranking"] = Case(ranking, {"gallery": 200, "topk": 10, **rest}, {"gallery": 4, "topk": 2, **small})
    half = {"height": 128, "width": 64}
    for model, count, shape in (("osnet_x0_25", 1, half), ("osnet_x0_25", 10, half), ("resnet50", 1, full)):
        name = f"account-{model}" if count == 1 else f"accounts-{model}"
        found[name] = Case(accounts, {"pairs": count, "model": model, **shape}, {"pairs": 1, **small})
    for name, photographs in (("page-pair", 1), ("page-ranking", 10)):
        size = {"photographs": photographs, "model": "osnet_x0_25", **full}
        found[name] = Case(page, size, {"photographs": photographs, **small})
    for queries in (1, 100):
        size = {"gallery": 20_000, "queries": queries, "dimension": 512, "topk": 10}
        found[f"stored-{queries}"] = Case(stored, size, {"gallery": 2000})
    found["rendering"] = Case(rendering, {"images": 40, "height": 128, "width": 64}, {"images": 8})
    return found
