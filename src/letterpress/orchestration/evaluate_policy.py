"""What another policy would have earned on a log of single slots or slates with propensities."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from letterpress.errors import NotEnoughDataError, UsageError
from letterpress.evaluation.doubly_robust import predict_by_action
from letterpress.evaluation.slate_value import estimate_slate_value
from letterpress.evaluation.snips import PolicyValue
from letterpress.evaluation.support import covered_share, missing_support
from letterpress.events.codec import BadLine, MalformedEventError, decode_line
from letterpress.events.native import find_logs
from letterpress.events.open_bandit import convert, find_bandit_logs
from letterpress.events.open_bandit_wheel import WORD, fetch_open_bandit
from letterpress.events.types import AnyEvent, Outcome, Slate
from letterpress.lake.log_file import LogFile
from letterpress.log import logger
from letterpress.ranking.greedy_policy import asked_of
from letterpress.recommenders import RECOMMENDERS
from letterpress.settings import Settings

Policy = Literal["logged", "uniform"]


@dataclass(frozen=True, slots=True)
class ShownItems:
    """Every shown item of a log, rows by slate and position; all `(n,)` but the last two."""

    propensities: NDArray[np.float64]
    """NaN where the log has none."""
    clicks: NDArray[np.float64]
    actions: NDArray[np.int64]
    positions: NDArray[np.int64]
    """From zero."""
    slate_offsets: NDArray[np.int64]
    item_ids: tuple[str, ...]
    """What `actions` point into."""


def evaluate_policy(
    settings: Settings,
    path: Path,
    log_format: str,
    policy: Policy = "uniform",
    *,
    actions: int | None = None,
    policy_file: Path | None = None,
) -> dict[str, Any]:
    """IPS, SNIPS, DM and DR of a policy in clicks a shown item, with the evidence that they rest on.

    `actions` is how many items could have been shown; all items of the log when not given. A `policy_file`
    is valued instead of `policy`: a CSV of `item_id,position,probability`, the same for every request.

    Raises:
        NotEnoughDataError: the log does not support an estimate; the sentence says what it would take.
        UsageError: the log or the policy cannot be read, or its format is not known.
    """
    shown = _shown_items(_events(settings, path, log_format))
    if not len(shown.actions):
        raise NotEnoughDataError(f"expected slates in {path}, found none; name another log.")
    if actions is not None and actions < len(shown.item_ids):
        raise UsageError(
            f"expected --actions to count every item that could be shown, found {actions} where {path.name} "
            f"shows {len(shown.item_ids)}; name at least as many, or leave it out."
        )
    choices = actions or len(shown.item_ids)
    name = policy if policy_file is None else policy_file.name
    table = _uniform(shown, choices) if policy_file is None else read_policy(policy_file, shown)
    is_logged = policy == "logged" and policy_file is None
    value = _value_of(shown, None if is_logged else table, seed=settings.seed)
    lacking = missing_support(value, asked_of(RECOMMENDERS["open_bandit"].gates))
    if lacking is not None:
        raise NotEnoughDataError(f"{name} policy on {path.name}: {lacking}")
    return {"policy": name, "log": str(path), "actions": choices, **value.as_numbers()}


def _value_of(shown: ShownItems, table: NDArray[np.float64] | None, *, seed: int) -> PolicyValue:
    """The value of the policy in `table` `(n_items, n_positions)`; of the log's own where there is none."""
    predicted, target = None, shown.propensities
    if table is not None:
        target = table[shown.actions, shown.positions]
        predicted = predict_by_action(shown.clicks, shown.actions, shown.positions, table, seed=seed)
    value = estimate_slate_value(
        shown.clicks,
        shown.propensities,
        target,
        shown.slate_offsets,
        structure="independent",
        seed=seed,
        predicted=predicted,
    )
    if table is None:
        return value
    return replace(value, covered=covered_share(shown.actions, shown.positions, table))


def _uniform(shown: ShownItems, choices: int) -> NDArray[np.float64]:
    return np.full((len(shown.item_ids), int(shown.positions.max()) + 1), 1 / choices)


def read_policy(path: Path, shown: ShownItems) -> NDArray[np.float64]:
    """Probabilities `(n_items, n_positions)` of a CSV file; 0 for items that a position does not name.

    Raises:
        UsageError: the file cannot be read, or its probabilities at a position are no probabilities.
    """
    places = {item: row for row, item in enumerate(shown.item_ids)}
    table = np.zeros((len(places), int(shown.positions.max()) + 1))
    sums = dict.fromkeys(range(table.shape[1]), 0.0)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                position, probability = int(row["position"]) - 1, float(row["probability"])
                if not 0 <= probability <= 1 or position < 0:
                    raise UsageError(f"{path}: expected probabilities in 0..1, found {row}; mend that row.")
                sums[position] = sums.get(position, 0.0) + probability
                if row["item_id"] in places and position < table.shape[1]:
                    table[places[row["item_id"]], position] = probability
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UsageError(
            f"{path}: expected a CSV with item_id, position and probability, found {error}; mend the file."
        ) from error
    if wrong := [f"{total:.4f} at {place + 1}" for place, total in sums.items() if abs(total - 1) > 1e-3]:
        raise UsageError(
            f"{path}: expected probabilities that add up to 1 at each position, found "
            f"{', '.join(wrong)}; name every item that the policy shows."
        )
    return table


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


def _shown_items(events: Iterator[AnyEvent | BadLine]) -> ShownItems:
    """Every shown item with its propensity and whether it was clicked."""
    slates: dict[str, Slate] = {}
    clicked: set[tuple[str, str]] = set()
    for event in events:
        if isinstance(event, Slate):
            slates[event.slate_id] = event
        elif isinstance(event, Outcome) and event.kind == "clicked" and event.count:
            clicked.add((event.slate_id, event.item_id))
    rows = [
        (slate.slate_id, item)
        for slate in slates.values()
        for item in sorted(slate.items, key=lambda shown: shown.position)
    ]
    codes: dict[str, int] = {}
    actions = [codes.setdefault(item.item_id, len(codes)) for _, item in rows]
    sizes = [len(slate.items) for slate in slates.values()]
    return ShownItems(
        propensities=np.array(
            [np.nan if item.propensity is None else item.propensity for _, item in rows], dtype=np.float64
        ),
        clicks=np.array([(slate, item.item_id) in clicked for slate, item in rows], dtype=np.float64),
        actions=np.array(actions, dtype=np.int64),
        positions=np.array([item.position - 1 for _, item in rows], dtype=np.int64),
        slate_offsets=np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]),
        item_ids=tuple(codes),
    )
