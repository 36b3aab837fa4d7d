"""Files and KEY VALUE pairs over torchreid's configuration, and mistakes in them in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from flat_tree import flat

from torchreid_amd.config import (
    config_of_run,
    get_default_config,
    merge,
    to_dict,
)
from torchreid_amd.config.merge import RENAMED
from torchreid_amd.core.errors import InputError


def yaml_like_torchreids(name: str, lr: float, epochs: int, **train: Any) -> dict[str, Any]:
    return {
        "model": {"name": name, "pretrained": True},
        "data": {
            "type": "image",
            "sources": ["market1501"],
            "targets": ["market1501", "dukemtmcreid"],
            "height": 256,
            "width": 128,
            "combineall": False,
            "transforms": ["random_flip", "color_jitter"],
            "save_dir": f"log/{name}",
        },
        "loss": {"name": "softmax", "softmax": {"label_smooth": True}},
        "train": {
            "optim": "amsgrad",
            "lr": lr,
            "max_epoch": epochs,
            "batch_size": 64,
            "fixbase_epoch": 10,
            "open_layers": ["fc", "classifier"],
            **train,
        },
        "test": {
            "batch_size": 300,
            "dist_metric": "cosine",
            "normalize_feature": False,
            "evaluate": False,
            "eval_freq": -1,
            "rerank": False,
        },
    }


@pytest.mark.parametrize(
    "content",
    [
        yaml_like_torchreids("osnet_x1_0", 0.0015, 150, lr_scheduler="single_step", stepsize=[60]),
        yaml_like_torchreids("osnet_ain_x1_0", 0.0015, 100, lr_scheduler="cosine"),
        yaml_like_torchreids("resnet50_fc512", 3e-4, 60, stepsize=[20, 40]),
    ],
)
def test_files_with_the_keys_of_torchreids_own(tmp_path: Path, content: dict[str, Any]) -> None:
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(content))
    merged = flat(to_dict(merge(get_default_config(), tmp_path / "c.yaml")))
    for key, value in flat(content).items():
        assert merged[key] == value
    untouched = set(merged) - set(flat(content))
    assert {k: merged[k] for k in untouched} == {k: flat(to_dict(get_default_config()))[k] for k in untouched}


def test_pairs_come_after_the_file(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("train: {lr: 1e-2, max_epoch: 5}\namd:\n  metric: cosine\n")
    cfg = merge(get_default_config(), tmp_path / "c.yaml", ["train.max_epoch", "7"])
    assert (cfg.train.lr, cfg.train.max_epoch, cfg.amd.metric) == (0.01, 7, "cosine")


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("# nothing\n")
    assert merge(get_default_config(), tmp_path / "c.yaml") == get_default_config()


@pytest.mark.parametrize(
    ("key", "given", "expected"),
    [
        ("train.lr", "1", 1.0),
        ("train.lr", "5e-4", 5e-4),
        ("data.save_dir", "2024", "2024"),
        ("data.save_dir", "'log/a b'", "log/a b"),
        ("model.load_weights", "W.pth", "W.pth"),
        ("model.load_weights", "None", ""),
        ("test.rerank", "true", True),
        ("test.rerank", "False", False),
        ("data.sources", "['a', 'b']", ["a", "b"]),
        ("data.sources", "('a',)", ["a"]),
        ("data.norm_mean", "[0, 0.5, 1]", [0.0, 0.5, 1.0]),
        ("train.stepsize", "[]", []),
        ("amd.loss.prior.weight", "3", 3.0),
    ],
)
def test_values_become_the_type_of_the_key(key: str, given: str, expected: Any) -> None:
    value = flat(to_dict(merge(get_default_config(), opts=[key, given])))[key]
    assert value == expected and type(value) is type(expected)


@pytest.mark.parametrize(
    ("opts", "said"),
    [
        (["train.learning_rate", "1"], "unknown configuration key 'train.learning_rate'"),
        (["train.batchsize", "8"], "did you mean train.batch_size"),
        (["batch_size", "8"], "did you mean train.batch_size or test.batch_size"),
        (["amd.lose.prior.alpha", "1"], "did you mean .*amd.loss.prior.alpha"),
        (["train.lr.x", "1"], "unknown configuration key"),
        (["zzzz", "1"], "top-level keys are model, data"),
        (["amd.attributes", "market1501"], "is a group; set one of amd.attributes.set"),
        (["train.lr", "fast"], "train.lr is 'fast', expected a value of type float such as 0.0003"),
        (["train.lr", "True"], "expected a value of type float"),
        (["train.max_epoch", "2.5"], "expected a value of type int such as 60"),
        (["train.max_epoch", "True"], "expected a value of type int"),
        (["test.rerank", "1"], "expected a value of type bool such as False"),
        (["data.sources", "market1501"], r"expected a value of type list such as \"\['market1501'\]\""),
        (["data.norm_mean", "['a', 'b', 'c']"], "expected a value of type float"),
        (["train.lr", "0.1", "train.seed"], "KEY VALUE pairs, but the last one is 'train.seed' alone"),
    ],
)
def test_wrong_pairs_are_one_clear_line_and_change_nothing(opts: list[str], said: str) -> None:
    cfg = get_default_config()
    with pytest.raises(InputError, match=said) as error:
        merge(cfg, opts=["train.seed", "5", *opts])
    assert "\n" not in str(error.value) and len(str(error.value)) < 300
    assert cfg == get_default_config()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train: {lrr: 1}", "unknown configuration key 'train.lrr' in .*did you mean train.lr"),
        ("train: 3", "'train' in .* is a group"),
        ("train: {lr: {a: 1}}", "unknown configuration key 'train.lr.a'"),
        ("train: {lr: null}", "expected a value of type float"),
        ("- a\n- b", "holds a list"),
        ("a: [1", "not readable YAML"),
        ("!!python/object/apply:os.system ['true']", "not readable YAML"),
    ],
)
def test_wrong_files_are_one_clear_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(InputError, match=said) as error:
        merge(get_default_config(), tmp_path / "c.yaml")
    assert "\n" not in str(error.value)


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no configuration file at"):
        merge(get_default_config(), tmp_path / "none.yaml")
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not readable YAML"):
        merge(get_default_config(), tmp_path / "c.yaml")


def test_the_configuration_of_a_run_is_what_it_was_trained_with() -> None:
    cfg = merge(get_default_config(), opts=["train.lr", "0.5", "data.save_dir", "None", "amd.head", "amd"])
    cfg.data.save_dir = "None"  # a folder of that name
    cfg.use_gpu = True
    kept = json.loads(json.dumps(to_dict(cfg)))
    del cfg["use_gpu"], kept["amd"]["synthetic"]["seed"]  # an older run does not know every key
    assert config_of_run(kept) == cfg


def test_a_key_that_was_renamed_since_the_run_was_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RENAMED, "amd.interpreter.kind", "amd.head")
    cfg = config_of_run({"amd": {"interpreter": {"kind": "attrimeter"}}})
    assert cfg.amd.head == "attrimeter" and "interpreter" not in cfg.amd


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"amd": {"haed": "amd"}}, "unknown configuration key 'amd.haed' of the run; did you mean amd.head"),
        ({"amd": {"additive": {"absence": True}}}, "unknown configuration key 'amd.additive.absence' of"),
        ({"amd": "additive"}, "configuration key 'amd' of the run is a group"),
        ({"train": {"lr": None}}, "train.lr of the run is None, expected a value of type float"),
    ],
)
def test_a_run_of_another_version_says_so_in_one_line(config: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        config_of_run(config)
    assert "trained with another version" in str(error.value) and "\n" not in str(error.value)
