import io
import logging
from contextlib import redirect_stderr

import pytest

from letterpress.log import configure_log, log_step, logger


def test_a_step_is_one_line_with_its_counts_and_seconds(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="letterpress"), log_step("ingest", partition="p") as counts:
        counts["rows_in"] = 3
    (line,) = caplog.messages
    assert line.startswith("ingest partition=p rows_in=3 seconds=")


def test_a_failed_step_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="letterpress"), pytest.raises(KeyError), log_step("train"):
        raise KeyError("label")
    assert "failed=KeyError" in caplog.messages[0]


def test_lines_go_to_what_standard_error_is_now_and_not_to_one_that_was_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("handlers", "level", "propagate"):
        monkeypatch.setattr(logger, name, [] if name == "handlers" else getattr(logger, name))
    first, second = io.StringIO(), io.StringIO()
    with redirect_stderr(first):
        configure_log()
        logger.info("one")
        assert "INFO one" in first.getvalue()
    first.close()
    with redirect_stderr(second):
        logger.info("two")
    assert second.getvalue().endswith("INFO two\n")
    assert "Traceback" not in second.getvalue()
