"""The benchmark's lines: complete, and both sides of a case agree. Nothing here looks at a clock."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

EXAMPLES = Path(__file__).parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))

benchmark = importlib.import_module("benchmark")
Case, compared, main = benchmark.Case, benchmark.compared, benchmark.main

COST = {"seconds", "cpu_seconds", "peak_mb", "per_second"}


def test_every_case_gives_a_line_and_both_sides_agree() -> None:
    command = [sys.executable, "-W", "ignore", EXAMPLES / "benchmark.py", "--quick", "--repeat", "1"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    names = [line["case"] for line in lines]
    explained = {f"explanation-{head}-osnet_x0_25" for head in ("amd", "attrimeter")}
    others = {"components-resnet50", "gradients-resnet50", "scores-1000", "pairs", "ranking", "rendering"}
    others |= {"page-pair", "page-ranking"}
    others |= {"account-osnet_x0_25", "accounts-osnet_x0_25", "account-resnet50"}
    assert len(set(names)) == len(names) and set(names) >= explained | others
    for line in lines:
        assert line["what"] and line["size"] and line["repeat"] == 1 and line["device"] == "cpu"
        assert line["cpu"] and line["threads"] == 1 and line["torch"] == torch.__version__
        assert set(line["ours"]) == COST and line["ours"]["seconds"] > 0
        if line["case"] in ("rendering", "page-pair", "page-ranking"):
            assert line["reference"] is line["ratio"] is line["error"] is line["agree"] is None
            continue
        assert set(line["reference"]) == COST
        assert set(line["ratio"]) == {"seconds", "cpu_seconds", "peak_mb"}
        seconds = line["ours"]["seconds"] / line["reference"]["seconds"]
        assert line["ratio"]["seconds"] == pytest.approx(seconds)
        assert line["agree"] is True and line["error"] <= line["tolerance"], line


def toy(device: str, megabytes: int, off: float) -> tuple[Callable[[], torch.Tensor], ...]:
    """Ours takes memory on the way; the reference does not, and differs."""

    def ours() -> torch.Tensor:
        return torch.ones(megabytes, 250_000, device=device).mean(1) + 3  # 4s

    return ours, lambda: torch.full((megabytes,), 4.0 - off)


def test_memory_error_and_agreement_of_a_known_case() -> None:
    size = {"megabytes": 200, "off": 0.0}
    line = compared("toy", Case(toy, size, {"off": 1.0}), quick=False, repeat=2, device="cpu")
    assert line["ours"]["peak_mb"] == pytest.approx(200, abs=20)
    assert line["reference"]["peak_mb"] < 20
    assert line["error"] == 0 and line["agree"] is True and line["size"] == size
    assert line["ours"]["per_second"] == pytest.approx(200 / line["ours"]["seconds"])

    line = compared("toy", Case(toy, size, {"off": 1.0}), quick=True, repeat=1, device="cpu")
    assert line["error"] == pytest.approx(1 / 3) and line["agree"] is False  # |4 − 3| / 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--case", "componets-resnet50"], "unknown case 'componets-resnet50'; did you mean"),
        (["--repeat", "0"], "--repeat is 0; give at least 1"),
        (["--case", "rendering", "--device", "abacus"], "device 'abacus' cannot be used"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1
    assert said.err.startswith(f"benchmark: {message}")


def test_results_that_differ_end_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = Case(toy, {"megabytes": 1, "off": 1.0}, {})
    monkeypatch.setattr(benchmark, "cases", lambda: {"wrong": wrong})
    assert main(["--repeat", "1"]) == 1
    assert json.loads(capsys.readouterr().out)["agree"] is False
