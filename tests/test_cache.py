"""A training from what was computed once: the same losses, no photograph decoded, never a stale file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from test_engine import config, engine_for, frozen_copy
from tiny_market import write_tiny_market
from torch.utils.data import BatchSampler, DataLoader

from torchreid_amd.config import engine_run_kwargs
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.images import read_image
from torchreid_amd.engine.cache import store as store_module
from torchreid_amd.engine.cache import training, views
from torchreid_amd.engine.cache.store import PART, Store
from torchreid_amd.engine.cache.views import Views, ViewSampler
from torchreid_amd.engine.engine import ImageAMDEngine
from torchreid_amd.engine.train import build_datamanager, train
from torchreid_amd.heads.amd import AMDHead

AUGMENTED = (
    "data.transforms",
    "['random_flip','random_crop','color_jitter','random_surroundings','random_erase']",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tiny_market(tmp_path / "data")


def cached(root: Path, folder: Path, *options: Any) -> Any:
    common = ("amd.cache", "on", "amd.cache_views", 2, "amd.cache_file", folder / "cache.h5", *AUGMENTED)
    return config(root, folder / "run", *common, *options)


def same_views(engine: ImageAMDEngine) -> Any:
    """The views of a cached training, decoded and augmented each time."""
    loader, cfg = engine.train_loader, engine.config
    sampler = BatchSampler(ViewSampler(loader.sampler, cfg.amd.cache_views), loader.batch_size, True)
    return DataLoader(Views(loader.dataset, cfg.train.seed), batch_sampler=sampler)


def three_steps(engine: ImageAMDEngine, prepare: bool) -> list[dict[str, float]]:
    if prepare:
        engine.prepare_steps()
    else:
        engine.train_loader = same_views(engine)
    engine.epoch = engine.batch_idx = 0
    engine.set_model_mode("train")
    torch.manual_seed(5)
    batches = [batch for _ in range(3) for batch in engine.train_loader][:3]
    torch.manual_seed(6)  # dropout
    return [engine.forward_backward(batch) for batch in batches]


@pytest.mark.parametrize(
    ("head", "precision", "off"),
    [("additive", "fp32", 1e-5), ("amd", "fp32", 1e-5), ("amd", "fp16", 1e-3), ("attrimeter", "fp16", 1e-3)],
)
def test_losses_are_those_of_the_same_views_without_a_cache(
    root: Path, tmp_path: Path, head: str, precision: str, off: float
) -> None:
    cfg = cached(root, tmp_path, "amd.head", head, "amd.cache_precision", precision, "train.optim", "sgd")
    ours, plain = (three_steps(engine_for(cfg), prepare) for prepare in (True, False))
    for a, b in zip(ours, plain, strict=True):
        assert a.keys() == b.keys() and b["loss"] > 0
        for term, value in b.items():
            assert a[term] == pytest.approx(value, rel=off, abs=off * b["loss"]), term
    assert plain[0]["loss"] != plain[1]["loss"]


@pytest.mark.parametrize("head", ["additive", "amd"])
def test_the_frozen_target_computes_in_the_precision_of_the_steps(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str
) -> None:
    monkeypatch.setattr("torchreid_amd.engine.engine.has_bf16", lambda device: True)
    monkeypatch.setattr("torchreid_amd.engine.learner.has_bf16", lambda device: True)
    common = ("amd.head", head, "amd.cache_precision", "fp32", "train.optim", "sgd")
    plain = three_steps(engine_for(cached(root, tmp_path, *common)), True)
    single = values(tmp_path / "cache.h5")
    ours = three_steps(engine_for(cached(root, tmp_path, *common, "amd.amp", "on")), True)
    half = values(tmp_path / "cache.h5")
    made = store_module.made_of(tmp_path / "cache.h5")
    assert made and made["arithmetic"] == "bfloat16"
    for one, two in zip(single, half, strict=True):
        error = np.abs(one - two).max() / np.abs(one).max()
        assert 1e-5 < error < 0.03
        rounded = torch.from_numpy(two).bfloat16().float().numpy()
        assert np.array_equal(two, rounded) == (
            two.ndim == 5
        )  # maps; embeddings are of a single-precision tail
    for a, b in zip(ours, plain, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=0.02)


def test_views_differ_and_are_the_same_each_time(root: Path, tmp_path: Path) -> None:
    dataset = build_datamanager(cached(root, tmp_path)).train_loader.dataset
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, again = Views(dataset, 1), Views(dataset, 1)
    assert torch.equal(first[4, 1]["img"], again[4, 1]["img"])
    assert torch.equal(torch.get_rng_state(), before)  # what else is random goes on as it was
    assert not torch.equal(first[4, 0]["img"], first[4, 1]["img"])
    assert not torch.equal(first[4, 1]["img"], Views(dataset, 2)[4, 1]["img"])
    number, both = views.AllViews(first, 2)[4]
    assert number == 4 and torch.equal(both[1], again[4, 1]["img"])


def test_a_cached_training_decodes_no_training_photograph_and_leaves_the_target(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train(cached(root, tmp_path, "train.max_epoch", 1))
    said = capsys.readouterr().out
    assert "Cache: 12 photographs × 2 views, early, features in fp16: 0.00 GB" in said

    read: list[str] = []

    def noted(path: Any) -> Any:
        read.append(str(path))
        return read_image(path)

    for where in ("torchreid_amd.core.broken_photographs", "torchreid_amd.engine.cache.views"):
        monkeypatch.setattr(f"{where}.read_image", noted)
    cfg = cached(root, tmp_path, "train.max_epoch", 2, "amd.overwrite", True)
    engine = engine_for(cfg)
    before = frozen_copy(engine.model)
    engine.run(**engine_run_kwargs(cfg))
    assert "is used; no training photograph is read" in capsys.readouterr().out
    assert all(torch.equal(v, before[k]) for k, v in engine.model.target.state_dict().items())
    assert read and not any("bounding_box_train" in path for path in read)


def test_a_changed_photograph_is_checked_and_the_cache_made_anew(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(cached(root, tmp_path, "train.max_epoch", 1))
    photographs = sorted(root.rglob("bounding_box_train/*.jpg"))
    photographs[0].write_bytes(photographs[1].read_bytes() + b"\0")
    capsys.readouterr()
    again = ("train.max_epoch", 1, "amd.overwrite", True)
    train(cached(root, tmp_path, *again))
    assert "was made of other photographs: it is made anew" in capsys.readouterr().out
    photographs[0].write_bytes(b"no photograph")
    with pytest.raises(InputError, match=photographs[0].name):
        train(cached(root, tmp_path, *again))


@pytest.mark.parametrize(
    ("options", "other"),
    [
        (("train.seed", 2), "other weights, other seed"),  # the target of these tests has no file
        (("data.transforms", "['random_flip']", "amd.cache_views", 3), "other transforms, other views"),
        (("amd.head", "attrimeter", "amd.cache_precision", "fp32"), "other precision, other parts"),
        (("amd.amp", "on"), "other arithmetic"),
    ],
)
def test_a_stale_cache_is_made_anew_and_says_why(
    root: Path,
    tmp_path: Path,
    options: Any,
    other: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torchreid_amd.engine.learner.has_bf16", lambda device: True)
    engine_for(cached(root, tmp_path)).prepare_steps()
    old = store_module.made_of(tmp_path / "cache.h5")
    capsys.readouterr()
    engine_for(cached(root, tmp_path, *options)).prepare_steps()
    assert f"was made of {other}: it is made anew" in capsys.readouterr().out
    new = store_module.made_of(tmp_path / "cache.h5")
    assert old and new and other == ", ".join(f"other {name}" for name in new if new[name] != old[name])
    assert not list(tmp_path.glob(f"*{PART}"))


def test_an_interrupted_cache_is_gone_on_with(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "BATCH", 2)  # a photograph of two views
    engine_for(cached(root, tmp_path)).prepare_steps()
    whole = values(tmp_path / "cache.h5")
    (tmp_path / "cache.h5").unlink()

    written, own = [], Store.write

    def killed(self: Store, photographs: Any, parts: Any) -> None:
        if len(written) == 5:
            raise KeyboardInterrupt
        written.extend(photographs)
        own(self, photographs, parts)

    monkeypatch.setattr(Store, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        engine_for(cached(root, tmp_path)).prepare_steps()
    assert not (tmp_path / "cache.h5").exists() and (tmp_path / f"cache.h5{PART}").exists()
    more: list[int] = []
    monkeypatch.setattr(Store, "write", lambda self, n, parts: (more.extend(n), own(self, n, parts))[1])
    capsys.readouterr()
    engine_for(cached(root, tmp_path)).prepare_steps()
    assert "gone on with; 5 photographs are there already" in capsys.readouterr().out
    assert written == [0, 1, 2, 3, 4] and more == [5, 6, 7, 8, 9, 10, 11]
    for a, b in zip(values(tmp_path / "cache.h5"), whole, strict=True):
        np.testing.assert_array_equal(a, b)


def values(path: Path) -> list[Any]:
    with h5py.File(path) as file:
        assert file["done"][:].all()
        return [file["values"][name][:] for name in sorted(file["values"])]


def test_a_chunk_for_each_view_and_all_space_at_once(root: Path, tmp_path: Path) -> None:
    engine_for(cached(root, tmp_path)).prepare_steps()
    with h5py.File(tmp_path / "cache.h5") as file:
        early, features = file["values/0"], file["values/1"]
        assert early.shape == (12, 2, 96, 4, 2) and early.chunks == (1, 1, 96, 4, 2)
        assert features.shape == (12, 2, 128, 4, 2) and features.dtype == np.float16
        assert early.id.get_storage_size() == early.nbytes


@pytest.mark.parametrize(
    ("content", "said"), [(b"my thesis", "cannot be read"), (None, "holds something else")]
)
def test_another_file_is_not_overwritten(root: Path, tmp_path: Path, content: Any, said: str) -> None:
    path = tmp_path / "cache.h5"
    if content is None:
        with h5py.File(path, "w") as file:
            file["mine"] = [1]
        content = path.read_bytes()
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=f"{said}.*delete it or give another amd.cache_file"):
        engine_for(cached(root, tmp_path)).prepare_steps()
    assert path.read_bytes() == content


def test_what_cannot_be_cached_is_refused(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_for(cached(root, tmp_path, "data.transforms", "['random_patch']"))
    with pytest.raises(InputError, match="random_patch, which remembers patches"):
        engine.prepare_steps()
    engine = engine_for(cached(root, tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(AMDHead, "loss", lambda *_: None, raising=False)
        with pytest.raises(InputError, match="AMDHead says None about what it reads"):
            engine.prepare_steps()
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10}))
        with pytest.raises(InputError, match=r"amd.cache needs 0.0 GB at .*, where 0.0 GB are free"):
            engine.prepare_steps()
    assert not list(tmp_path.glob("cache*"))


def test_values_that_half_precision_cannot_hold(tmp_path: Path) -> None:
    parts = {"features": torch.tensor([[1.5], [-7e4]])}
    for precision, said in (("fp16", "reach 7e.04, which half precision cannot hold"), ("fp32", "")):
        Store.create(tmp_path / precision, ["a"], 2, parts, precision, {})
        store = Store(tmp_path / precision, parts, writing=True)
        if said:
            with pytest.raises(InputError, match=f"{said}; set amd.cache_precision fp32"):
                store.write([0], parts)
            assert store.missing == [0]
            with pytest.raises(InputError, match="not finite; check its weights"):
                store.write([0], {"features": torch.tensor([[0.0], [torch.nan]])})
        else:
            store.write([0], parts)
            assert store.missing == [] and store.read([(0, 1)])["features"].tolist() == [[-7e4]]
        store.close()


def test_two_writers_of_one_file(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: Any) -> None:
        raise BlockingIOError("unable to lock file")

    monkeypatch.setattr(h5py, "File", locked)
    with pytest.raises(InputError, match="unable to lock file.*; if another training is making it, wait"):
        Store(tmp_path / "cache.h5", {}, writing=True)


def test_the_quick_step_trains_from_a_cache(root: Path, tmp_path: Path) -> None:
    cfg = cached(root, tmp_path, "amd.fast", True, "amd.amp", True, "amd.head", "additive")
    losses = three_steps(engine_for(cfg), True)
    assert all(np.isfinite(list(step.values())).all() for step in losses)
