"""Audits whose numbers are known, for tests of what is made of them."""

from __future__ import annotations

import numpy as np
import torch
from made_explanations import accounted_explanation

from torchreid_amd.account.division import Entry
from torchreid_amd.attributes.parts import CARRIED, HEAD, LOWER, PARTS, REST, UPPER
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.auditing.audit import Audit
from torchreid_amd.auditing.audited_set import AuditedSet
from torchreid_amd.auditing.compared import compare
from torchreid_amd.auditing.examples import ATTRIBUTES, Example
from torchreid_amd.auditing.findings import Findings, findings
from torchreid_amd.auditing.measured import Measured, label_differences
from torchreid_amd.auditing.pairs import KINDS, Pair, Search, persons_of, search
from torchreid_amd.auditing.record import Looked
from torchreid_amd.evaluation.data.labelled_images import LabelledImages
from torchreid_amd.interpreter.distances import get_distance

SCHEMA = AttributeSchema(
    "toy",
    ("red", "blue", "short", "hat", "bag", "female"),
    {"upper colour": ("red", "blue")},
    {"red": ("red top", "top not red"), "female": ("female", "male")},
    {"red": UPPER, "blue": UPPER, "short": LOWER, "hat": HEAD, "bag": CARRIED, "female": REST},
)
ENTRIES = (
    Entry("upper colour", UPPER, (0, 1)),
    Entry("short", LOWER, (2,)),
    Entry("hat", HEAD, (3,)),
    Entry("bag", CARRIED, (4,)),
    Entry("female", REST, (5,)),
)
METRIC = get_distance("euclidean")


def people(count: int = 14, seed: int = 0, domain: str = "day", name: str = "toys") -> AuditedSet:
    """Persons 1 … with labels of their own, under cameras 0, 1 in the query and 0, 1, 2 in the gallery."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (count, len(SCHEMA))).astype(np.int8)
    labels[:, 1] = 1 - labels[:, 0]
    sides = []
    for cameras in ((0, 1), (0, 1, 2)):
        pids = np.repeat(np.arange(1, count + 1), len(cameras))
        camids = np.tile(cameras, count)
        paths = tuple(f"{name}/{p:04d}_c{c + 1}.jpg" for p, c in zip(pids, camids, strict=True))
        sides.append(LabelledImages(paths, pids, camids, labels[pids - 1]))
    return AuditedSet(name, sides[0], sides[1], SCHEMA, domain)


def embedded(data: AuditedSet, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels, a place of each person's own and noise."""
    generator = torch.Generator().manual_seed(seed)
    own = torch.randn(int(data.gallery.pids.max()) + 1, 8, generator=generator)
    found = []
    for side in (data.query, data.gallery):
        labels = torch.from_numpy(side.labels).float() @ torch.eye(len(SCHEMA), 8)
        noise = 0.8 * torch.randn(len(side), 8, generator=generator)
        found.append(labels + own[torch.from_numpy(side.pids)] + noise)
    return found[0], found[1]


def pairs_of(data: list[AuditedSet], count: int = 20, seed: int = 0) -> list[Pair]:
    """Pairs of every kind."""
    rng = np.random.default_rng(seed)
    found = []
    for number, one in enumerate(data):
        for n, kind in enumerate(KINDS):
            for q in rng.permutation(len(one.query))[:count].tolist():
                same = one.gallery.pids == one.query.pids[q]
                elsewhere = one.gallery.camids != one.query.camids[q]
                fits = np.flatnonzero((same & elsewhere) if n in (1, 3) else ~same)
                found.append(Pair(kind, number, q, int(rng.choice(fits))))
    return found


def measured_of(data: list[AuditedSet], pairs: list[Pair], seed: int = 0) -> Measured:
    """Random accounts: rows of differing attributes, parts that add up to 1."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet([8, 6, 3, 2, 4], len(pairs))
    differs, known = label_differences(SCHEMA, data, pairs)
    of_entry = np.stack([differs[:, list(entry.members)].any(1) for entry in ENTRIES], 1)
    own = np.stack([shares[:, PARTS.index(entry.part)] for entry in ENTRIES], 1)
    rows = own * of_entry * rng.uniform(0.2, 0.6, own.shape)
    distances = rng.uniform(5, 15, len(pairs))
    persons = persons_of(data, pairs)
    return Measured(tuple(pairs), persons, distances, shares, ENTRIES, rows, differs, known)


def findings_of(data: list[AuditedSet], measured: Measured, name: str = "toynet", seed: int = 0) -> Findings:
    both = [embedded(one, seed) for one in data]
    searched: list[Search] = [search(METRIC, two, one) for two, one in zip(both, data, strict=True)]
    made_by = {"model": name, "head": "additive", "run": "log/secret"}
    return findings(made_by, METRIC, data, both, searched, measured, SCHEMA, seed)


def made_audit(compared: bool = False, times: bool = False, names: tuple[str, str] = ("A", "B")) -> Audit:
    """An audit of random accounts, with examples; perhaps of two models, perhaps by day and by night."""
    data = [people()] + ([people(12, 1, "night", "toys2")] if times else [])
    pairs = pairs_of(data)
    first = measured_of(data, pairs)
    found = findings_of(data, first)
    second = measured_of(data, pairs, 1) if compared else None
    e = accounted_explanation(names)
    return Audit(
        tuple(Looked(one.name, one.domain, 28, 42, 14, 3, True) for one in data),
        20,
        0,
        found,
        None if second is None else findings_of(data, second, "othernet", 1),
        None if second is None else compare(first, second),
        (Example(KINDS[0], "typical", e), Example(ATTRIBUTES, "most", e, found.attributes[0])),
    )
