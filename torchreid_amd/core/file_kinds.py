"""Telling what a file is that was taken for another, by its first bytes and by what an archive lists."""

from __future__ import annotations

import zipfile
from pathlib import Path

_BEGINNINGS = (  # of files that people give by mistake, in the order they are looked for
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"%PDF", "a PDF document"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"MATLAB 7.3", "a MATLAB file of version 7.3"),
    (b"MATLAB 5.0", "a MATLAB file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"SQLite", "an SQLite database"),
)
_UNPACK = "unpack it and give the file inside it"
_PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml")


def kind_of_file(path: Path) -> tuple[str, str] | None:
    """What a file is and what to do about it, in words: ``('a gzip archive', 'unpack it …')``.

    ``None`` for files that begin like none of the known kinds, and for those that cannot be opened.
    """
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError:
        return None
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the file itself", "fetch it with 'git lfs pull'"
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES):
        return (
            "a web page, as a failed download leaves it",
            "download the file itself, in a browser if need be",
        )
    if start.startswith(b"PK"):
        return _kind_of_zip(path)
    if start[257:262] == b"ustar":
        return "a tar archive", _UNPACK
    what = next((what for beginning, what in _BEGINNINGS if start.startswith(beginning)), None)
    if what is None:
        return None
    return what, _UNPACK if what.endswith("archive") else "give the right file"


def _kind_of_zip(path: Path) -> tuple[str, str] | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None
    inner = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inner or any(name.startswith("code/") for name in inner):
        return "a TorchScript program", "save the weights of the model it was made from: model.state_dict()"
    if "data.pkl" in inner:  # torch's own
        return None
    if any(name.endswith(".npy") for name in names):
        return "an archive of NumPy arrays", "give the right file"
    files = [name for name in names if not name.endswith("/")]
    shown = ", ".join(repr(name) for name in files[:3]) + (", …" if len(files) > 3 else "")
    return f"a zip archive of {shown or 'nothing'}", _UNPACK
