import logging

import pytest

from letterpress.log import log_step


def test_a_step_is_one_line_with_its_counts_and_seconds(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="letterpress"), log_step("ingest", partition="p") as counts:
        counts["rows_in"] = 3
    (line,) = caplog.messages
    assert line.startswith("ingest partition=p rows_in=3 seconds=")


def test_a_failed_step_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="letterpress"), pytest.raises(KeyError), log_step("train"):
        raise KeyError("label")
    assert "failed=KeyError" in caplog.messages[0]
