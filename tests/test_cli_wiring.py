"""What is asked of a command reaches what does the work, and every argument says what it is."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from torchreid_amd import cli
from torchreid_amd.cli.parser import command_parser, parsed
from torchreid_amd.config import get_default_config
from torchreid_amd.evaluation.questions import Settings

Call = tuple[tuple[Any, ...], dict[str, Any]]


def asked(monkeypatch: pytest.MonkeyPatch, where: str, *command: str) -> Call:
    """The arguments with which a command calls what does the work."""
    calls: list[Call] = []
    monkeypatch.setattr(where, lambda *args, **kwargs: calls.append((args, kwargs)))
    assert cli.main(command) == 0
    (call,) = calls
    return call


def test_evaluate_takes_every_number_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = ("--pairs", "3", "--images", "4", "--removal-pairs", "5", "--seed", "6")
    command = ("evaluate", "a-run", *numbers, "--skip", "probe", "--skip", "place", "--weights", "w.pth")
    command += ("--store", "a.h5", "--store", "b.h5")
    more = ("--distractors-as-no", "--root", "data", "-t", "synthetic_attr", "test.batch_size", "7")
    args, _ = asked(monkeypatch, "torchreid_amd.engine.evaluate.evaluate", *command, *more)
    folder, change, weights, settings, stores = args
    assert stores == ["a.h5", "b.h5"]
    assert (folder, weights) == ("a-run", "w.pth")
    assert settings == Settings(("probe", "place"), 3, 4, 5, seed=6, distractors_as_no=True)
    cfg = change(get_default_config())
    assert (cfg.data.root, cfg.data.targets, cfg.test.batch_size) == ("data", ["synthetic_attr"], 7)
    plain, _ = asked(monkeypatch, "torchreid_amd.engine.evaluate.evaluate", "evaluate", "a-run")
    assert plain[2:] == (None, Settings(), [])


def test_adapt_takes_every_option_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    where, base = "torchreid_amd.engine.adapt.adapt", ("adapt", "a-run", "-t", "new", "--out", "b-run")
    more = ("--epochs", "7", "--statistics", "--weights", "w.pth", "--root", "data", "train.lr", "0.5")
    folders, given = asked(monkeypatch, where, *base, *more)
    cfg = given.pop("change")(get_default_config())
    assert folders == ("a-run", "b-run")
    assert given == {"weights": "w.pth", "epochs": 7, "statistics": True}
    assert (cfg.data.root, cfg.data.targets, cfg.train.lr) == ("data", ["new"], 0.5)
    _, plain = asked(monkeypatch, where, *base)
    assert (plain["weights"], plain["epochs"], plain["statistics"]) == (None, 2, False)


@pytest.mark.parametrize(
    ("command", "paths"),
    [
        ("search RUN --gallery F hat", ["RUN", "hat"]),
        ("search RUN hat --gallery F", ["RUN", "hat"]),
        ("search --gallery F RUN hat", ["RUN", "hat"]),
        ("search RUN --gallery F hat -- -bag", ["RUN", "hat", "-bag"]),
        ("search RUN --gallery F -- -hat -bag", ["RUN", "-hat", "-bag"]),
        ("search RUN hat -- -bag --gallery", ["RUN", "hat", "-bag", "--gallery"]),
        ("rank RUN --topk 3 q.jpg --gallery F a.jpg b.jpg", ["RUN", "q.jpg", "a.jpg", "b.jpg"]),
        ("explain --json F RUN a.jpg --html F b.jpg", ["RUN", "a.jpg", "b.jpg"]),
        ("extract --store F --data D RUN", ["RUN"]),
    ],
)
def test_options_stand_before_words_and_behind_them(command: str, paths: list[str]) -> None:
    assert parsed(command_parser(), command.split()).paths == paths


@pytest.mark.parametrize("command", ["search RUN --wrong x hat", "search RUN --json F a -x", "scores R --x"])
def test_unknown_options_are_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(command_parser(), command.split())
    assert "unrecognized arguments: " in capsys.readouterr().err


def test_extract_takes_every_option_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    model = object()
    monkeypatch.setattr("torchreid_amd.cli.extract.explainer_of", lambda args, *_: (model, []))
    where = "torchreid_amd.gallery.extract.extract"
    calls: list[Call] = []

    class Stored:
        path = "g.h5"

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            calls.append((args, kwargs))

        def __len__(self) -> int:
            return 3

    monkeypatch.setattr(where, Stored)
    options = ("--root", "r", "--split", "query", "train", "--maps", "--no-components", "--seen")
    command = ("extract", "a-run", "--data", "d", "--store", "g.h5", *options, "--skip-broken", "--verify")
    assert cli.main(command) == 0 and cli.main(command[:6]) == 0
    (given, plain) = calls
    assert given[0] == plain[0] == (model, "d", "g.h5")
    on = {"components": False, "maps": True, "skip_broken": True, "verify": True, "seen": True}
    assert given[1] == {"root": "r", "splits": ["query", "train"]} | on
    assert plain[1] == {"root": "", "splits": ["gallery"]} | {key: not value for key, value in on.items()}


def test_rank_takes_a_gallery_wherever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    ranked: list[Any] = []
    model = SimpleNamespace(config={}, explain_ranking=lambda *args, **kwargs: ranked.append((args, kwargs)))
    monkeypatch.setattr("torchreid_amd.cli.rank.explainer_of", lambda args, *_: (model, args.paths[1:]))
    monkeypatch.setattr("torchreid_amd.cli.rank.write", lambda *_: None)
    monkeypatch.setattr("torchreid_amd.gallery.given.gallery_of", lambda *args: asked.append(args) or ["g"])
    command = (
        "rank",
        "a-run",
        "q.jpg",
        "p.jpg",
        "--gallery",
        "a.h5",
        "--gallery",
        "b.h5",
        "--search",
        "ivfpq",
    )
    more = ("--root", "r", "--split", "query", "--photographs", "moved", "--skip-broken", "--topk", "3")
    assert cli.main((*command, *more)) == 0 and cli.main(command[:4]) == 0
    (given, cfg, *rest), (plain, _, *defaults) = asked
    assert given == ["p.jpg", "a.h5", "b.h5"] and cfg.data.root == "r" and rest == [["query"], True, "moved"]
    assert plain == ["p.jpg"] and defaults == [["gallery"], False, ""]
    assert ranked[0] == (("q.jpg", ["g"]), {"topk": 3, "search": "ivfpq"})
    assert ranked[1] == (("q.jpg", ["g"]), {"topk": 10, "search": "exact"})


def test_export_takes_a_run_and_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded: list[Any] = []

    def load(*args: Any) -> SimpleNamespace:
        loaded.append(args)
        return SimpleNamespace(interpreter="i", size=(8, 4), norm_mean=(0, 1, 2), norm_std=(3, 4, 5))

    monkeypatch.setattr("torchreid_amd.interpreter.run_folder.load_run", load)
    given: list[Any] = []
    where = "torchreid_amd.interpreter.export.export"
    monkeypatch.setattr(where, lambda *args: given.append(args) or 3e-7)
    assert cli.main(["export", "a-run", "x.onnx", "--weights", "w.pth"]) == 0
    assert loaded == [("a-run", "w.pth")] and given[0][1] == "x.onnx"
    made = given[0][0]
    assert (made.interpreter, made.size, made.norm_mean, made.norm_std) == ("i", (8, 4), (0, 1, 2), (3, 4, 5))
    assert "Written: x.onnx (largest difference from PyTorch: 3.0e-07" in capsys.readouterr().out


def test_synth_takes_every_number_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = ("--train-ids", "3", "--test-ids", "4", "--images-per-id", "5", "--seed", "6", "--workers", "2")
    command = ("synth", "--root", "data", "--domain", "night", *numbers, "--force")
    args, kwargs = asked(monkeypatch, "torchreid_amd.datasets.synthetic.render_dataset", *command)
    wanted = {"train_ids": 3, "test_ids": 4, "images_per_id": 5, "seed": 6, "workers": 2}
    assert args == ("data",) and kwargs == wanted | {"domain": "night", "force": True}
    _, kwargs = asked(monkeypatch, "torchreid_amd.datasets.synthetic.render_dataset", "synth")
    wanted = {"train_ids": 200, "test_ids": 150, "images_per_id": 10, "seed": 0, "workers": None}
    assert kwargs == wanted | {"domain": "day", "force": False}


def test_audit_takes_every_number_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[Any, ...]] = []

    class Explainer:
        def __init__(self, *given: Any) -> None:
            made.append(given)

        from_pretrained = classmethod(lambda cls, folder, weights: cls("run", folder, weights))
        from_target = classmethod(lambda cls, *given: cls("model", *given))

    class Found:
        summary = plot = save_html = to_json = lambda self, path="": "said"

    def audit(*given: Any, **named: Any) -> Found:
        calls.append((given, named))
        return Found()

    calls: list[Call] = []
    monkeypatch.setattr("torchreid_amd.explanation.explainer.Explainer", Explainer)
    monkeypatch.setattr("torchreid_amd.auditing.audit.audit", audit)
    numbers = "--pairs 3 --seed 6 --root data -t a b --store s.h5 --html p".split()
    assert cli.main(("audit", "a-run", "--weights", "w.pth", "--compare", "another", *numbers)) == 0
    assert made == [("run", "a-run", "w.pth"), ("run", "another", None)]
    ((_, targets), named) = calls[0]
    assert targets == ["a", "b"] and named.pop("compare_with") is not None
    assert named == {"root": "data", "pairs": 3, "seed": 6, "stores": ["s.h5"], "keep": Path("p.part")}
    made.clear()
    model = ("audit", "--model", "m", "--weights", "w.pth", "--size", "4", "2", "--compare", "v.pth")
    assert cli.main(model) == 0
    assert made == [("model", "m", "w.pth", (4, 2)), ("model", "m", "v.pth", (4, 2))]
    assert calls[1][0][1:] == (None,)
    assert {k: v for k, v in calls[1][1].items() if k != "compare_with"} == {
        "root": "reid-data", "pairs": 200, "seed": 0, "stores": [], "keep": None,
    }  # fmt: skip


def test_train_takes_lists_and_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("train", "--root", "data", "-s", "a", "b", "--transforms", "random_flip", "-t", "c")
    args, _ = asked(monkeypatch, "torchreid_amd.engine.train.train", *command, "train.lr", "0.5")
    data = args[0].data
    assert (data.root, data.sources, data.targets) == ("data", ["a", "b"], ["c"])
    assert data.transforms == ["random_flip"] and args[0].train.lr == 0.5


def test_every_argument_says_what_it_is() -> None:
    (commands,) = (a for a in command_parser()._actions if isinstance(a, argparse._SubParsersAction))
    assert {choice.dest for choice in commands._choices_actions if choice.help} == set(commands.choices)
    silent = {
        f"{name} {action.dest}"
        for name, command in commands.choices.items()
        for action in command._actions
        if not action.help
    }
    assert not silent
