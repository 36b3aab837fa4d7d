"""A torchreid data set with an attribute annotation (.mat) beside its folders.

What a subclass of a torchreid data set gains by it: files in a fixed order, so that labels do
not depend on the file system; one clear line instead of a download where something is missing;
and the labels themselves.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from torchreid_amd.attributes.mat import SPLITS, read_mat
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.attributes.table import AttributeTable
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.registry import attribute_sets

_NAME = re.compile(r"(-?\d+)_c(\d)")


class AnnotatedDataset:
    """Goes before the torchreid class among the bases."""

    attributes: ClassVar[str]  #: name of the attribute set
    annotation: ClassVar[str]  #: file name of the annotation
    annotation_url: ClassVar[str]  #: where the annotation is published
    dataset_dir: str  #: folder of the data set under root, as torchreid has it
    images: ClassVar[str]  #: folder of the image folders in that one
    pids: ClassVar[range]  #: identities in file names, without junk
    cameras: ClassVar[int]  #: number of cameras

    def __init__(self, root: str = "", **kwargs: Any) -> None:
        where = Path(root).expanduser().absolute()
        self._check_folders(where)
        self.tables = {split: self.attribute_table(where, split) for split in SPLITS}  #: by split
        super().__init__(root=str(where), **kwargs)  # type: ignore[call-arg]

    @classmethod
    def attribute_schema(cls) -> AttributeSchema:
        """The attributes and their order."""
        schema: AttributeSchema = attribute_sets[cls.attributes]()
        return schema

    @classmethod
    def attribute_table(cls, root: str | os.PathLike[str], split: str) -> AttributeTable:
        """Labels of the identities of a split, ``'train'`` or ``'test'``, by pid.

        Args:
            root: torchreid's root folder of data sets. The annotation is looked for in the data
                set's folder, in that of its images, and in a folder ``attribute`` of either.

        Raises:
            InputError: the annotation is missing or damaged.
        """
        base = Path(root).expanduser().absolute() / cls.dataset_dir
        places = [at / sub for at in (base, base / cls.images) for sub in ("", "attribute")]
        for place in places:
            if (place / cls.annotation).is_file():
                return read_mat(place / cls.annotation, cls.attribute_schema(), split)
        raise InputError(
            f"no {cls.annotation} in {_listed(places)}; fetch it from {cls.annotation_url} "
            "and put it into one of them"
        )

    @classmethod
    def _check_folders(cls, root: Path) -> None:
        base = root / cls.dataset_dir
        needed = f"expected {base / cls.images} with bounding_box_train, bounding_box_test and query"
        if not root.is_dir():
            raise InputError(f"data root {str(root)!r} is not a folder; {needed}; nothing is downloaded")
        if not base.is_dir():
            raise InputError(f"no folder {str(base)!r}; {needed}; nothing is downloaded")

    def download_dataset(self, dataset_dir: str, dataset_url: str | None) -> None:
        """Downloads nothing: the folders were checked, and fetching them is the user's choice."""

    def check_before_run(self, required_files: str | Iterable[str]) -> None:
        """One line naming the folders that are missing."""
        wanted = [required_files] if isinstance(required_files, str) else list(required_files)
        missing = [path for path in wanted if not os.path.exists(path)]
        if missing:
            raise InputError(
                f"no folder {_listed(missing)}; expected the images as they are published; "
                "nothing is downloaded"
            )

    def process_dir(self, dir_path: str, relabel: bool = False) -> list[tuple[str, int, int]]:
        """The images of a folder: (path, identity, camera from 0), sorted by file name.

        Junk (identity −1) is left out where torchreid does so. ``relabel`` numbers the
        identities from 0, in ascending order.

        Raises:
            InputError: no images, or one that is not named like the data set's.
        """
        data = []
        for path in sorted(Path(dir_path).glob("*.jpg")):
            match = _NAME.match(path.name)
            pid, camera = (int(match[1]), int(match[2])) if match else (-2, 0)
            if pid == -1 and -1 in getattr(self, "_junk_pids", ()):
                continue
            if pid not in self.pids or not 1 <= camera <= self.cameras:
                raise InputError(
                    f"{str(path)!r} is not named like an image of this data set; expected "
                    f"<identity>_c<camera>….jpg with identity {self.pids[0]} to {self.pids[-1]} "
                    f"and camera 1 to {self.cameras}; move it away"
                )
            data.append((str(path), pid, camera - 1))
        if not data:
            raise InputError(f"no images (*.jpg) in {dir_path!r}; expected those of the data set")
        number = {pid: label for label, pid in enumerate(sorted({pid for _, pid, _ in data}))}
        return [(path, number[pid] if relabel else pid, camera) for path, pid, camera in data]


def _listed(paths: Iterable[Any]) -> str:
    return ", ".join(repr(str(path)) for path in paths)
