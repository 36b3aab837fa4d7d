"""How far a long loop is: bars, lines and silence, and where they are shown."""

from __future__ import annotations

import ast
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from toy_interpreter import plain, toy_explainer

from torchreid_amd.core import progress_bar
from torchreid_amd.core.messages import show_progress
from torchreid_amd.core.progress_bar import progress
from torchreid_amd.datasets.synthetic import render_dataset
from torchreid_amd.evaluation import DecomposedImages
from torchreid_amd.evaluation.pairs.score_pairs import score_pairs
from torchreid_amd.interpreter.distances import get_distance

ROOT = Path(__file__).parents[1]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """Time that passes when ``clock.now`` is changed."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress_bar, "time", SimpleNamespace(monotonic=lambda: clock.now))
    yield clock


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines without waiting for the first."""
    monkeypatch.setattr(progress_bar, "AFTER", 0.0)


def test_lines_with_an_estimate_at_most_every_ten_seconds(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    with show_progress():
        for _ in progress(range(2000), "waiting"):
            clock.now += 1 / 64  # the 128th is done after 2 s, the 768th after 12 s, the 1,408th after 22 s
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "waiting: 128 of 2,000, about 00:29 left",  # 1,872 / 64 s
        "waiting: 768 of 2,000, about 00:19 left",
        "waiting: 1,408 of 2,000, about 00:09 left",
    ]


def test_items_that_stand_for_several(clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress():
        for _ in progress(range(3), "reading", 25, 10):
            clock.now += 11
        for _ in progress(iter("abc"), "counting"):
            clock.now += 11
    assert capsys.readouterr().err.splitlines() == [
        "reading: 10 of 25, about 00:16 left",  # 11 s / 10 × 15
        "reading: 20 of 25, about 00:05 left",  # 22 s / 20 × 5
        "counting: 1",
        "counting: 2",
        "counting: 3",
    ]


def test_what_is_soon_done_says_nothing(clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress():
        for _ in progress(range(19), "waiting"):
            clock.now += 0.1
    assert capsys.readouterr().err == ""


def test_in_python_it_is_shown_where_it_is_asked_for(
    at_once: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(progress("abc", "waiting")) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""
    with show_progress():
        assert list(progress("abc", "waiting")) == ["a", "b", "c"]
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert list(progress("abc", "waiting")) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_a_loop_inside_another_says_nothing(at_once: None, capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress():
        for _ in progress(range(2), "outer"):
            assert list(progress(range(2), "inner")) == [0, 1]
        list(progress(range(2), "after it"))
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == ["outer", "after it"]


def test_a_loop_that_broke_does_not_silence_the_next(
    at_once: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ZeroDivisionError) as kept, show_progress():
        for _ in progress(range(3), "first"):
            raise ZeroDivisionError
    with show_progress():
        list(progress(range(3), "second"))
    assert capsys.readouterr().err.startswith("second: 1 of 3")
    assert kept.traceback


SCRIPT = """
import logging, sys, time
from torchreid_amd.core import progress_bar
from torchreid_amd.core.closed_pipe import outliving_the_reader
from torchreid_amd.core.messages import printed, show_progress

progress_bar.AFTER = 0.2
with outliving_the_reader(), printed(), show_progress():
    for n in progress_bar.progress(range(12), "waiting"):
        time.sleep(0.05)
        if n == 10:
            logging.getLogger("torchreid_amd").info("a message")
    print("done")
"""


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


def test_a_bar_on_a_terminal_that_makes_room_for_messages_and_goes() -> None:
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    inside, outside = pty.openpty()
    fcntl.ioctl(outside, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 80, 0, 0))
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT]
    with subprocess.Popen(command, stdout=outside, stderr=outside, env=environment()) as process:
        os.close(outside)
        said = b""
        try:
            while read := os.read(inside, 4096):
                said += read
        except OSError:  # the other end is closed
            pass
        assert process.wait() == 0
    os.close(inside)
    shown = said.decode().replace("\r\n", "\n").split("\r")
    assert any("waiting:" in text and "/12 [" in text and "%" in text for text in shown)
    assert not any("waiting:" in text and "a message" in text for text in shown)
    assert shown[-1] == "done\n"  # nothing is left of the bar
    assert any(text.startswith("a message\n") for text in shown)


def test_work_goes_on_where_nobody_reads_the_error_stream() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=writer, env=environment(), timeout=60, text=True
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stdout) == (0, "a message\ndone\n")


# -- where it is shown --------------------------------------------------------------------------------


def test_rankings_say_how_far_they_are(at_once: None, capsys: pytest.CaptureFixture[str]) -> None:
    gallery = [plain(255, n) for n in range(9)]
    with show_progress():
        r = toy_explainer(account=False).explain_ranking(plain(0), gallery, topk=3, batch_size=4)
        page = r.to_html()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(", ")[0] for line in lines] == [
        "embedding the gallery: 4 of 9",
        "explaining the nearest: 1 of 3",
        "writing the page: 1 of 3",
    ]
    silent = toy_explainer(account=False).explain_ranking(plain(0), gallery, topk=3, batch_size=4)
    assert silent.to_html() == page and capsys.readouterr().err == ""


def test_rendering_says_how_far_it_is(
    at_once: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with show_progress():
        render_dataset(tmp_path, train_ids=1, test_ids=2, images_per_id=4, workers=1)
    assert capsys.readouterr().err.startswith("rendering pedestrians: 1 of 3, about ")


def test_scoring_says_how_far_it_is(at_once: None, capsys: pytest.CaptureFixture[str]) -> None:
    labels = torch.ones(5, 2)
    side = DecomposedImages(torch.eye(5), torch.ones(5, 2, 5), range(5), range(5), labels)
    with show_progress():
        score_pairs(side, side, get_distance("euclidean"), memory=600)  # one query at a time
    assert capsys.readouterr().err.startswith("scoring pairs, by query: 1 of 5, about ")


@pytest.mark.parametrize(
    "file",
    [
        "engine/engine.py",
        "core/broken_photographs.py",
        "evaluation/baselines/linear_probe.py",
        "evaluation/counterfactual/account_pairs.py",
        "evaluation/counterfactual/measure.py",
        "evaluation/data/testbed.py",
        "evaluation/deletion/curves.py",
        "evaluation/localisation/record.py",
        "evaluation/pairs/pair_shares.py",
        "evaluation/reweighting.py",
        "evaluation/sanity/record.py",
        "interpreter/decomposer.py",
        "targets/table.py",
    ],
)
def test_long_loops_say_how_far_they_are(file: str) -> None:
    """Where a loop takes more than two seconds on a usual data set and two cores."""
    tree = ast.parse((ROOT / "torchreid_amd" / file).read_text(encoding="utf-8"))
    gone_through = {
        ast.unparse(node.iter.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.For | ast.comprehension) and isinstance(node.iter, ast.Call)
    }
    assigned = {
        ast.unparse(node.value.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
    }
    assert "progress" in gone_through | assigned
