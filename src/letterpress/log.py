"""One line a step: name, partition, rows in, rows out, rows quarantined, seconds.

Configured in entry points only; no e-mail addresses and no user text go in.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger("letterpress")


class _StandardErrorHandler(logging.Handler):
    """Writes to what standard error is at that moment: whoever runs us may replace and close it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            self.handleError(record)


def configure_log(*, verbose: bool = False) -> None:
    """Send our log to standard error: standard output belongs to results."""
    handler = _StandardErrorHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    logger.propagate = False


@contextmanager
def log_step(name: str, **facts: object) -> Iterator[dict[str, object]]:
    """A dictionary to put counts into; logged as one line with the seconds when the step ends."""
    started = time.perf_counter()
    counts: dict[str, object] = dict(facts)
    try:
        yield counts
    except BaseException as error:
        counts["failed"] = type(error).__name__
        raise
    finally:
        counts["seconds"] = round(time.perf_counter() - started, 3)
        logger.info("%s %s", name, " ".join(f"{key}={value}" for key, value in counts.items()))
