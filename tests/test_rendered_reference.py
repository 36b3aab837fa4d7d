"""A version of the drawing code draws the same pictures: numbers measured on them hang on that.

``tests/rendered`` holds 17 photographs in which every line of the drawing code has a part, and how many
pixels show each attribute. Who changes what is drawn raises ``VERSION`` in ``datasets/synthetic/options.py``
and writes them anew: ``python tests/test_rendered_reference.py``.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from torchreid_amd.datasets.synthetic import Record, SyntheticOptions
from torchreid_amd.datasets.synthetic.counterfactual import find_record, person_of
from torchreid_amd.datasets.synthetic.people.person import schema
from torchreid_amd.datasets.synthetic.photograph import RenderedImage, take

FOLDER = Path(__file__).parent / "rendered"
DAY = (
    *((21, 3, 4, 82520), (107, 4, 4, 84490), (262, 6, 6, 78424), (1, 1, 2, 69029), (137, 5, 1, 82701)),
    *((156, 3, 6, 19806), (333, 2, 1, 18997), (129, 5, 4, 61507), (287, 6, 3, 29146), (227, 4, 3, 8044)),
)
NIGHT = (
    *((137, 6, 5, 41270), (308, 1, 3, 55717), (333, 5, 2, 83427), (107, 5, 3, 14964)),
    *((287, 6, 4, 85834), (60, 4, 3, 45932), (343, 3, 5, 37199)),
)
RECORDS = [(domain, Record(*r)) for domain, rows in (("day", DAY), ("night", NIGHT)) for r in rows]


def draw(domain: str, record: Record) -> RenderedImage:
    options = SyntheticOptions(domain=domain)
    _, found = find_record(record, options)
    return take(person_of(record.pid, found), record, found)


def shown(photograph: RenderedImage) -> dict[str, int]:
    """How many pixels show each attribute."""
    counts = photograph.regions.sum((1, 2)).tolist()
    return {name: count for name, count in zip(schema().attributes, counts, strict=True) if count}


@pytest.mark.parametrize(("domain", "record"), RECORDS, ids=[f"{d} {r.file_name}" for d, r in RECORDS])
def test_the_same_picture_and_the_same_regions(domain: str, record: Record) -> None:
    """To a quarter of a grey level on average and two pixels of a region: other libraries may round."""
    photograph = draw(domain, record)
    with Image.open(FOLDER / domain / record.file_name) as image:
        kept = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(photograph.pixels - kept).mean() < 0.25
    wanted = json.loads((FOLDER / "regions.json").read_text())[f"{domain}/{record.file_name}"]
    assert shown(photograph) == pytest.approx(wanted, abs=2)


def _write() -> None:
    found = {}
    for domain, record in RECORDS:
        photograph = draw(domain, record)
        path = FOLDER / domain / record.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photograph.jpeg)
        found[f"{domain}/{record.file_name}"] = shown(photograph)
    (FOLDER / "regions.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    _write()
