"""Attribute tables, schema files and annotations of one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat

from torchreid_amd.attributes.mat import read_mat
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.attributes.schema_file import read_schema
from torchreid_amd.attributes.table_file import read_table

from . import World, case

Works = tuple[Callable[[], None], Callable[[], None]]
HAT = AttributeSchema("toy", ("hat",))


def table(folder: Path, text: str | bytes, ending: str = "csv") -> Callable[[], object]:
    file = folder / f"t.{ending}"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return lambda: read_table(file)


def says(folder: Path, text: str | bytes, labels: list[list[int]], ending: str = "csv") -> Works:
    """Read, the labels of pids 2 and 7 are these."""
    read: list[np.ndarray] = []
    make = table(folder, text, ending)
    return (
        lambda: read.append(make().labels([2, 7])),  # type: ignore[attr-defined]
        lambda: np.testing.assert_array_equal(read[0], labels),
    )


def annotation(folder: Path, data: bytes) -> Callable[[], object]:
    (folder / "market_attribute.mat").write_bytes(data)
    return lambda: read_mat(folder / "market_attribute.mat", HAT, "train")


@case()
def csv(world: World, folder: Path) -> Works:
    return says(folder, "pid,hat,bag\n2,1,0\n7,,1\n", [[1, 0], [-1, 1]])


@case()
def csv_of_a_spreadsheet(world: World, folder: Path) -> Works:
    """A byte-order mark, line ends of Windows, a blank line at the end."""
    return says(folder, b"\xef\xbb\xbfpid,hat,bag\r\n2,1,0\r\n7,,1\r\n\r\n", [[1, 0], [-1, 1]])


@case()
def csv_of_a_data_frame(world: World, folder: Path) -> Works:
    return says(folder, "pid,hat,bag\n2,1.0,0.0\n7,,1.0\n", [[1, 0], [-1, 1]])


@case()
def json(world: World, folder: Path) -> Works:
    text = '{"by": "pid", "attributes": ["hat", "bag"], "labels": {"2": [1, 0], "7": {"bag": true}}}'
    return says(folder, text, [[1, 0], [-1, 1]], "json")


@case()
def attributes_in_chinese(world: World, folder: Path) -> Works:
    return says(folder, "pid,帽子,包\n2,1,0\n7,,1\n", [[1, 0], [-1, 1]])


@case(says="UTF-8")
def csv_in_latin_1(world: World, folder: Path) -> Callable[[], object]:
    return table(folder, "pid,café\n2,1\n".encode("latin-1"))


@case(says="t.csv")
def csv_with_semicolons(world: World, folder: Path) -> Callable[[], object]:
    return table(folder, "pid;hat\n2;1\n")


@case(says="yes")
def csv_in_words(world: World, folder: Path) -> Callable[[], object]:
    return table(folder, "pid,hat\n2,yes\n")


@case(says="2")
def a_person_twice(world: World, folder: Path) -> Callable[[], object]:
    return table(folder, "pid,hat\n2,1\n2,0\n")


@case(says="t.csv")
def nothing(world: World, folder: Path) -> Callable[[], object]:
    return table(folder, "")


@case(says="t.json")
def json_cut_short(world: World, folder: Path) -> Callable[[], object]:
    return table(folder, '{"by": "pid", "attributes": ["hat"', "json")


@case(says="t.h5")
def hdf5_cut_short(world: World, folder: Path) -> Callable[[], object]:
    with h5py.File(folder / "whole.h5", "w") as file:
        file["pid"], file["labels"] = [2], [[1]]
        file.attrs["attributes"] = ["hat"]
    return table(folder, (folder / "whole.h5").read_bytes()[:800], "h5")


@case(says="x.json.: found . ; expected entries among|found")
def a_schema_whose_key_is_a_line_break(world: World, folder: Path) -> Callable[[], object]:
    """Found by fuzzing: the message had two lines."""
    (folder / "x.json").write_text('{"\\n": 66489}')
    return lambda: read_schema(folder / "x.json", ["hat"])


@case(says="is a web page")
def an_annotation_that_is_a_web_page(world: World, folder: Path) -> Callable[[], object]:
    return annotation(folder, b"<!doctype html><html>sign in</html>")


@case(says="MATLAB file of version 7.3; .*'-v7'")
def an_annotation_of_version_7_3(world: World, folder: Path) -> Callable[[], object]:
    with h5py.File(folder / "whole.h5", "w", userblock_size=512) as file:
        file["market_attribute"] = [1]
    data = bytearray((folder / "whole.h5").read_bytes())
    data[:124] = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124)
    data[124:128] = b"\x00\x02IM"
    return annotation(folder, bytes(data))


@case(says="may be truncated")
def an_annotation_cut_short(world: World, folder: Path) -> Callable[[], object]:
    savemat(folder / "whole.mat", {"market_attribute": {"train": {"hat": np.arange(400)}}})
    return annotation(folder, (folder / "whole.mat").read_bytes()[:500])


@case(says="expected one struct with 'train' and 'test'")
def an_annotation_of_something_else(world: World, folder: Path) -> Callable[[], object]:
    savemat(folder / "whole.mat", {"x": np.arange(4)})
    return annotation(folder, (folder / "whole.mat").read_bytes())


@case(says="may be truncated")
def an_annotation_whose_sizes_lie(world: World, folder: Path) -> Callable[[], object]:
    """Found by fuzzing: scipy's reader ended the whole process."""
    part = {"hat": np.array([1, 2, 2]), "image_index": np.array(["0001", "0002", "0007"], object)}
    test = {"hat": np.array([1, 2]), "image_index": np.array(["0101", "0102"], object)}
    savemat(folder / "whole.mat", {"market_attribute": {"train": part, "test": test}})
    data = bytearray((folder / "whole.mat").read_bytes())
    data[713:717] = b"\xff\xff\xff\xff"
    return annotation(folder, bytes(data))
