"""The synthetic pedestrians as a torchreid data set."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import h5py

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.attributes.table import AttributeTable
from torchreid_amd.config import active_config
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.registry import register_dataset
from torchreid_amd.datasets.synthetic.options import SyntheticOptions
from torchreid_amd.datasets.synthetic.people.person import schema
from torchreid_amd.datasets.synthetic.records import GALLERY, QUERY, TRAIN
from torchreid_amd.datasets.synthetic.regions import FILE
from torchreid_amd.datasets.synthetic.rendering import IMAGES, read_options, render_dataset

_NAME = re.compile(r"([-\d]+)_c(\d)")


class SyntheticAttr(host.torchreid().data.ImageDataset):  # type: ignore[misc]
    """Procedural pedestrians under ``<root>/synthetic_attr``, rendered on first use.

    Args:
        root: torchreid's folder of data sets.
        options: what to render; by default ``amd.synthetic`` of the active configuration, and
            where that says nothing else, whatever is there.
        **kwargs: of torchreid's data sets (``mode``, ``transform``, ``combineall``, ``verbose`` …).

    Raises:
        InputError: the folder was rendered with other options, or is damaged.
    """

    domain = "day"
    dataset_dir = "synthetic_attr"
    on_demand = True  #: made on first use; nothing has to be there

    def __init__(self, root: str = "", options: SyntheticOptions | None = None, **kwargs: Any) -> None:
        self.dataset_dir = str(ensure(root, options, self.domain))
        images = Path(self.dataset_dir) / IMAGES
        train = _listed(images / TRAIN)
        labels = {pid: k for k, pid in enumerate(sorted({pid for _, pid, _ in train}))}
        super().__init__(
            [(path, labels[pid], camera) for path, pid, camera in train],
            _listed(images / QUERY),
            _listed(images / GALLERY),
            **kwargs,
        )

    @classmethod
    def attribute_schema(cls) -> AttributeSchema:
        """Market-1501's 26 attributes."""
        return schema()

    @classmethod
    def attribute_table(cls, root: str | os.PathLike[str], split: str) -> AttributeTable:
        """Labels of the identities of ``'train'`` or ``'test'``, by the pid in the file names."""
        if split not in ("train", "test"):
            raise InputError(f"synthetic_attr: split {split!r} is unknown; expected 'train' or 'test'")
        source = ensure(root, domain=cls.domain) / FILE
        try:
            with h5py.File(source, "r") as file:
                pids, labels = file[f"labels/{split}/pids"][:], file[f"labels/{split}/labels"][:]
        except (OSError, KeyError) as error:
            raise InputError(f"{str(source)!r} is damaged ({error}); render the data set again") from None
        return AttributeTable(schema(), [int(pid) for pid in pids], labels, by="pid")


class SyntheticAttrNight(SyntheticAttr):
    """Another domain, under ``<root>/synthetic_attr_night``: other people, clothes, cameras and streets."""

    domain = "night"
    dataset_dir = "synthetic_attr_night"


register_dataset(SyntheticAttr, name="synthetic_attr")
register_dataset(SyntheticAttrNight, name="synthetic_attr_night")


def ensure(
    root: str | os.PathLike[str], options: SyntheticOptions | None = None, domain: str = "day"
) -> Path:
    """The folder of a domain's data set under ``root``, rendered if it is not there.

    Options that are not given, here or in the configuration, are not held against what is there.
    """
    folder = Path(root).expanduser().absolute() / SyntheticOptions(domain=domain).name
    if options is None:
        asked = _configured()
        kept = read_options(folder).to_dict() if folder.exists() else {}
        kept.pop("version", None)
        options = SyntheticOptions(**({"domain": domain} | kept | asked))
    return render_dataset(Path(root), **{k: v for k, v in options.to_dict().items() if k != "version"})


def _configured() -> dict[str, int]:
    """What the active configuration sets under ``amd.synthetic`` to other than the defaults."""
    node = active_config().get("amd", {}).get("synthetic", {})
    usual = SyntheticOptions().to_dict()
    return {k: v for k, v in node.items() if k in usual and k != "version" and v != usual[k]}


def _listed(folder: Path) -> list[tuple[str, int, int]]:
    found = []
    for path in sorted(folder.glob("*.jpg")):
        match = _NAME.match(path.name)
        if match:
            found.append((str(path), int(match[1]), int(match[2]) - 1))
    if not found:
        raise InputError(
            f"no images in {str(folder)!r}; render the data set again (torchreid-amd synth --force)"
        )
    return found
