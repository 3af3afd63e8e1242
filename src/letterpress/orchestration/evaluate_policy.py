"""What another policy would have earned on a log of single slots or slates with propensities."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from letterpress.errors import NotEnoughDataError, UsageError
from letterpress.evaluation.snips import estimate_policy_value, missing_support
from letterpress.events.codec import BadLine, MalformedEventError, decode_line
from letterpress.events.native import find_logs
from letterpress.events.open_bandit import convert, find_bandit_logs
from letterpress.events.open_bandit_wheel import WORD, fetch_open_bandit
from letterpress.events.types import AnyEvent, Outcome, Slate
from letterpress.lake.log_file import LogFile
from letterpress.log import logger
from letterpress.recommenders import RECOMMENDERS
from letterpress.settings import Settings

Policy = Literal["logged", "uniform"]


def evaluate_policy(
    settings: Settings, path: Path, log_format: str, policy: Policy, *, actions: int | None = None
) -> dict[str, Any]:
    """IPS and SNIPS of `policy` in clicks a shown item, with the evidence that they rest on.

    `actions` is how many items could have been shown; all items of the log when not given.

    Raises:
        NotEnoughDataError: the log does not support an estimate; the sentence says what it would take.
        UsageError: the log cannot be found, or its format is not known.
    """
    shown = _shown_items(_events(settings, path, log_format))
    if not shown:
        raise NotEnoughDataError(f"expected slates in {path}, found none; name another log.")
    logged = np.array([np.nan if row[1] is None else row[1] for row in shown], dtype=np.float64)
    clicks = np.array([row[2] for row in shown], dtype=np.float64)
    choices = actions or len({row[0] for row in shown})
    target = logged if policy == "logged" else np.full(len(shown), 1 / choices)
    value = estimate_policy_value(clicks, logged, target, seed=settings.seed)
    gates = RECOMMENDERS["open_bandit"].gates
    lacking = missing_support(
        value,
        min_effective_sample_size=gates.min_effective_sample_size,
        min_matched_clicks=gates.min_matched_clicks,
    )
    if lacking is not None:
        raise NotEnoughDataError(f"{policy} policy on {path.name}: {lacking}")
    return {"policy": policy, "log": str(path), "actions": choices, **value.as_numbers()}


def _events(settings: Settings, path: Path, log_format: str) -> Iterator[AnyEvent | BadLine]:
    if log_format == "open-bandit":
        folder = fetch_open_bandit(settings.paths.root / "cache") if str(path) == WORD else path
        for log in find_bandit_logs(folder):
            yield from convert(log)
    elif log_format == "letterpress":
        for file in find_logs([path]):
            yield from _native_events(file)
    else:
        raise UsageError(f"expected --format letterpress or open-bandit, found {log_format!r}.")


def _native_events(file: Path) -> Iterator[AnyEvent]:
    """Events of the readable lines; `import` puts the others into quarantine, an estimate needs them not."""
    log = LogFile(file)
    for lines in log.lines():
        for line in lines.texts:
            try:
                yield decode_line(line)
            except MalformedEventError:
                continue
    if log.damage is not None:
        logger.warning("evaluate_policy file=%s is damaged (%s): read as far as it goes", file, log.damage)


def _shown_items(events: Iterator[AnyEvent | BadLine]) -> list[tuple[str, float | None, int]]:
    """Item, logged propensity and whether it was clicked, for every shown item."""
    shown: dict[tuple[str, str], float | None] = {}
    clicked: set[tuple[str, str]] = set()
    for event in events:
        if isinstance(event, Slate):
            shown.update({(event.slate_id, item.item_id): item.propensity for item in event.items})
        elif isinstance(event, Outcome) and event.kind == "clicked" and event.count:
            clicked.add((event.slate_id, event.item_id))
    return [(key[1], propensity, int(key in clicked)) for key, propensity in shown.items()]
