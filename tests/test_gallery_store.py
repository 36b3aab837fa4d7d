"""Stored features: in the file is what the model gives, also after a kill, and nothing else passes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from small_model import one_line
from stored_features import coloured_explainer, write_photographs
from tiny_market import write_tiny_market
from toy_interpreter import noisy

import torchreid_amd as amd
from torchreid_amd.core.errors import InputError
from torchreid_amd.explanation.explainer import Explainer
from torchreid_amd.gallery.layout import Place, _check
from torchreid_amd.gallery.mark import Mark
from torchreid_amd.gallery.store import NOBODY, Store
from torchreid_amd.gallery.writer import Writer


@pytest.fixture
def explainer() -> Explainer:
    return coloured_explainer()


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    return write_photographs(tmp_path / "photographs", 7)


def extract(explainer: Explainer, folder: Path, **options: object) -> Store:
    return amd.extract(explainer, folder, folder.parent / "gallery.h5", batch_size=3, **options)  # type: ignore[arg-type]


def counted(explainer: Explainer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are decomposed from now on."""
    seen: list[str] = []
    whole = explainer.decomposer.decompose

    def decompose(images, names=(), batch_size=32):  # type: ignore[no-untyped-def]
        seen.extend(names)
        return whole(images, names, batch_size)

    monkeypatch.setattr(explainer.decomposer, "decompose", decompose)
    return seen


# -- what is in it -------------------------------------------------------------------------------


def test_features_are_those_of_the_model(explainer: Explainer, photographs: list[Path]) -> None:
    store = extract(explainer, photographs[0].parent, maps=True)
    images = explainer.decomposer.read(photographs)
    whole = explainer.decomposer.decompose(images)
    assert np.allclose(store.embedding, whole.embedding.numpy(), rtol=1e-6)
    assert np.allclose(store.components, whole.components.numpy(), rtol=1e-3)
    assert np.allclose(store.maps, whole.maps.numpy(), rtol=1e-3)
    assert [store.file(row) for row in range(7)] == [str(path) for path in photographs]
    assert store.identities.tolist() == [0, 0, 1, 1, 2, 2, 3]
    assert store.cameras.tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert store.done.all() and store.verify() == []
    assert isinstance(store.embedding, np.memmap)  # nothing is loaded before it is touched


def test_names_that_say_nobody_and_what_is_left_out(explainer: Explainer, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    noisy(1).save(tmp_path / "p" / "ünlu\udcff person.png")  # a name that is no UTF-8, too
    store = extract(explainer, tmp_path / "p", components=False)
    assert store.file(0) == str(tmp_path / "p" / "ünlu\udcff person.png") and os.path.exists(store.file(0))
    assert (store.identities[0], store.cameras[0], store.split(0)) == (NOBODY, NOBODY, "")
    assert "components" not in store
    with pytest.raises(InputError, match="made without components; extract it again"):
        store.components  # noqa: B018


def test_a_data_set_by_name(explainer: Explainer, tmp_path: Path) -> None:
    write_tiny_market(tmp_path)
    options = {"root": str(tmp_path), "splits": ("query", "gallery")}
    store = amd.extract(explainer, "market1501", tmp_path / "s.h5", **options)  # type: ignore[arg-type]
    # query: 101 … 104 under camera 1; gallery: the same under camera 2; torchreid counts cameras from 0
    assert store.identities.tolist() == [101, 102, 103, 104] * 2
    assert store.cameras.tolist() == [0] * 4 + [1] * 4
    assert [store.split(row) for row in (0, 7)] == ["query", "gallery"]
    assert store.name(0) == "query/0101_c1s1_000001_00.jpg"
    with pytest.raises(InputError, match="unknown data set 'markt1501'; did you mean 'market1501'"):
        amd.extract(explainer, "markt1501", tmp_path / "s.h5")
    with pytest.raises(InputError, match="data root 'nowhere' is not a folder"):
        amd.extract(explainer, "market1501", tmp_path / "s.h5", root="nowhere")
    with pytest.raises(InputError, match="unknown split 'test'"):
        amd.extract(explainer, "market1501", tmp_path / "s.h5", root=str(tmp_path), splits=("test",))


# -- going on ------------------------------------------------------------------------------------


def test_goes_on_after_a_kill(
    explainer: Explainer, photographs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = explainer.decomposer.decompose

    def killed(images, names=(), batch_size=32):  # type: ignore[no-untyped-def]
        if photographs[3].name in str(names):  # the second batch of three
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(images, names, batch_size)

    child = os.fork()
    if not child:
        explainer.decomposer.decompose = killed  # type: ignore[method-assign]
        try:
            extract(explainer, photographs[0].parent)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    store = Store(photographs[0].parent.parent / "gallery.h5")
    assert store.done.tolist() == [True] * 3 + [False] * 4
    with pytest.raises(InputError, match="unfinished: 4 of 7 photographs are missing; give the extract") as e:
        store.check(store.mark)
    one_line(e)
    seen = counted(explainer, monkeypatch)
    store = extract(explainer, photographs[0].parent)
    assert seen == [str(path) for path in photographs[3:]]
    store.check(store.mark)
    whole_embedding = whole(explainer.decomposer.read(photographs)).embedding
    assert np.allclose(store.embedding, whole_embedding.numpy(), rtol=1e-6) and store.verify() == []


def test_new_photographs_are_added_and_changed_ones_done_again(
    explainer: Explainer, photographs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = photographs[0].parent
    before = np.array(extract(explainer, folder, maps=True).embedding)
    added = write_photographs(folder, 2, first=7)
    Image.new("RGB", (20, 40), "red").save(photographs[4])
    seen = counted(explainer, monkeypatch)
    store = extract(explainer, folder, maps=True)
    assert sorted(seen) == sorted(map(str, [photographs[4], *added]))
    kept = [0, 1, 2, 3, 5, 6]
    assert np.array_equal(store.embedding[kept], before[kept]) and len(store) == 9
    # red, the same everywhere: the mean colour is (1, 0, 0)
    assert np.allclose(store.embedding[4], [1, 0, 0], atol=1e-6) and store.verify() == []
    assert store.identities.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4]
    del seen[:]
    extract(explainer, folder, maps=True)
    assert seen == []


def test_a_flipped_bit_is_found_and_mended(explainer: Explainer, photographs: list[Path]) -> None:
    folder = photographs[0].parent
    store = extract(explainer, folder)
    before = np.array(store.embedding)
    place = store._places["embedding"]
    with store.path.open("r+b") as file:
        file.seek(place.offset + 4 * place.row_bytes + 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 4]))
    assert Store(store.path).verify() == [4]
    assert extract(explainer, folder).verify() == [4]  # not looked for unless asked to
    store = extract(explainer, folder, verify=True)
    assert store.verify() == [] and np.array_equal(store.embedding, before)


def test_one_process_writes(explainer: Explainer, photographs: list[Path]) -> None:
    store = extract(explainer, photographs[0].parent)
    with Writer(store.path), pytest.raises(InputError, match="another process is writing to") as error:
        extract(explainer, photographs[0].parent)
    one_line(error)
    extract(explainer, photographs[0].parent)


def test_broken_photographs(explainer: Explainer, photographs: list[Path]) -> None:
    photographs[2].write_bytes(b"\x89PNG nothing")
    with pytest.raises(InputError, match="--skip-broken"):
        extract(explainer, photographs[0].parent)
    assert not (photographs[0].parent.parent / "gallery.h5").exists()
    store = extract(explainer, photographs[0].parent, skip_broken=True)
    assert len(store) == 6 and str(photographs[2]) not in store.rows()


# -- what is refused -----------------------------------------------------------------------------


def test_features_of_another_model_or_input(explainer: Explainer, photographs: list[Path]) -> None:
    folder = photographs[0].parent
    store = extract(explainer, folder)
    others = {
        r"gallery.h5' holds features of another model \(toy with other weights\)": coloured_explainer(2.0),
        r"features of photographs at 8×4, the model looks at 16×4": coloured_explainer(size=(16, 4)),
        r"holds components of another interpreter": coloured_explainer(heads=2.0),
    }
    for said, other in others.items():
        for use in (
            lambda other=other: extract(other, folder),
            lambda other=other: store.check(Mark.of(other.decomposer), whole=True),
        ):
            with pytest.raises(InputError, match=said) as error:
                use()
            one_line(error)
    dark = Explainer(explainer.interpreter, explainer.size, (0, 0, 0), (2, 2, 2))
    with pytest.raises(InputError, match="normalised by"):
        store.check(Mark.of(dark.decomposer))
    store.check(Mark.of(coloured_explainer(heads=2.0).decomposer))  # embeddings are the target's alone


def test_other_options_than_before(explainer: Explainer, photographs: list[Path]) -> None:
    extract(explainer, photographs[0].parent)
    with pytest.raises(InputError, match="was made without maps; give the same options as then"):
        extract(explainer, photographs[0].parent, maps=True)
    with pytest.raises(InputError, match="was made with components"):
        extract(explainer, photographs[0].parent, components=False)


def test_files_that_are_no_store(explainer: Explainer, photographs: list[Path], tmp_path: Path) -> None:
    good = extract(explainer, photographs[0].parent).path.read_bytes()
    (tmp_path / "cut.h5").write_bytes(good[:-40])
    (tmp_path / "empty.h5").write_bytes(b"")
    (tmp_path / "text.h5").write_bytes(b"hello")
    (tmp_path / "zip.h5").write_bytes(b"\x1f\x8b and more")
    (tmp_path / "folder.h5").mkdir()
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["embedding"] = np.zeros((3, 4))
    with h5py.File(tmp_path / "newer.h5", "w") as file:
        file.attrs["format"], file.attrs["version"] = "torchreid_amd gallery", 3
    for name, said in {
        "cut": "'.*cut.h5' is cut short; extract it again",
        "empty": "is an empty file, not a store",
        "text": "is no HDF5 file, not a store",
        "zip": "is a gzip archive, not a store",
        "folder": "is a folder; give a file that torchreid-amd extract wrote",
        "missing": "does not exist; give a file",
        "other": "is an HDF5 file of something else",
        "newer": "has version 3, this program reads 1 and 2",
    }.items():
        with pytest.raises(InputError, match=said) as error:
            Store(tmp_path / f"{name}.h5")
        assert f"{name}.h5" in one_line(error)


def test_arrays_that_lie_on_each_other() -> None:
    rows = {"checksum": Place(100, np.dtype("<u4"), (5,)), "embedding": Place(120, np.dtype("<f4"), (5, 2))}
    _check(rows, 160)  # 100 + 5 · 4 = 120, 120 + 5 · 2 · 4 = 160
    with pytest.raises(ValueError, match="embedding does not fit"):
        _check(rows, 159)
    with pytest.raises(ValueError, match="checksum does not fit"):
        _check(rows | {"embedding": Place(119, np.dtype("<f4"), (5, 2))}, 160)


def test_damage_anywhere_is_refused_or_harmless(
    explainer: Explainer, photographs: list[Path], tmp_path: Path
) -> None:
    store = extract(explainer, photographs[0].parent)
    good = store.path.read_bytes()
    random = np.random.default_rng(0)
    file = tmp_path / "damaged.h5"
    for _ in range(150):
        bad = bytearray(good)
        for position in random.integers(0, min(len(good), 8000), 3):
            bad[position] = random.integers(0, 256)
        cut = random.integers(len(good) // 2, len(good)) if random.random() < 0.3 else len(good)
        file.write_bytes(bad[:cut])
        try:
            opened = Store(file)
            opened.verify()
            opened.check(Mark.of(explainer.decomposer))
        except InputError as error:
            assert "\n" not in str(error)


def test_a_disk_that_is_too_small(explainer: Explainer, photographs: list[Path], small_disk: Path) -> None:
    (small_disk / "filling").write_bytes(b"\0" * 1_040_000)
    with pytest.raises(InputError, match=r"the store takes .* and '.*' has .* left|cannot write") as error:
        amd.extract(explainer, photographs[0].parent, small_disk / "gallery.h5", maps=True)
    one_line(error)
    assert [path.name for path in small_disk.iterdir()] == ["filling"]
