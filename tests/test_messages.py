"""What the library says beside its results: logged, and shown as plain lines by a command."""

from __future__ import annotations

import io
import logging
from contextlib import redirect_stdout

import pytest

from torchreid_amd.core.messages import printed

log = logging.getLogger("torchreid_amd.somewhere.deep")


def test_a_command_shows_messages_as_lines(capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = io.StringIO()
    with printed():
        log.info("3 of 5 are done")
        log.warning("no weights")
        log.debug("not for people")
        with redirect_stdout(elsewhere):  # as training does, which keeps a log file
            log.info("4 of 5 are done")
    assert capsys.readouterr() == ("3 of 5 are done\nWarning: no weights\n", "")
    assert elsewhere.getvalue() == "4 of 5 are done\n"


def test_a_program_hears_only_what_it_asks_for(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with printed(), printed():
        pass
    log.info("3 of 5 are done")
    assert capsys.readouterr() == ("", "") and not caplog.messages
    log.warning("no weights")
    assert capsys.readouterr().out == "" and caplog.messages == ["no weights"]
