"""A run folder gives back the interpreter that was saved, or says in one line why it cannot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.config import get_default_config, to_dict
from torchreid_amd.core.errors import InputError
from torchreid_amd.interpreter.interpreter import Interpreter, create_interpreter
from torchreid_amd.interpreter.run_folder import load_run, save_run
from torchreid_amd.interpreter.run_record import read_run
from torchreid_amd.targets.weights import fingerprint

SCHEMA = AttributeSchema("own", ("red", "blue", "hat"), {"colour": ("red", "blue")}, {"hat": ("hat", "bare")})
MODEL = "osnet_x0_25"


@pytest.fixture
def weights(tmp_path: Path, build: Callable[..., nn.Module]) -> Path:
    path = tmp_path / "target.pth"
    torch.save(build(MODEL, seed=3).state_dict(), path)
    return path


@pytest.fixture
def interpreter(build: Callable[..., nn.Module]) -> Interpreter:
    """A target with a head that is not as it was at the start."""
    made = create_interpreter(
        build(MODEL, seed=3), "attrimeter", SCHEMA, metric="cosine", form="sum", name=MODEL
    )
    for parameter in made.head.parameters():
        nn.init.normal_(parameter, std=0.05)
    return made


@pytest.fixture
def saved(tmp_path: Path, interpreter: Interpreter, weights: Path) -> Path:
    cfg = get_default_config()
    cfg.amd.loss.prior.alpha = 0.25
    return save_run(
        tmp_path / "run",
        interpreter,
        model=MODEL,
        num_classes=5,
        loss="triplet",
        weights=weights,
        size=(128, 64),
        norm_mean=[0.1, 0.2, 0.3],
        norm_std=[0.4, 0.5, 0.6],
        config=cfg,
        scores={"adre": np.float32(1.5), "rows": {"x_map_e": float("nan"), "ranks": np.arange(2)}},
        command="torchreid-amd train …",
    )


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    record = json.loads((folder / "run.json").read_text())
    change(record)
    (folder / "run.json").write_text(json.dumps(record))


def refused(folder: Path, said: str, **options: Any) -> None:
    with pytest.raises(InputError, match=said) as error:
        load_run(folder, **options)
    assert "\n" not in str(error.value)


def test_what_was_saved_comes_back(saved: Path, interpreter: Interpreter, weights: Path) -> None:
    run = load_run(saved)
    images = torch.rand(2, 3, 128, 64)
    with torch.no_grad():
        one, two = interpreter(images), run.interpreter(images)
    assert torch.equal(one.embedding, two.embedding)
    assert torch.equal(one.maps, two.maps) and torch.equal(one.components, two.components)
    assert not run.interpreter.training
    assert run.interpreter.attributes == run.schema == SCHEMA
    assert run.interpreter.metric == run.metric == "cosine"
    assert run.interpreter.form == run.form == "sum"
    assert (run.model, run.num_classes, run.loss, run.weights) == (MODEL, 5, "triplet", weights)
    assert (run.size, run.norm_mean, run.norm_std) == ((128, 64), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert run.config["amd"]["loss"]["prior"]["alpha"] == 0.25
    assert run.config.keys() == to_dict(get_default_config()).keys()
    assert run.scores == {"adre": 1.5, "rows": {"x_map_e": None, "ranks": [0, 1]}}
    assert run.command == "torchreid-amd train …" and run.versions["torch"] == torch.__version__


def test_options_of_the_head_come_back(
    tmp_path: Path, build: Callable[..., nn.Module], weights: Path
) -> None:
    made = create_interpreter(build(MODEL, seed=3), "amd", SCHEMA, name=MODEL, init="fresh")
    save_run(tmp_path / "run", made, model=MODEL, num_classes=5, weights=weights)
    run = load_run(tmp_path / "run")
    assert (run.interpreter.head_name, run.interpreter.head_options) == ("amd", {"init": "fresh"})
    assert fingerprint(run.interpreter.head) == fingerprint(made.head)


def test_the_folder_holds_two_files_and_nothing_of_the_target(saved: Path, interpreter: Interpreter) -> None:
    assert sorted(p.name for p in saved.iterdir()) == ["interpreter.safetensors", "run.json"]
    head = sum(p.numel() for p in interpreter.head.parameters())
    size = (saved / "interpreter.safetensors").stat().st_size
    assert 4 * head <= size < 4 * head + 2000
    record = read_run(saved)
    assert record["target"]["fingerprint"] == fingerprint(interpreter.target.model)
    assert Path(record["target"]["weights"]).is_absolute()


def test_a_classifier_of_another_size_does_not_matter(
    saved: Path, weights: Path, build: Callable[..., nn.Module], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "torchreid_amd")
    state = torch.load(weights)
    state["classifier.weight"], state["classifier.bias"] = torch.ones(9, 512), torch.ones(9)
    torch.save(state, weights)
    load_run(saved)
    assert caplog.messages == []


def test_moved_weights(saved: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found beside the run, or where the caller says: as given first, then from the run folder."""
    elsewhere = saved.parent / "elsewhere" / "w.pth"
    elsewhere.parent.mkdir()
    weights.rename(elsewhere)
    refused(saved, "are not at .*target.pth'; if the file has moved, pass weights=PATH")
    refused(saved, "are not at .*; give an existing file", weights="none.pth")
    assert load_run(saved, weights=elsewhere).weights == elsewhere
    monkeypatch.chdir(elsewhere.parent)
    assert load_run(saved, weights="w.pth").weights == Path("w.pth")
    monkeypatch.chdir("/")
    assert load_run(saved, weights="../elsewhere/w.pth").weights == saved / "../elsewhere/w.pth"
    elsewhere.rename(saved / "target.pth")
    assert load_run(saved).weights == saved / "target.pth"


def test_other_weights_of_the_same_model_are_refused(
    saved: Path, weights: Path, build: Callable[..., nn.Module]
) -> None:
    torch.save(build(MODEL, seed=4).state_dict(), weights)
    refused(saved, r"other fingerprint\); give the file the interpreter was trained for")
    torch.save(build("resnet18").state_dict(), weights)
    refused(saved, "another model")


def test_missing_parts(saved: Path, tmp_path: Path) -> None:
    refused(tmp_path / "none", "no run folder at")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "has no run.json")
    (saved / "interpreter.safetensors").rename(tmp_path / "kept")
    refused(saved, "has no interpreter.safetensors")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"format": 1}', "\x00", '{"format": 1, "target": []}'])
def test_damaged_json(saved: Path, text: str) -> None:
    (saved / "run.json").write_text(text)
    refused(saved, "run.json' is damaged")


def test_values_that_make_no_sense(saved: Path) -> None:
    before = (saved / "run.json").read_text()
    for change, said in (
        (lambda r: r.update(format=99), "has format 99, this version reads 1; update"),
        (lambda r: r["target"].update(model="osnet_x0_255"), "did you mean 'osnet_x0_25'"),
        (lambda r: r["interpreter"].update(head="attrimetre"), "did you mean 'attrimeter'"),
        (lambda r: r["interpreter"].update(options={"depth": 3}), "does not take these options"),
        (lambda r: r["interpreter"].update(metric="manhattan"), "manhattan"),
        (lambda r: r["attributes"].pop("name"), "schema is malformed"),
        (lambda r: r["attributes"].update(attributes=["a"], groups={}, words={}), "does not fit head"),
        (lambda r: r["input"].update(size=[1, 2, 3]), "is damaged"),
        (lambda r: r["target"].update(weights=""), "remembers no weights of its target; pass weights=PATH"),
    ):
        (saved / "run.json").write_text(before)
        edit(saved, change)
        refused(saved, said)


def test_a_head_of_another_run_is_noticed(saved: Path, interpreter: Interpreter, tmp_path: Path) -> None:
    nn.init.normal_(interpreter.head.decomposition.project.weight)
    other = save_run(tmp_path / "other", interpreter, model=MODEL, num_classes=5)
    (other / "interpreter.safetensors").rename(saved / "interpreter.safetensors")
    refused(saved, "does not belong to the run.json beside it")


def test_saving_again_replaces_both(saved: Path, interpreter: Interpreter, weights: Path) -> None:
    nn.init.normal_(interpreter.head.decomposition.project.weight)
    save_run(saved, interpreter, model=MODEL, num_classes=5, weights=weights)
    assert fingerprint(load_run(saved).interpreter.head) == fingerprint(interpreter.head)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


@pytest.mark.parametrize("writer", ["write_bytes", "write_text"])
def test_a_disk_that_fills_up_leaves_the_old_run(
    saved: Path, interpreter: Interpreter, weights: Path, monkeypatch: pytest.MonkeyPatch, writer: str
) -> None:
    """Whichever of the two files it strikes, half-way through."""
    before = contents(saved)
    nn.init.normal_(interpreter.head.decomposition.project.weight)
    real = getattr(Path, writer)

    def full(path: Path, data: Any, *args: Any, **kwargs: Any) -> int:
        real(path, data[: len(data) // 2], *args, **kwargs)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, writer, full)
    with pytest.raises(InputError, match="No space left on device") as error:
        save_run(saved, interpreter, model=MODEL, num_classes=5, weights=weights)
    assert "\n" not in str(error.value)
    assert contents(saved) == before
    monkeypatch.undo()
    load_run(saved)


def test_a_disk_that_is_really_full(small_disk: Path, interpreter: Interpreter, weights: Path) -> None:
    """The attrimeter head of OSNet ×0.25 takes 1.2 MB: too much once, and the folder stays empty."""
    with pytest.raises(InputError, match="No space left on device"):
        save_run(small_disk / "run", interpreter, model=MODEL, num_classes=5, weights=weights)
    assert contents(small_disk / "run") == {}


def test_a_folder_that_cannot_be_one(tmp_path: Path, interpreter: Interpreter) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot write"):
        save_run(tmp_path / "file", interpreter, model=MODEL, num_classes=5)


def test_one_of_several_sets_of_weights_is_found_again(
    tmp_path: Path, build: Callable[..., nn.Module], interpreter: Interpreter
) -> None:
    """Chosen by its key; and by a run that remembers the file alone, whatever is taken by default."""
    file = tmp_path / "both.pth"
    states = {
        "state_dict": build(MODEL, seed=3).state_dict(),
        "state_dict_ema": build(MODEL, seed=4).state_dict(),
    }
    torch.save(states, file)
    for name, weights in (("key", f"{file}#state_dict"), ("plain", str(file))):
        folder = save_run(tmp_path / name, interpreter, model=MODEL, num_classes=5, weights=weights)
        assert read_run(folder)["target"]["weights"] == weights
        run = load_run(folder)
        assert fingerprint(run.interpreter.target.model) == fingerprint(interpreter.target.model)
    refused(tmp_path / "plain", "other fingerprint", weights=f"{file}#state_dict_ema")


def test_weights_are_remembered_and_found_under_the_users_home(
    tmp_path: Path, interpreter: Interpreter, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    kept = save_run(tmp_path / "run", interpreter, model=MODEL, num_classes=5, weights="~/target.pth")
    assert read_run(kept)["target"]["weights"] == str(weights.resolve())
    assert load_run("~/run", weights="~/target.pth").weights == weights
